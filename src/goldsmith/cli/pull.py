"""``goldsmith pull REMOTE/NAME:VERSION``: an image from elsewhere into the local store."""

from dataclasses import replace
from pathlib import Path

import click

from goldsmith.cli import moving
from goldsmith.effects import clock


@click.command("pull", short_help="Take an image from a registry, a directory or a web server.")
@click.argument("address", metavar="REMOTE/NAME:VERSION")
@moving.options
def command(*, address: str, plain_http: bool, ca: Path | None, jobs: int, as_json: bool) -> None:
    """Take an image into the local store; only what is not in another image there already is fetched.

    The disk is rebuilt and compared before the image gets its name. A pull that was interrupted goes on where it
    stopped.

    REMOTE is a registry (registry.example/team), a directory (./images) or a web server that serves one
    (http://127.0.0.1:8000, as goldsmith serve does).
    """
    from goldsmith.store.remote.address import Kind, Place, parse  # noqa: PLC0415 - the help does without
    from goldsmith.store.remote.transfer import transfer  # noqa: PLC0415

    start = clock.monotonic()
    source = parse(address)
    if source.place.kind == Kind.STORE:
        raise moving.refuse_local(address, "the image")
    with moving.ways(plain_http=plain_http, ca=ca, jobs=jobs, verb="downloads") as ways:
        moved = transfer(ways, source, replace(source, place=Place(Kind.STORE, "")))
    moving.tell(moved, "pulled", start, as_json=as_json)
