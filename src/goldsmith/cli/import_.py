"""``goldsmith import FILE``: take a disk or an archive that others have made into the store."""

import json
import os
from pathlib import Path

import click

from goldsmith.cli.progress import progress_on_stderr
from goldsmith.cli.units import visible
from goldsmith.disk.adopt.keep import Adopted, adopt
from goldsmith.effects import clock
from goldsmith.store.home import find_home


@click.command("import", short_help="Take a vendor's disk or archive into the store.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", required=True, help="The image's name.")
@click.option("--version", required=True, metavar="N.N.N", help="The image's version.")
@click.option(
    "--root",
    type=click.IntRange(0, 1024),
    metavar="NUMBER",
    help="The partition with the system, where several have one.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    default=os.cpu_count() or 1,
    show_default="all cores",
    help="How much is done at once.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(*, file: Path, name: str, version: str, root: int | None, jobs: int, as_json: bool) -> None:
    """Take FILE into the store as the image NAME:VERSION, without mounting it.

    FILE is a disk (raw, qcow2, vmdk, vhd, vhdx, vdi) whose system lies on ext4, ext3 or ext2, an OCI archive, or the
    tar archive of a root; gzip, zstd, xz and bzip2 around it are unpacked. It is only read.
    """
    start = clock.monotonic()
    with progress_on_stderr() as listener:
        adopted = adopt(
            file, name=name, version=version, home=find_home(), root=root, jobs=jobs, report=listener.say
        )
        for warning in adopted.warnings:
            listener.warn(warning)
    seconds = clock.monotonic() - start
    print(json.dumps(as_object(adopted, seconds), indent=2) if as_json else in_words(adopted, seconds))


def as_object(adopted: Adopted, seconds: float) -> dict[str, object]:
    """For machines."""
    image, system = adopted.image, adopted.system
    return {
        "ref": image.reference,
        "digest": image.digest,
        "tree_digest": image.facts["tree_digest"],
        "disk_digest": image.facts["disk_digest"] if system else None,
        "format": adopted.format,
        "os": dict(adopted.recognised.os),
        "architecture": adopted.recognised.architecture,
        "package_manager": adopted.recognised.manager,
        "packages": [
            {"name": x.name, "version": x.version, "architecture": x.architecture}
            for x in adopted.recognised.packages
        ],
        "kernels": list(adopted.recognised.kernels),
        "entries": adopted.entries,
        "table": system.table if system else None,
        "partitions": [
            {
                "number": item.part.number,
                "start": item.part.start,
                "size": item.part.size,
                "holds": item.kind,
                "root": system is not None and item is system.root,
            }
            for item in (system.file_systems if system else ())
        ],
        "warnings": list(adopted.warnings),
        "seconds": round(seconds, 3),
    }


def in_words(adopted: Adopted, seconds: float) -> str:
    """For people."""
    found, system = adopted.recognised, adopted.system
    count = (
        f"{len(found.packages)} packages"
        if found.manager == "dpkg"
        else f"packages of {found.manager or 'nobody'}"
    )
    lines = [
        f"{adopted.image.reference} imported in {seconds:.1f} s",
        f"  digest  {adopted.image.digest}",
        f"  system  {visible(found.name)}, {found.architecture or 'unknown'}, {count}, {adopted.entries} paths",
    ]
    if system is None:
        lines.append(
            f"  disk    none: it was {'an OCI archive' if adopted.format == 'oci-archive' else 'an archive'}"
        )
        return "\n".join(lines)
    held = ", ".join(f"{item.part.number} {item.kind or 'unknown'}" for item in system.file_systems)
    size = system.file_systems[-1]
    lines.append(
        f"  disk    {adopted.format}, {system.table}, {(size.part.start + size.part.size) / 1e6:.0f} MB: {held}"
    )
    return "\n".join(lines)
