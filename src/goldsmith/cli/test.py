"""``goldsmith test REF``: boot two clones of an image and prove it."""

import json
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import click

from goldsmith.assay.prove import evidence, junit
from goldsmith.assay.prove.clones import Setting
from goldsmith.assay.prove.run import prove
from goldsmith.assay.prove.subject import find_subject
from goldsmith.cli.firmware import FIRMWARE, chosen_firmware
from goldsmith.cli.seconds import Seconds
from goldsmith.cli.settings import read_settings
from goldsmith.effects.files import write_durably
from goldsmith.effects.process import need
from goldsmith.errors import CheckFailed, UsageError
from goldsmith.machine.boot import TIMEOUT
from goldsmith.machine.probe import accelerator as find_accelerator
from goldsmith.model.canonical import plain
from goldsmith.model.machine import DEFAULT_MEMORY, Accelerator
from goldsmith.model.proof import Expected, Group, Proof, Standing
from goldsmith.model.recipe import Expect
from goldsmith.recipe.keys import keys_of
from goldsmith.recipe.read import read_recipe
from goldsmith.store.home import find_home

LEAST_MEMORY = 256
AUTO = "auto"
HEADINGS = {
    Group.HEALTH: "healthy",
    Group.IDENTITY: "identities",
    Group.RECIPE: "the recipe",
    Group.TESTS: "tests inside",
    Group.SURFACE: "surface and budgets",
    Group.AGAIN: "second boot",
}
MARKS = {Standing.PASSED: "ok", Standing.FAILED: "FAILED", Standing.SKIPPED: "skipped"}


@click.command("test", short_help="Boot two clones of an image and prove it.")
@click.argument("ref")
@click.option(
    "--recipe", type=click.Path(path_type=Path), help="The recipe it was built from, where that is not known."
)
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="A variable of the recipe.")
@click.option(
    "--junit", "junit_file", type=click.Path(path_type=Path), metavar="FILE", help="Write JUnit's XML."
)
@click.option("--again", is_flag=True, help="Boot it even if the result for this digest is known.")
@click.option("--timeout", type=Seconds(), default=TIMEOUT, show_default=True, help="Of a boot.")
@click.option(
    "--memory", type=click.IntRange(min=LEAST_MEMORY), default=DEFAULT_MEMORY, show_default=True, help="MiB."
)
@FIRMWARE
@click.option(
    "--accelerator",
    type=click.Choice([AUTO, *(item.value for item in Accelerator)]),
    default=AUTO,
    show_default=True,
)
@click.option(
    "--port",
    "ports",
    multiple=True,
    metavar="PORT:PROTOCOL",
    help="A port that may be listened on; no other.",
)
@click.option(
    "--setuid", "setuid", multiple=True, metavar="PATH", help="A file that may be setuid or setgid; no other."
)
@click.option("--slow", multiple=True, metavar="UNIT", help="A unit that may rest when it starts: not hung.")
@click.option(
    "--max-boot",
    type=Seconds(0.001),
    help="The longest boot, by systemd's clock.",
)
@click.option("--max-memory", type=click.IntRange(min=1), metavar="MIB", help="The most memory in use.")
@click.option(
    "--max-disk", type=click.IntRange(min=1), metavar="MIB", help="The most that the root may hold."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output.")
def command(
    ref: str,
    recipe: Path | None,
    settings: Sequence[str],
    junit_file: Path | None,
    timeout: float,
    memory: int,
    firmware: str,
    accelerator: str,
    ports: Sequence[str],
    setuid: Sequence[str],
    slow: Sequence[str],
    max_boot: float | None,
    max_memory: int | None,
    max_disk: int | None,
    *,
    again: bool,
    as_json: bool,
) -> None:
    """Boot two clones of REF side by side, and report what they show; exit code 1 if anything failed.

    REF is an image or the path of a raw or qcow2 disk. Six groups: the machines are healthy; their identities differ and
    nothing else does; everything that the recipe asks for is there; components' and the recipe's tests pass inside; ports,
    setuid files, boot time, memory and disk are as expected; a second boot is well too. A result is kept by the image's
    digest and not found out twice.
    """
    for option, key, values in (
        ("--port", "ports", ports),
        ("--setuid", "setuid", setuid),
        ("--slow", "slow", slow),
    ):
        check_option(option, key, values)
    if settings and not recipe:
        raise UsageError(
            "--set sets a variable of a recipe, and there is no --recipe", hint="name the recipe too"
        )
    check_writable(junit_file)
    need("qemu-system-x86_64", "qemu-img", "setpriv")
    home = find_home()
    known_recipe = read_recipe(recipe, read_settings(settings)) if recipe else None
    subject = find_subject(home, ref, known_recipe, note=say)
    asks = subject.inputs.recipe.expect if subject.inputs else Expect()
    expected = Expected(
        ports=tuple(ports) or asks.ports,
        setuid=tuple(setuid) or asks.setuid,
        boot_seconds=max_boot or asks.boot,
        memory=max_memory << 20 if max_memory else asks.memory,
        disk=max_disk << 20 if max_disk else asks.disk,
        slow=tuple(slow) or asks.slow,
    )
    starter = chosen_firmware(firmware, subject.disk)
    asked = evidence.question(subject.inputs, expected, starter)
    chosen = find_accelerator(home).accelerator if accelerator == AUTO else Accelerator(accelerator)
    setting = Setting(chosen, starter, memory, timeout, expected.slow)
    kept = evidence.places(home, subject.digest, asked, setting)
    proof = None if again else evidence.known(kept)
    if proof is None:
        proof = prove(home, subject, expected, setting, note=say)
        evidence.keep(kept, proof)
    else:
        say(f"known since {proof.when}; --again boots it anew")
    if junit_file:
        write_durably(junit_file.absolute(), junit.render(proof))
    print(json.dumps({"ok": proof.ok, **as_object(proof)}, indent=2) if as_json else in_words(proof))
    if not proof.ok:
        sys.exit(CheckFailed.exit_code)


def check_option(option: str, key: str, values: Sequence[str]) -> None:
    """Refuse what the recipe's ``expect`` would refuse: no port is called 22, and all of them would be unexpected.

    Raises:
        UsageError: a value is none of the key.
    """
    says = next(row.says for row in keys_of(Expect) if row.name == key)
    for value in values:
        if not re.fullmatch(says.pattern, value):
            raise UsageError(
                f"{option} wants {says.wants}, not {value!r}", hint=f"write it as in {says.example}"
            )


def check_writable(junit_file: Path | None) -> None:
    """Refuse a file that cannot be written, before it has something to say.

    Raises:
        UsageError: it is a directory, or lies in none.
    """
    if junit_file is None:
        return
    wrong = (
        "it is a directory"
        if junit_file.is_dir()
        else ""
        if junit_file.absolute().parent.is_dir()
        else "its directory is not there"
    )
    if wrong:
        raise UsageError(
            f"--junit cannot write {str(junit_file)!r}: {wrong}",
            hint="name a file in a directory that exists",
        )


def as_object(proof: Proof) -> dict[str, object]:
    """The proof for other programs."""
    told = plain(proof)
    assert isinstance(told, dict)
    return told


def in_words(proof: Proof) -> str:
    """The proof for people: counts a group, and all that did not pass."""
    verdict = "is proved" if proof.ok else "FAILED"
    how = "side by side" if proof.side_by_side else "one after the other"
    lines = [
        f"{proof.ref} {verdict}: two clones {how}, {proof.seconds:.0f} s, {proof.accelerator} ({proof.digest[:19]})"
    ]
    for group in Group:
        items = [item for item in proof.assertions if item.group is group]
        counts = {mark: sum(item.standing is mark for item in items) for mark in Standing}
        told = (
            ", ".join(f"{count} {MARKS[mark]}" for mark, count in counts.items() if count)
            or "nothing to look at"
        )
        lines.append(f"  {HEADINGS[group]:22}{told}")
        for item in items:
            if item.standing is not Standing.PASSED:
                lines.append(f"    {MARKS[item.standing]}: {item.name}: {item.reason}")
                lines += [f"      | {line}" for line in item.lines]
    if proof.kept:
        lines.append(f"  console and journal    {proof.kept}")
    return "\n".join(map(harmless, lines))


def harmless(line: str) -> str:
    """What a guest has said, as a terminal may have it: a hostile one knows escape sequences."""
    return "".join(sign if sign.isprintable() else "?" for sign in line)


def say(line: str) -> None:
    """Tell a person something on standard error."""
    with suppress(BrokenPipeError):
        print(line, file=sys.stderr, flush=True)
