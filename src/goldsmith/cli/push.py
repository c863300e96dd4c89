"""``goldsmith push REF REMOTE``: an image to a registry or a directory."""

from pathlib import Path

import click

from goldsmith.cli import moving
from goldsmith.effects import clock
from goldsmith.store.home import find_home


@click.command("push", short_help="Send an image to a registry or a directory.")
@click.argument("ref")
@click.argument("remote")
@moving.options
def command(*, ref: str, remote: str, plain_http: bool, ca: Path | None, jobs: int, as_json: bool) -> None:
    """Send the image REF to REMOTE, with all that is said about it; what is there is not sent again.

    REMOTE is a place, where the image keeps its name (registry.example/team, ./images), or a place and another name
    (registry.example/team/web:stable). Credentials come from GOLDSMITH_REMOTE_USER and GOLDSMITH_REMOTE_PASSWORD, the
    files of docker, podman and skopeo with their credential helpers, and netrc.
    """
    from goldsmith.store.remote.address import Kind, destination  # noqa: PLC0415 - the help does without
    from goldsmith.store.remote.transfer import transfer  # noqa: PLC0415

    start = clock.monotonic()
    source, tag = moving.local_image(find_home(), ref)
    target = destination(remote, source.name, tag)
    if target.place.kind == Kind.STORE:
        raise moving.refuse_local(remote, "REMOTE")
    with moving.ways(plain_http=plain_http, ca=ca, jobs=jobs, verb="uploads") as ways:
        moved = transfer(ways, source, target)
    moving.tell(moved, "pushed", start, as_json=as_json)
