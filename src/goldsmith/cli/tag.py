"""``goldsmith tag REF TAG``: one more name for an image."""

import json

import click

from goldsmith.store.home import find_home
from goldsmith.store.images import find, tag_image


@click.command("tag", short_help="Give an image one more name.")
@click.argument("ref")
@click.argument("tag")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(ref: str, tag: str, *, as_json: bool) -> None:
    """Let TAG (golden, or web:golden) mean what REF means now; if another image had that name, it moves.

    With the image's own version as TAG, as in web:1.2.0, that version means this build from now on.
    """
    home = find_home()
    image = find(home, ref)
    name = tag_image(home, image, tag)
    if as_json:
        print(json.dumps({"ref": image.own, "tag": name, "digest": image.digest}, indent=2))
    else:
        print(f"{name} is {image.own}")
