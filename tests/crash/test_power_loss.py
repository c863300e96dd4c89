"""The power goes at any moment of any operation: nothing acknowledged is lost, and what is left can be worked with."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.crash.operations import OPERATIONS, hurt, state
from tests.crash.power import VERSIONS, Left, Recorder, states

from goldsmith.errors import GoldsmithError
from goldsmith.store.check import check
from goldsmith.store.gc import collect
from goldsmith.store.layout import Layout

EACH = 7
"""Of so many states one is worked with further; that takes longest."""


@dataclass(frozen=True)
class Recorded:
    """An operation that was recorded."""

    told: list[tuple[str, ...]]
    begin: int
    """How many effects its ground took."""
    versions: Path
    after: object


def recorded(name: str, room: Path, forgets: str = "") -> Recorded:
    """Run an operation and the making of its ground."""
    operation = OPERATIONS[name]
    door = Recorder(room / "store", forgets=forgets)
    layout = Layout(door.root, door)
    layout.directory.mkdir()
    operation.ground(layout, room)
    door.acknowledge(state(layout).refs)
    begin = len(door.told)
    before = state(layout).refs
    operation.run(layout, room)
    after = state(layout)
    lasting = {ref: digest for ref, digest in before.items() if after.refs.get(ref) == digest}
    door.told[begin - 1 : begin] = [("acknowledged", *(f"{ref} {digest}" for ref, digest in lasting.items()))]
    door.acknowledge(after.refs)
    (room / VERSIONS).mkdir(exist_ok=True)
    return Recorded(door.told, begin, room / VERSIONS, after)


def placed(found: Left, directory: Path) -> Layout:
    """A store of what is left."""
    for path, data in found.files.items():
        target = directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    directory.mkdir(exist_ok=True)
    return Layout(directory)


def lost(layout: Layout, found: Left) -> str:
    """What of the acknowledged is not there as it was; empty if all of it is."""
    try:
        refs = state(layout).refs
        missing = [name for name, digest in found.acknowledged.items() if refs.get(name) != digest]
        return f"lost: {missing}" if missing else f"hurt: {hurt(layout)}" if hurt(layout) else ""
    except GoldsmithError as error:
        return str(error)


def complaints(name: str, room: Path, forgets: str = "") -> Iterator[str]:
    """What is wrong with the states that a power loss may leave."""
    one = recorded(name, room, forgets)
    for number, (where, found) in enumerate(states(one.told, one.begin, one.versions)):
        layout = placed(found, room / where.replace(" ", "-"))
        wrong = lost(layout, found)
        if wrong:
            yield f"{where}: {wrong}"
        elif number % EACH == 0:
            OPERATIONS[name].run(layout, room)
            collect(layout)
            if state(layout) != one.after or check(layout, read=True):
                yield f"{where}: run again, it ends as {state(layout)}, {check(layout, read=True)}"


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_power_loss_loses_nothing_acknowledged(name: str, room: Path) -> None:
    assert list(complaints(name, room)) == []


@pytest.mark.parametrize("forgets", ["files", "directories"])
def test_a_canary_without_fsync_is_caught(room: Path, forgets: str) -> None:
    """If this passes without a finding, the harness finds nothing at all."""
    assert next(complaints("another version", room, forgets), "")


def test_there_are_states_enough(room: Path) -> None:
    one = recorded("another version", room)
    found = list(states(one.told, one.begin, one.versions))
    assert len(found) > 150
    assert (
        len({tuple(sorted((path, len(data)) for path, data in each.files.items())) for _, each in found}) > 60
    )
