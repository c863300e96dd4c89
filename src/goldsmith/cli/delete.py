"""``goldsmith delete REF``: forget images and tags."""

import json

import click

from goldsmith.store.home import find_home
from goldsmith.store.images import delete_image, find


@click.command("delete", short_help="Forget an image or a tag.")
@click.argument("refs", nargs=-1, required=True, metavar="REF...")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(refs: tuple[str, ...], *, as_json: bool) -> None:
    """Forget images, or only names where REF is a tag. The space is free after goldsmith store gc.

    web:1.2.0 is the newest build of that version; the one before it is meant by that name afterwards.
    """
    home = find_home()
    for ref in refs:
        find(home, ref)  # a mistake in one name deletes nothing
    gone = [name for ref in dict.fromkeys(refs) for name in delete_image(home, ref)]
    if as_json:
        print(json.dumps({"deleted": gone}, indent=2))
    else:
        print("\n".join(f"{name} deleted" for name in gone))
