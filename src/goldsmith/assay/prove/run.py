"""Prove an image: the main flow."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from goldsmith.assay.prove import judge
from goldsmith.assay.prove.capacity import has_room
from goldsmith.assay.prove.clones import Clone, Setting, bring_up, keep_logs, make_clone
from goldsmith.assay.prove.components import component_tests
from goldsmith.assay.prove.inside import user_tests
from goldsmith.assay.prove.look import Facts, ask_facts
from goldsmith.assay.prove.oracle import all_expectations, ask
from goldsmith.assay.prove.subject import Subject
from goldsmith.effects.claims import claimed
from goldsmith.effects.clock import monotonic, now
from goldsmith.effects.parallel import in_order
from goldsmith.errors import CheckFailed, GoldsmithError, MissingTool, NoSpace, StepFailed, Unavailable
from goldsmith.machine.channel import Guest
from goldsmith.machine.identity import ask_identity
from goldsmith.machine.launch import MACHINES
from goldsmith.machine.local.origin import virtual_size
from goldsmith.machine.need import NOTHING_LEFT, need_memory, need_space
from goldsmith.machine.overlay import disk_format
from goldsmith.model.machine import Accelerator, GuestReport
from goldsmith.model.proof import Assertion, Expected, Group, Proof
from goldsmith.model.vm import Origin
from goldsmith.store.home import Home

Note = Callable[[str], None]


@dataclass
class Bench:
    """What a proof works with."""

    home: Home
    """The data directory."""
    subject: Subject
    """What is proved."""
    expected: Expected
    """What is expected of its surface."""
    setting: Setting
    """How clones are run."""
    room: Path
    """Where they live."""
    note: Note
    """Is called with what a person should know."""


def prove(home: Home, subject: Subject, expected: Expected, setting: Setting, *, note: Note) -> Proof:
    """Boot two clones of an image and look at them; a failing image gives a proof that is not ok.

    Raises:
        InputError: the image is no disk that can be booted.
        MissingTool: QEMU or the firmware is not installed.
        NoSpace: there is no room for what clones write.
        Unavailable: this host has less memory.
        StepFailed: QEMU ended by itself.
    """
    need_space(home.path)
    need_memory(setting.memory)
    begun = monotonic()
    with claimed(home / MACHINES) as room, ExitStack() as stack:
        bench = Bench(home, subject, expected, setting, room, note)
        clones = [make_clone(subject.disk, room, number, setting) for number in (1, 2)]
        for clone in clones:
            stack.callback(clone.stop)
        emulated = setting.accelerator is Accelerator.TCG
        together = has_room(len(clones), setting.memory, emulated=emulated)
        found: list[Assertion] = []
        first = 0.0
        try:
            one, other = meet(bench, clones, found, together=together)
            found += judge.identities(one, other, hostname_of(subject))
            first = monotonic() - begun
            found += again(bench, clones[0], one)
        except (CheckFailed, StepFailed, Unavailable) as error:
            refuse_the_hosts(error, clones, room)
            first = first or monotonic() - begun
            group = Group.AGAIN if clones[0].starts > 1 and found else Group.HEALTH
            reason, *lines = (line.removeprefix("  | ") for line in str(error.message).splitlines())
            found.append(judge.failed(group, "the machines are well", reason, *lines, error.hint))
        kept = ""
        if any(item.standing == "failed" for item in found):
            target = (
                home / "logs" / f"test-{subject.digest.removeprefix('sha256:')[:12]}-{now():%Y%m%dT%H%M%S}"
            )
            keep_logs(clones, target)
            kept = str(target)
    order = list(Group)
    return Proof(
        ref=subject.ref,
        digest=subject.digest,
        when=now().strftime("%Y-%m-%dT%H:%M:%SZ"),
        seconds=round(monotonic() - begun, 1),
        first_boots=round(first, 1),
        accelerator=setting.accelerator.value,
        side_by_side=together,
        assertions=tuple(sorted(found, key=lambda item: order.index(item.group))),
        kept=kept,
    )


def refuse_the_hosts(error: GoldsmithError, clones: Sequence[Clone], room: Path) -> None:
    """Raise what is no word about the image, which it would be kept as.

    Raises:
        NoSpace: guests could not write.
        StepFailed: QEMU ended by itself.
        MissingTool: a program is missing.
    """
    need_space(room, NOTHING_LEFT)
    ended = any(clone.machine and clone.machine.qemu.code for clone in clones)
    if isinstance(error, MissingTool | NoSpace) or (isinstance(error, StepFailed) and ended):
        raise error


def meet(
    bench: Bench, clones: Sequence[Clone], found: list[Assertion], *, together: bool
) -> tuple[Facts, Facts]:
    """Boot both clones, side by side or one after the other, and ask them; the first one is looked at closely.

    Raises:
        CheckFailed: one is not well.
    """
    if together:
        bench.note("booting two clones side by side")
        reports = bring_up(clones, bench.note)
        met = list(
            in_order(lambda clone: meet_one(bench, clone, reports[clone.number]), clones, jobs=len(clones))
        )
        clones[1].stop()
    else:
        met = []
        for clone in reversed(clones):
            bench.note(f"booting clone {clone.number}; this host has no room for two at once")
            report = bring_up([clone], bench.note)[clone.number]
            met.insert(0, meet_one(bench, clone, report))
            if clone.number != 1:
                clone.stop()
    for _, assertions in met:
        found += assertions
    found += own_tests(bench, clones[0])
    return met[0][0], met[1][0]


def meet_one(bench: Bench, clone: Clone, report: GuestReport) -> tuple[Facts, list[Assertion]]:
    """Ask one clone; the first one also for the recipe, the components' tests and the surface."""
    with clone.inside() as guest:
        facts = ask_facts(guest, report)
        found = list(judge.health(clone.number, facts))
        if clone.number == 1:
            found += closely(bench, clone, guest, facts)
        clone.note_journal(guest)
    return facts, found


def closely(bench: Bench, clone: Clone, guest: Guest, facts: Facts) -> Iterator[Assertion]:
    """The recipe, the components' tests, what is seen from outside, the grown root, cloud-init."""
    inputs = bench.subject.inputs
    if inputs:
        yield from ask(guest, all_expectations(inputs.recipe))
        yield from component_tests(guest, inputs, clone.directory / "components")
    else:
        yield judge.skipped(Group.RECIPE, "the recipe's customizations", "no recipe is known: --recipe FILE")
    yield from judge.surface(facts, bench.expected)
    disk = bench.subject.disk
    size = virtual_size(disk, Origin("", format=disk_format(disk), size=disk.stat().st_size))
    yield judge.grown(facts, size)
    yield judge.cloud_init(facts.report)


def own_tests(bench: Bench, clone: Clone) -> Iterator[Assertion]:
    """The recipe's test files; they have the agent for themselves."""
    inputs = bench.subject.inputs
    if inputs and inputs.recipe.tests:
        yield from user_tests(clone, inputs, clone.directory)
        with suppress(GoldsmithError), clone.inside() as guest:
            clone.note_journal(guest)


def again(bench: Bench, clone: Clone, first: Facts) -> Iterator[Assertion]:
    """Shut the first clone down and boot it once more."""
    bench.note("booting the first clone again")
    clone.shut_down()
    yield judge.passed(Group.AGAIN, "it shuts down")
    bring_up([clone], bench.note)
    yield judge.passed(Group.AGAIN, "a second boot is well")
    with clone.inside() as guest:
        yield from judge.again(first, ask_identity(guest))


def hostname_of(subject: Subject) -> str:
    """The host name that the recipe declares; empty for none."""
    return subject.inputs.recipe.customizations.hostname if subject.inputs else ""
