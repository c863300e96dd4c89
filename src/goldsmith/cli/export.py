"""``goldsmith export REF``: an image's disk as a file that a cloud or a hypervisor takes."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import click

from goldsmith.disk.digest import SHA256_UP_TO, sha256_sparse
from goldsmith.disk.formats.recognise import recognise
from goldsmith.disk.formats.table import find_format
from goldsmith.disk.formats.write import export_file, exported_size
from goldsmith.disk.stored import raw_disk
from goldsmith.effects import clock
from goldsmith.effects.files import sha256_file
from goldsmith.errors import Unavailable, UsageError
from goldsmith.model.format import OUTPUTS, Format
from goldsmith.store.archives import WRITERS
from goldsmith.store.home import Home, find_home
from goldsmith.store.images import find


@dataclass(frozen=True, slots=True)
class Found:
    """What REF names."""

    disk: Path
    """A raw disk."""
    digest: str = ""
    """Its ``disk_digest`` if it is known."""


@click.command("export", short_help="Write an image's disk in any format.")
@click.argument("ref")
@click.option("--format", "name", required=True, metavar="NAME", help=f"The format: {', '.join(OUTPUTS)}.")
@click.option(
    "--output", required=True, type=click.Path(path_type=Path), help="The file to write; replaced when whole."
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    default=os.cpu_count() or 1,
    show_default="all cores",
    help="How much is done at once.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(*, ref: str, name: str, output: Path, jobs: int, as_json: bool) -> None:
    """Write the disk of REF as one file in a format; the same disk gives the same bytes.

    REF is an image (web, web:1.2.0, web:1.2.0-b2) or the path of a raw disk. Of an image also its tree can be written, as
    a tar archive, and all of it, as an OCI archive.
    """
    start = clock.monotonic()
    row = find_format(name)
    if name in WRITERS:
        export_archive(ref, row, output, start=start, as_json=as_json)
        return
    found = find_disk(find_home(), ref)
    check_output(output, found.disk)
    export_file(found.disk, output, row, jobs=jobs, digest=found.digest)
    if as_json:
        size = output.stat().st_size
        facts = {
            "ref": ref,
            "format": row.name,
            "path": str(output.absolute()),
            "size": size,
            "disk_size": exported_size(found.disk.stat().st_size, row),
            "sha256": sha256_sparse(output) if size <= SHA256_UP_TO else None,
            "seconds": round(clock.monotonic() - start, 3),
        }
        print(json.dumps(facts, indent=2))
        return
    print(f"{ref} exported as {row.name} in {clock.monotonic() - start:.1f} s")
    print(f"  file   {output} ({output.stat().st_blocks * 512 / 1e6:.1f} MB on the disk)")
    print(f"  for    {', '.join(row.takers)}")


def export_archive(ref: str, archive: Format, output: Path, *, start: float, as_json: bool) -> None:
    """Write an image of the store as an archive, and say so."""
    home = find_home()
    if "/" in ref or Path(ref).exists():
        raise UsageError(
            f"{ref!r} is a path, and only an image of the store has a tree to write as {archive.name}",
            hint="take it into the store first: goldsmith import",
        )
    image = find(home, ref)
    check_output(output)
    WRITERS[archive.name](home, image, output)
    facts = {
        "ref": ref,
        "format": archive.name,
        "path": str(output.absolute()),
        "size": output.stat().st_size,
        "sha256": sha256_file(output),
        "seconds": round(clock.monotonic() - start, 3),
    }
    if as_json:
        print(json.dumps(facts, indent=2))
        return
    print(f"{ref} exported as {archive.name} in {facts['seconds']:.1f} s")
    print(f"  file   {output} ({output.stat().st_size / 1e6:.1f} MB)")
    print(f"  for    {', '.join(archive.takers)}")


def find_disk(home: Home, ref: str) -> Found:
    """What REF means: a path where it has a slash or exists, else an image's name.

    Raises:
        UsageError: there is no such image or file, or the file is no raw disk.
        IntegrityError: what the store has of it is damaged.
    """
    path = Path(ref)
    if "/" in ref or path.exists():
        if not path.is_file():
            what = "is no file" if path.exists() else "does not exist"
            raise UsageError(f"{ref!r} {what}", hint="name an image, or the path of a raw disk")
        kind = recognise(path)
        if kind:
            raise UsageError(
                f"{ref!r} is a {kind} file, not a raw disk",
                hint=f"convert it first: qemu-img convert -O raw {path.name} disk.raw",
            )
        return Found(path)
    image = find(home, ref)
    return Found(raw_disk(home, image), str(image.facts.get("disk_digest") or ""))


def check_output(output: Path, disk: Path | None = None) -> None:
    """Refuse a place that cannot be written to, or must not be, before anything is done.

    Raises:
        UsageError: it is a directory, no ordinary file, the disk itself, or its directory is none.
        Unavailable: this user may not write there.
    """
    text = str(output)
    if output.is_dir():
        raise UsageError(f"--output {text!r} is a directory", hint="name the file to write in it")
    if os.path.lexists(output) and not output.is_file():
        raise UsageError(f"--output {text!r} is no ordinary file", hint="name another file")
    if disk is not None and output.exists() and output.samefile(disk):
        raise UsageError(f"--output {text!r} is the disk that is exported", hint="name another file")
    if not output.parent.is_dir():
        raise UsageError(
            f"--output {text!r}: there is no directory {str(output.parent)!r}",
            hint="make it, or name another",
        )
    if not os.access(output.parent, os.W_OK | os.X_OK):
        raise Unavailable(
            f"--output {text!r} cannot be written to",
            hint="name another directory, or mend its permissions",
        )
