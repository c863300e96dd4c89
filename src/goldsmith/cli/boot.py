"""``goldsmith boot REF``: boot a throwaway copy of an image and check that it is well."""

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from goldsmith.cli.firmware import FIRMWARE, chosen_firmware
from goldsmith.cli.seconds import Seconds
from goldsmith.disk.stored import raw_disk
from goldsmith.effects.process import need
from goldsmith.errors import UsageError
from goldsmith.machine.boot import TIMEOUT, Page, check
from goldsmith.machine.probe import Probe
from goldsmith.machine.probe import accelerator as find_accelerator
from goldsmith.model.canonical import plain
from goldsmith.model.machine import DEFAULT_MEMORY, Accelerator, BootReport
from goldsmith.store.home import Home, find_home
from goldsmith.store.images import find

LEAST_MEMORY = 128
HIGHEST_PORT = 65535
AUTO = "auto"
PAGE = re.compile(r"(?P<port>[0-9]{1,5})(?P<path>/[!-~]*)?")


@click.command("boot")
@click.argument("ref")
@click.option("--http", metavar="PORT/PATH", help="A page that the machine must serve: 80/ or 8080/health.")
@click.option("--timeout", type=Seconds(), default=TIMEOUT, show_default=True, help="Seconds.")
@FIRMWARE
@click.option(
    "--memory", type=click.IntRange(min=LEAST_MEMORY), default=DEFAULT_MEMORY, show_default=True, help="MiB."
)
@click.option(
    "--accelerator",
    type=click.Choice([AUTO, *(item.value for item in Accelerator)]),
    default=AUTO,
    show_default=True,
)
@click.option("--slow", multiple=True, metavar="UNIT", help="A unit that may rest when it starts: not hung.")
@click.option("--console", is_flag=True, help="Show the serial console while waiting.")
@click.option("--keep", is_flag=True, help="Keep the machine's directory, with its console and its overlay.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output.")
def command(
    ref: str,
    http: str | None,
    timeout: float,
    firmware: str,
    memory: int,
    accelerator: str,
    slow: Sequence[str],
    *,
    console: bool,
    keep: bool,
    as_json: bool,
) -> None:
    """Boot a throwaway copy of REF; succeed only if it says from inside that it is well.

    REF is an image (web, web:1.2.0, web:1.2.0-b2) or the path of a raw or qcow2 disk, which is only read.
    """
    need("qemu-system-x86_64", "qemu-img", "setpriv")
    home = find_home()
    page = read_page(http) if http else None
    disk = find_disk(home, ref)
    chosen = (
        find_accelerator(home) if accelerator == AUTO else Probe(Accelerator(accelerator), "as asked for")
    )
    starter = chosen_firmware(firmware, disk)
    _say(f"booting {disk} by {starter.value} under {chosen.accelerator.value.upper()} ({chosen.reason})")
    report = check(
        disk,
        home=home,
        firmware=starter,
        page=page,
        timeout=timeout,
        memory=memory,
        accelerator=chosen.accelerator,
        slow=tuple(slow),
        keep=keep,
        show=_say if console else lambda _line: None,
        note=_say,
    )
    print(json.dumps(as_object(ref, report), indent=2) if as_json else in_words(ref, report))


def find_disk(home: Home, ref: str) -> Path:
    """The disk that REF means: a path where it has a slash or exists, else an image's name.

    Raises:
        UsageError: there is no such image.
        IntegrityError: what the store has of it is damaged.
    """
    path = Path(ref)
    if "/" in ref or (ref and path.exists()):
        return path
    return raw_disk(home, find(home, ref))


def read_page(text: str) -> Page:
    """``PORT`` or ``PORT/PATH``.

    Raises:
        UsageError: it is neither.
    """
    match = PAGE.fullmatch(text)
    if match is None or not 0 < int(match["port"]) <= HIGHEST_PORT:
        raise UsageError(
            f"--http {text!r} is not PORT/PATH",
            hint="give the port inside the machine and a path: --http 80/",
        )
    return Page(int(match["port"]), match["path"] or "/")


def as_object(ref: str, report: BootReport) -> dict[str, object]:
    """The report for machines."""
    return {
        "ref": ref,
        "ok": True,
        "disk": str(report.disk),
        "accelerator": report.accelerator.value,
        "firmware": report.firmware.value,
        "seconds": round(report.seconds, 1),
        "attempts": report.attempts,
        "guest": plain(report.guest),
        "http": plain(report.http),
        "kept": str(report.kept) if report.kept else None,
    }


def in_words(ref: str, report: BootReport) -> str:
    """The report for people."""
    guest = report.guest
    how = f"{report.seconds:.0f} s, {report.firmware.value}, {report.accelerator.value}"
    lines = [
        f"{ref} is well: systemd says {guest.state!r}, no unit failed ({how})",
        f"  kernel      {guest.kernel}",
    ]
    if guest.root_bytes and guest.root_used is not None:
        lines.append(f"  root        {guest.root_bytes >> 20} MiB, {guest.root_used >> 20} MiB used")
    lines += [f"  boot        {line}" for line in guest.times[:1]]
    lines += [f"  cloud-init  {line}" for line in guest.cloud_init[:1]]
    if report.attempts > 1:
        lines.append(f"  attempts    {report.attempts}; an emulated CPU failed before")
    if report.http:
        page = report.http
        first = page.first.splitlines()[0][:60] if page.first else ""
        lines.append(
            f"  http        {page.port}{page.path} answers {page.status}, {page.size} bytes: {first!r}"
        )
        lines.append(f"              sha256:{page.sha256}")
    if report.kept:
        lines.append(f"  kept        {report.kept}")
    return "\n".join(lines)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
