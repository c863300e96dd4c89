"""``goldsmith leaks REF``: what an image gives away."""

import json
import os
import sys
from contextlib import AbstractContextManager
from pathlib import Path

import click

from goldsmith.assay.leaks.detector import detector, version
from goldsmith.assay.leaks.directory import directory_subject
from goldsmith.assay.leaks.foreign import foreign_subject
from goldsmith.assay.leaks.look import look
from goldsmith.assay.leaks.stored import stored_subject
from goldsmith.assay.leaks.subject import Subject
from goldsmith.cli.units import visible
from goldsmith.disk.adopt.opened import facts_of
from goldsmith.effects import clock
from goldsmith.errors import CheckFailed, UsageError
from goldsmith.model.leak import Leak, LeakReport
from goldsmith.store.home import Home, find_home
from goldsmith.store.images import find


@click.command("leaks", short_help="Search an image for identities, secrets and what was deleted.")
@click.argument("ref")
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    default=os.cpu_count() or 1,
    show_default="all cores",
    help="How much is done at once.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(*, ref: str, jobs: int, as_json: bool) -> None:
    """Search REF for what it gives away: in its files, and in every other byte of its disk.

    REF is an image (web, web:1.2.0, web@sha256:…) or the path of a disk (raw, qcow2, vmdk, vhd, vhdx, vdi) or archive
    (the tar of a root, an OCI archive), or of a directory with a root in it, whoever made it. Nothing is mounted, booted or
    sent anywhere.

    A finding is a trace of the machine that made the image (`goldsmith seal list` names the kinds), a secret that the
    detector knows, or data in free blocks and journals. What a package ships, and what the image's own recipe declares, is
    none. Exits with 1 if there is any finding, or files that goldsmith
    cannot read.
    """
    start = clock.monotonic()
    home = find_home()
    find_secrets = detector(home / "cache/detector")
    with open_subject(home, ref, jobs=jobs) as subject:
        report = look(subject, find_secrets, home=home, jobs=jobs)
    seconds = clock.monotonic() - start
    print(
        json.dumps(as_object(ref, report, seconds), indent=2) if as_json else in_words(ref, report, seconds)
    )
    if not report.ok:
        sys.exit(CheckFailed.exit_code)


def open_subject(home: Home, ref: str, *, jobs: int) -> AbstractContextManager[Subject]:
    """What REF means: a path where it has a slash or is a file here, else an image's name.

    Raises:
        UsageError: there is no such image or file.
    """
    path = Path(ref)
    if "/" not in ref and not path.is_file():
        return stored_subject(home, find(home, ref), jobs=jobs)
    if (path / "oci-layout").exists():
        hint = f"make an archive of the image in it: skopeo copy oci:{path}:NAME oci-archive:image.tar"
        raise UsageError(f"{ref!r} is a directory of OCI images, not one of them", hint=hint)
    if path.is_dir():
        return directory_subject(path)
    facts_of(path)
    return foreign_subject(path, home, jobs=jobs)


def as_object(ref: str, report: LeakReport, seconds: float) -> dict[str, object]:
    """The report for machines."""
    return {
        "ref": ref,
        "ok": report.ok,
        "complete": report.is_whole,
        "findings": [finding(leak) for leak in report.findings],
        "files": report.files,
        "bytes": report.searched,
        "notes": list(report.notes),
        "detector": version(),
        "seconds": round(seconds, 3),
    }


def finding(leak: Leak) -> dict[str, object]:
    """One finding; ``path`` in files, ``offset`` outside, and within a file where a secret begins."""
    found: dict[str, object] = {"kind": leak.kind, "family": leak.family, "where": leak.where.value}
    if leak.path:
        found["path"] = leak.path
    if not leak.path or leak.family == "secret":
        found["offset"] = leak.offset
    if leak.partition:
        found["partition"] = leak.partition
    return {**found, "excerpt": leak.excerpt}


def in_words(ref: str, report: LeakReport, seconds: float) -> str:
    """The report for people."""
    count = len(report.findings)
    found = f"{count} finding{'s' if count != 1 else ''}" if count else "nothing found"
    lines = [f"{ref}: {found} in {report.files} files, {report.searched / 1e6:.0f} MB, {seconds:.1f} s"]
    for leak in report.findings:
        place = leak.path or f"byte {leak.offset} ({leak.where.value})"
        lines.append(f"  {leak.kind:<20} {place}{f' ({leak.partition})' if leak.partition else ''}")
        if leak.excerpt:
            lines.append(f"  {'':<20} {leak.excerpt}")
    lines += [f"  note: {note}" for note in report.notes]
    return "\n".join(map(visible, lines))
