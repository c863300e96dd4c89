"""Tests that run inside: components' ``validate`` and ``test`` phases, shell checks, and pytest-testinfra."""

import importlib.util
import os
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from goldsmith.assay.prove.clones import Clone
from goldsmith.assay.prove.files import GuestFiles
from goldsmith.assay.prove.judge import failed, passed, skipped
from goldsmith.assay.prove.own import test_files
from goldsmith.builder.components.host import Ran, Wanted
from goldsmith.builder.components.run import run_document
from goldsmith.builder.inputs import Inputs
from goldsmith.effects.process import run
from goldsmith.errors import Unavailable
from goldsmith.machine.channel import TIMED_OUT, Guest, quoted
from goldsmith.model.component import Document
from goldsmith.model.proof import Assertion, Group

PHASES = ("validate", "test")
LOOKING = frozenset({"ExecuteBash", "ExecuteBinary", "ReadFile", "ListFiles", "Assert"})
"""The actions of a test: the others change files, which a test leaves to its commands."""
STEP_SECONDS = 600.0
PATHS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
SHELL_SECONDS = 300.0
SHOWN = 15


@dataclass(frozen=True, slots=True)
class GuestHost:
    """Steps of a component act inside a guest."""

    guest: Guest
    """The way in."""
    root: GuestFiles
    """Its files, to be looked at."""
    cwd: str = "/"
    """Where commands start."""

    @property
    def search_path(self) -> tuple[str, ...]:
        """The directories of the guest's programs."""
        return PATHS

    def run(self, argv: Sequence[str], *, script: str | None = None, timeout: float | None = None) -> Ran:
        """Run a program inside; as ``Host.run``."""
        limit = timeout or STEP_SECONDS
        self.root.forget()
        if script is None:
            done = self.guest.run(f"exec {quoted(*argv)} </dev/null", timeout=limit)
        else:
            keep = 'file=$(mktemp) && cat >"$file" && trap \'rm -f "$file"\' EXIT\n'
            body = script.encode(errors="surrogateescape")
            done = self.guest.run(f'{keep}{quoted(*argv)} "$file" </dev/null', stdin=body, timeout=limit)
        return Ran(done.code, done.stdout, done.stderr, done.code == TIMED_OUT)

    def download(self, wanted: Wanted, descriptor: int, *, timeout: float | None = None) -> None:  # noqa: ARG002
        """Not done: a test looks, it changes nothing."""
        raise Unavailable(f"{wanted.url} is not downloaded in a test", hint="do it in the build phase")

    def update_packages(
        self,
        include: Sequence[str],  # noqa: ARG002 - as Host has it
        exclude: Sequence[str],  # noqa: ARG002
        *,
        timeout: float | None = None,  # noqa: ARG002
    ) -> Ran:
        """Not done: a test looks, it changes nothing."""
        raise Unavailable("packages are not updated in a test", hint="do it in the build phase")

    def reboot(self, delay: int) -> str:
        """Not done: the second boot is a test of its own."""
        return f"reboot after {delay} s: not done in a test"


def component_tests(guest: Guest, inputs: Inputs, room: Path) -> Iterator[Assertion]:
    """The phases of components that say whether the machine is as it should be.

    Args:
        guest: the way in.
        inputs: the recipe with its component documents.
        room: gets the logs.
    """
    nothing = room / "no-files"
    nothing.mkdir(parents=True, exist_ok=True)
    for number, use in enumerate(inputs.recipe.components):
        document = inputs.documents[use.path]
        phases = tuple(phase.name for phase in document.phases if phase.name in PHASES)
        if not phases:
            continue
        name = f"component {use.path}: {' and '.join(phases)}"
        others = sorted(actions(document, phases) - LOOKING)
        if others:
            yield skipped(
                Group.TESTS, name, f"{', '.join(others)} changes the machine: a test leaves that to commands"
            )
            continue
        with GuestFiles(guest, nothing) as root:
            result = run_document(
                document,
                GuestHost(guest, root),
                log_directory=room / f"component-{number}",
                phases=phases,
                parameters=use.parameters,
            )
        wrong = [
            step for phase in result.phases for step in phase.steps if step.status in {"Failed", "TimedOut"}
        ]
        if wrong:
            lines = [f"{step.name}: {step.failure}" for step in wrong]
            yield failed(Group.TESTS, name, f"the step {wrong[0].name!r} {wrong[0].status.lower()}", *lines)
        else:
            yield passed(Group.TESTS, name)


def actions(document: Document, phases: Sequence[str]) -> set[str]:
    """The actions of some phases."""
    return {step.action for phase in document.phases if phase.name in phases for step in phase.steps}


def user_tests(clone: Clone, inputs: Inputs, room: Path) -> Iterator[Assertion]:
    """The recipe's own test files: ``*.sh`` run inside, ``*.py`` by pytest-testinfra on this host.

    Raises:
        InputError: a file is not there, or of another kind.
    """
    for path in test_files(inputs.recipe):
        if path.suffix == ".sh":
            with clone.inside() as guest:
                yield shell_test(guest, path)
        else:
            yield from python_tests(path, clone, room)


def shell_test(guest: Guest, path: Path) -> Assertion:
    """A shell script that runs inside as root; it must end with 0."""
    done = guest.run(path.read_text(), timeout=SHELL_SECONDS)
    if done.code == 0:
        return passed(Group.TESTS, path.name)
    lines = (done.text + done.stderr.decode(errors="replace")).splitlines()[-SHOWN:]
    reason = "it did not end in time" if done.code == TIMED_OUT else f"it ended with {done.code}"
    return failed(Group.TESTS, path.name, reason, *lines)


def python_tests(path: Path, clone: Clone, room: Path) -> Iterator[Assertion]:
    """The tests of one file; its ``host`` fixture speaks to the guest's agent, so SSH is not needed."""
    if importlib.util.find_spec("testinfra") is None:
        yield failed(
            Group.TESTS, path.name, "pytest-testinfra is not installed: pip install 'goldsmith[tests]'"
        )
        return
    assert clone.machine is not None
    results = room / f"{path.stem}.xml"
    done = run(
        [
            sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "goldsmith.assay.prove.plugin", "--hosts=goldsmith://machine",
            f"--junitxml={results}", "--rootdir", str(path.parent), str(path),
        ],
        env={"GOLDSMITH_MACHINE": str(clone.machine.directory), "GOLDSMITH_NONCE": clone.agent.nonce, "HOME": os.environ.get("HOME", "/")},
        check=False,
    )  # fmt: skip
    if not results.exists():
        yield failed(
            Group.TESTS, path.name, "pytest did not come to its end", *done.text.splitlines()[-SHOWN:]
        )
        return
    cases = list(ET.parse(results).iter("testcase"))  # noqa: S314 - written by our own pytest
    for case in cases:
        name = f"{path.name}::{(case.get('name') or '').partition('[goldsmith')[0]}"
        wrong = next((item for item in case if item.tag in {"failure", "error"}), None)
        if wrong is not None:
            yield failed(
                Group.TESTS,
                name,
                (wrong.get("message") or "").partition("\n")[0],
                *(wrong.text or "").splitlines()[-SHOWN:],
            )
        elif any(item.tag == "skipped" for item in case):
            yield skipped(Group.TESTS, name, "it skipped itself")
        else:
            yield passed(Group.TESTS, name)
    if not cases:
        yield failed(Group.TESTS, path.name, "there is no test in it")
