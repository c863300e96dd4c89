"""``goldsmith copy SRC DST``: an image from anywhere to anywhere."""

from pathlib import Path

import click

from goldsmith.cli import moving
from goldsmith.effects import clock
from goldsmith.store.home import find_home


@click.command("copy", short_help="Copy an image from anywhere to anywhere.")
@click.argument("source", metavar="SRC")
@click.argument("target", metavar="DST")
@moving.options
def command(*, source: str, target: str, plain_http: bool, ca: Path | None, jobs: int, as_json: bool) -> None:
    """Copy an image, digest for digest, from SRC to DST; neither need be the local store.

    SRC names an image: REF, REMOTE/NAME:VERSION, ./DIRECTORY/NAME:VERSION or http://HOST/NAME:VERSION. DST is a place,
    where the image keeps its name, or a place and another name; NAME:VERSION alone is in the local store.
    """
    from goldsmith.store.remote.address import Kind, destination, parse  # noqa: PLC0415 - the help does without
    from goldsmith.store.remote.transfer import transfer  # noqa: PLC0415

    start = clock.monotonic()
    if "/" in source:
        origin = parse(source)
        tag = origin.tag
    else:
        origin, tag = moving.local_image(find_home(), source)
    goal = destination(target, origin.name, tag) if "/" in target or ":" not in target else parse(target)
    if origin.place.kind == goal.place.kind == Kind.STORE:
        raise moving.refuse_local(target, "both SRC and DST: DST")
    with moving.ways(plain_http=plain_http, ca=ca, jobs=jobs, verb="copied") as ways:
        moved = transfer(ways, origin, goal)
    moving.tell(moved, "copied", start, as_json=as_json)
