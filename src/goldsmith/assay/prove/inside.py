"""The recipe's own tests: shell checks that run inside, and pytest-testinfra, which looks from here."""

import importlib.util
import os
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

from goldsmith.assay.prove.clones import Clone
from goldsmith.assay.prove.judge import failed, passed, skipped
from goldsmith.assay.prove.own import test_files
from goldsmith.builder.inputs import Inputs
from goldsmith.effects.process import run
from goldsmith.machine.channel import TIMED_OUT, Guest
from goldsmith.model.proof import Assertion, Group

SHELL_SECONDS = 300.0
SHOWN = 15


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
    done = guest.run(path.read_text("utf-8", "surrogateescape"), timeout=SHELL_SECONDS)
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
    results.unlink(missing_ok=True)  # of a file of the same name elsewhere
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
