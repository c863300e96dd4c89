"""What the verbs that move images have in common: options, how remotes are reached, and what is told afterwards."""

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from goldsmith.cli.progress import progress_on_stderr
from goldsmith.effects import clock
from goldsmith.effects.allocator import hoard_little
from goldsmith.errors import UsageError
from goldsmith.store.home import Home, find_home
from goldsmith.store.images import find, layout_of
from goldsmith.store.layout import Layout
from goldsmith.store.remote.address import Address, Kind, Place

if TYPE_CHECKING:
    from goldsmith.store.remote.transfer import Moved, Ways
    from goldsmith.store.remote.verify import Verified

Command = Callable[..., Any]


def options(command: Command) -> Command:
    """The options of every verb that moves images."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print one JSON object."),
        click.option(
            "--jobs",
            type=click.IntRange(1, 32),
            default=4,
            show_default=True,
            help="How many objects at a time.",
        ),
        click.option(
            "--ca",
            type=click.Path(path_type=Path, dir_okay=False, exists=True),
            help="A PEM file with the authority that signs the server's certificate.",
        ),
        click.option(
            "--plain-http", is_flag=True, help="The registry speaks http. On the loopback that is found out."
        ),
    ):
        command = option(command)
    return command


@contextmanager
def ways(*, plain_http: bool, ca: Path | None, jobs: int, verb: str) -> "Iterator[Ways]":
    """How remotes are reached, with progress on standard error."""
    # Here and not at the top: the help does without an HTTP client.
    from goldsmith.effects.client import Client  # noqa: PLC0415
    from goldsmith.store.remote.transfer import Ways, proxies_of  # noqa: PLC0415

    hoard_little()
    home = find_home()
    environment = dict(os.environ)
    client = Client(proxies_of(environment), ca)
    with progress_on_stderr() as progress:
        try:
            yield Ways(
                home,
                client,
                environment,
                plain_http,
                jobs,
                progress=lambda done, total: progress.moving(verb, done, total),
                check_disk=partial(check_disk, home),
            )
        finally:
            client.stop.set()


def check_disk(home: Home, layout: Layout, image: "Verified") -> None:
    """Rebuild an image's disk, even if one of its digest is there; it is kept for whoever wants it next.

    Raises:
        IntegrityError: it is another disk.
    """
    from goldsmith.disk import stored  # noqa: PLC0415 - only a pull needs it
    from goldsmith.disk.digest import disk_digest  # noqa: PLC0415
    from goldsmith.store.diskmap import rebuild  # noqa: PLC0415

    target = stored.place(home, image.disk_map.disk_digest)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_suffix(f".{os.getpid()}-{threading.get_ident()}.pulled")
    literals = [blob.digest for blob in image.parts.literals]

    def make(output: Path) -> None:
        temporary.rename(output)

    try:
        rebuild(layout, image.disk_map, literals, image.index, temporary, digest=disk_digest)
        stored.cached_disk(home, image.disk_map.disk_digest, make)
    finally:
        temporary.unlink(missing_ok=True)


def local_image(home: Home, ref: str) -> tuple[Address, str]:
    """An image of the local store as an address that always means it, and the tag it goes by elsewhere.

    Raises:
        UsageError: there is no such image.
    """
    place = Place(Kind.STORE, "")
    layout = layout_of(home)
    name, _, tag = ref.partition(":")
    known = layout.refs().get(ref)
    if known:
        return Address(place, name, digest=known.digest), tag
    image = find(home, ref)
    version = image.version if image.newest else image.own.partition(":")[2]
    return Address(place, image.name, digest=image.index.digest), version


def tell(moved: "Moved", verb: str, start: float, *, as_json: bool) -> None:
    """Say what was done."""
    seconds = clock.monotonic() - start
    if as_json:
        facts = {
            "source": str(moved.source),
            "target": str(moved.target),
            "name": moved.name,
            "digest": moved.root.digest,
            "size": moved.total,
            "moved": moved.moved,
            "reused": moved.reused,
            "referrers": moved.referrers,
            "replaced": moved.replaced or None,
            "seconds": round(seconds, 3),
        }
        print(json.dumps(facts, indent=2))
        return
    print(f"{moved.name} {verb} in {seconds:.1f} s")
    print(f"  digest {moved.root.digest}")
    print(f"  moved  {moved.moved / 1e6:.1f} of {moved.total / 1e6:.1f} MB")
    if moved.referrers:
        print(f"  with   {moved.referrers} manifests that say something about it")
    if moved.replaced:
        print(f"  before {moved.replaced} had this name")


def refuse_local(text: str, what: str) -> UsageError:
    """The error for a name of the local store where a remote is wanted."""
    return UsageError(
        f"{what} {text!r:.200} is in the local store",
        hint="write HOST/PATH for a registry, ./DIRECTORY for a directory",
    )
