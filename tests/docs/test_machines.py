"""The pages on machines and proofs name what there is, and only that."""

import re
from pathlib import Path

import pytest

from goldsmith.cli import test as proving
from goldsmith.cli.vm import command as vm
from goldsmith.cli.vm_snapshot import command as snapshot
from goldsmith.model.proof import Group

DOCS = Path(__file__).parent.parent.parent / "docs"
MACHINES = (DOCS / "machines.md").read_text()
PROVE = (DOCS / "prove.md").read_text()


@pytest.mark.parametrize("name", sorted(vm.commands))
def test_the_page_on_machines_has_every_command(name: str) -> None:
    assert re.search(rf"`vm {name}\b", MACHINES)


def test_the_page_on_machines_has_no_other_command() -> None:
    named = set(re.findall(r"\bvm (?!snapshot)([a-z]+)", MACHINES)) - {"snapshot"}
    assert named <= set(vm.commands)


@pytest.mark.parametrize("name", sorted(snapshot.commands))
def test_the_page_on_machines_has_every_command_on_snapshots(name: str) -> None:
    line = next(line for line in MACHINES.splitlines() if "`vm snapshot create`" in line)
    assert f"{name}`" in line


@pytest.mark.parametrize("group", Group)
def test_the_page_on_proofs_has_every_group(group: Group) -> None:
    assert f"| {group.value} |" in PROVE


def test_the_page_on_proofs_names_options_that_there_are() -> None:
    there = {word for option in proving.command.params for word in option.opts}
    named = set(re.findall(r"(?<!-)--[a-z][a-z-]*", PROVE))
    assert named <= there
