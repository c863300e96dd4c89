"""Snapshots are a tree; a revert loses nothing; clones share bytes and outlive what they came from."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from tests.machine.local.conftest import Make, holds, refusal, write
from tests.machine.local.test_lifecycle import TCG

from goldsmith.cli.vm_words import tree
from goldsmith.effects.machine_run import boot_id
from goldsmith.machine.local.clone import clone
from goldsmith.machine.local.lifecycle import delete
from goldsmith.machine.local.room import directory_of, find_machine, save
from goldsmith.machine.local.run import pull_plug, start
from goldsmith.machine.local.snapshots import forget, rename_snapshot, revert, take
from goldsmith.model.vm import JUST_CREATED
from goldsmith.store.home import Home
from goldsmith.store.machines import machines_of, refuse_used


def layers(home: Home, name: str) -> int:
    return len(list((directory_of(home, name) / "layers").iterdir()))


def names(home: Home, name: str) -> list[str]:
    return [line.split("  20")[0].rstrip() for line in tree(find_machine(home, name))]


def test_a_revert_brings_back_the_bytes_and_keeps_those_it_leaves(home: Home, make: Make) -> None:
    make()
    write(home, "one", 1)
    take(home, find_machine(home, "one"), "a", "first")
    write(home, "one", 2)
    done = revert(home, find_machine(home, "one"), "a")
    assert (done.safety, holds(home, "one", 1)) == ("before-revert-1", True)
    revert(home, find_machine(home, "one"), JUST_CREATED)
    assert holds(home, "one", 0)
    revert(home, find_machine(home, "one"), "before-revert-1")
    assert holds(home, "one", 2)
    assert names(home, "one") == ["   just-created", "     a", "->     before-revert-1"]


def test_a_revert_of_what_was_not_written_to_makes_no_snapshot(home: Home, make: Make) -> None:
    make()
    take(home, find_machine(home, "one"), "a")
    assert revert(home, find_machine(home, "one"), JUST_CREATED).safety == ""
    assert layers(home, "one") == 2


def test_a_deleted_snapshot_hurts_neither_the_machine_nor_those_that_grew_from_it(
    home: Home, make: Make
) -> None:
    make()
    for number, name in enumerate("abc", start=1):
        write(home, "one", number, at=8192 * number)
        take(home, find_machine(home, "one"), name)
    write(home, "one", 9, at=8192)
    for name in ("b", "a"):
        forget(home, find_machine(home, "one"), name)
    assert [holds(home, "one", byte, at=at) for byte, at in ((9, 8192), (2, 16384), (3, 24576))] == [True] * 3
    assert names(home, "one") == ["   just-created", "->   c"]
    assert layers(home, "one") == 2, "what nobody names is merged"
    revert(home, find_machine(home, "one"), "c")
    assert holds(home, "one", 1, at=8192)


def test_a_snapshot_with_two_branches_is_deleted_and_both_stay(home: Home, make: Make) -> None:
    make()
    write(home, "one", 1)
    take(home, find_machine(home, "one"), "a")
    write(home, "one", 2, at=8192)
    revert(home, find_machine(home, "one"), "a")
    forget(home, find_machine(home, "one"), "a")
    assert (holds(home, "one", 1), holds(home, "one", 0, at=8192)) == (True, True)
    revert(home, find_machine(home, "one"), "before-revert-1")
    assert (holds(home, "one", 1), holds(home, "one", 2, at=8192)) == (True, True)


def test_a_snapshot_of_a_running_machine_closes_its_layer(home: Home, make: Make) -> None:
    machine = make()
    start(home, machine, TCG)
    taken = take(home, find_machine(home, "one"), "live")
    assert taken.layer != machine.layer
    assert refusal(lambda: revert(home, taken, "live")).startswith(
        "UsageError: cannot revert 'one' while it runs"
    )
    forget(home, taken, "live")
    pull_plug(home, taken)
    assert layers(home, "one") == 2
    start(home, find_machine(home, "one"), TCG)
    assert layers(home, "one") == 1, "the next start merges"


def test_a_snapshot_is_renamed_with_all_that_names_it(home: Home, make: Make) -> None:
    make()
    take(home, find_machine(home, "one"), "a")
    take(home, find_machine(home, "one"), "b")
    rename_snapshot(home, find_machine(home, "one"), "a", "first")
    assert names(home, "one") == ["   just-created", "     first", "->     b"]


def test_a_linked_clone_outlives_its_source(home: Home, make: Make) -> None:
    source = make()
    write(home, "one", 7)
    made = clone(home, find_machine(home, "one"), "two", full=False)
    assert made.renew
    assert made.uuid != source.uuid
    assert made.mac != source.mac
    write(home, "one", 8)
    write(home, "two", 9, at=8192)
    for name in [item.name for item in find_machine(home, "one").snapshots[1:]]:
        forget(home, find_machine(home, "one"), name)
    assert (holds(home, "one", 8), holds(home, "one", 0, at=8192)) == (True, True)
    delete(home, find_machine(home, "one"), force=False)
    assert (holds(home, "two", 7), holds(home, "two", 9, at=8192)) == (True, True)


def test_a_clone_of_what_was_never_written_to_needs_no_new_identity(home: Home, make: Make) -> None:
    make()
    assert not clone(home, find_machine(home, "one"), "two", full=False).renew


def test_a_full_clone_has_all_bytes_of_its_own(home: Home, make: Make) -> None:
    source = make()
    write(home, "one", 7)
    made = clone(home, find_machine(home, "one"), "two", full=True)
    delete(home, find_machine(home, "one"), force=False)
    Path(source.origin.path).unlink()
    assert (made.renew, holds(home, "two", 7)) == (True, True)
    start(home, made, TCG)


BACK = "just-created", "before"
"""States of a clone from before it had an identity of its own."""


@pytest.mark.parametrize("name", BACK)
@pytest.mark.parametrize("full", [False, True], ids=["linked", "full"])
def test_a_clone_that_goes_back_to_the_old_identity_must_renew_it_again(
    home: Home, make: Make, name: str, *, full: bool
) -> None:
    make()
    write(home, "one", 7)
    clone(home, find_machine(home, "one"), "two", full=full)
    two = take(home, find_machine(home, "two"), "before")
    write(home, "two", 8)
    save(directory_of(home, "two"), replace(two, renew=False))  # as its first start does
    own = take(home, find_machine(home, "two"), "own")
    write(home, "two", 9)
    assert not own.renew
    assert revert(home, own, name).machine.renew
    assert not revert(home, find_machine(home, "two"), "own").machine.renew
    assert not revert(home, find_machine(home, "two"), "before-revert-1").machine.renew


@pytest.mark.parametrize("name", ["", *BACK])
@pytest.mark.parametrize("full", [False, True], ids=["linked", "full"])
def test_a_clone_of_a_clone_has_the_old_identity_too(
    home: Home, make: Make, name: str, *, full: bool
) -> None:
    make()
    write(home, "one", 7)
    clone(home, find_machine(home, "one"), "two", full=full)
    take(home, find_machine(home, "two"), "before")
    assert clone(home, find_machine(home, "two"), "three", full=full, snapshot=name).renew
    assert clone(home, find_machine(home, "three"), "four", full=False).renew


def test_what_a_machine_was_born_with_stays_by_whatever_name(home: Home, make: Make) -> None:
    make()
    rename_snapshot(home, find_machine(home, "one"), JUST_CREATED, "image")
    take(home, find_machine(home, "one"), JUST_CREATED)
    assert refusal(lambda: forget(home, find_machine(home, "one"), "image")).startswith(
        "UsageError: 'image' cannot be deleted"
    )
    forget(home, find_machine(home, "one"), JUST_CREATED)
    assert names(home, "one") == ["-> image"]


def test_a_clone_of_a_snapshot_is_as_that_was(home: Home, make: Make) -> None:
    make()
    write(home, "one", 1)
    take(home, find_machine(home, "one"), "a")
    write(home, "one", 2)
    start(home, find_machine(home, "one"), TCG)
    clone(home, find_machine(home, "one"), "two", full=False, snapshot="a")
    assert holds(home, "two", 1)
    assert refusal(lambda: clone(home, find_machine(home, "one"), "three", full=False)).startswith(
        "UsageError: cannot clone 'one' while it runs"
    )


def test_an_image_that_machines_were_made_from_is_not_deleted(home: Home, make: Make) -> None:
    machine = make()
    origin = replace(machine.origin, digest="sha256:" + "a" * 64, checked=boot_id())
    save(directory_of(home, "one"), replace(machine, origin=origin))
    clone(home, find_machine(home, "one"), "two", full=False)
    assert machines_of(home, origin.digest) == ("one", "two")
    assert refusal(lambda: refuse_used(home, origin.digest, "web:1.0.0")) == (
        "UsageError: web:1.0.0 is in use by the machines one, two"
    )
    refuse_used(home, "sha256:" + "b" * 64, "web:1.0.1")


def test_qemu_img_finds_every_layer_sound(home: Home, make: Make) -> None:
    make()
    for number, name in enumerate("abcd"):
        write(home, "one", number + 1, at=4096 * number)
        take(home, find_machine(home, "one"), name)
    forget(home, find_machine(home, "one"), "b")
    clone(home, find_machine(home, "one"), "two", full=False)
    forget(home, find_machine(home, "one"), "a")
    for path in (home / "vms").glob("*/layers/*"):
        done = subprocess.run(["qemu-img", "check", "-q", str(path)], check=False, capture_output=True)
        assert done.returncode == 0, done
    assert [holds(home, name, 4, at=12288) for name in ("one", "two")] == [True, True]
