"""What the steps of a plan do: one maker of actions for each kind. An action takes the key and the layers below."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from goldsmith.builder import deferred, initramfs, install, layers
from goldsmith.builder.base import held_by
from goldsmith.builder.copies import copy_out
from goldsmith.builder.customize.accounts import clamp_password_days
from goldsmith.builder.debs import Unpacked
from goldsmith.builder.execute import Action
from goldsmith.builder.layers import Growth, Layer
from goldsmith.builder.meeting import separate
from goldsmith.builder.workshop import Workshop, tend_failure
from goldsmith.effects.overlay import overlaid
from goldsmith.effects.root import Root
from goldsmith.effects.sandbox import Sandbox
from goldsmith.model.recipe import CopyFrom


@dataclass(frozen=True, slots=True)
class Ground:
    """What a step works on."""

    tree: Root
    """The mounted tree; what is written becomes the step's layer."""
    sandbox: Sandbox
    """Where commands run in the tree."""
    scratch: Path
    """A directory outside the tree, for this step."""
    below: Sequence[Layer]
    """The layers the tree stands on, lowest first."""
    notes: dict[str, object]
    """Kept with the layer."""


def in_tree(shop: Workshop, work: Callable[[Ground], None]) -> Action:
    """An action whose result is what ``work`` changes in the tree below."""

    def action(key: str, below: Sequence[Layer]) -> Layer:
        with grow(shop, key, below) as growth:
            scratch = shop.scratch(key)
            with Root(growth.tree) as tree:
                bare = Sandbox(root=growth.tree, environment={"SYSTEMD_OFFLINE": "1", **times(shop)})
                sandbox = deferred.deferring(bare, tree, scratch, (deferred.INITRAMFS,))
                work(Ground(tree, sandbox, scratch, below, growth.notes))
                clamp_password_days(tree, shop.epoch)
                if deferred.asked(scratch, deferred.INITRAMFS):
                    growth.notes["initramfs"] = True
        return result(growth)

    return action


def times(shop: Workshop) -> dict[str, str]:
    """What tells programs that can be told which time to write into files."""
    return {"SOURCE_DATE_EPOCH": str(shop.epoch)}


def grow(shop: Workshop, key: str, below: Sequence[Layer]) -> AbstractContextManager[Growth]:
    """A layer in the making."""
    return layers.growing(
        shop.home,
        key,
        below,
        shop.work,
        epoch=shop.epoch,
        started=shop.started,
        failed=lambda tree, upper: tend_failure(shop, tree, upper),
    )


def result(growth: Growth) -> Layer:
    """The layer of a block that has ended."""
    assert growth.layer is not None
    return growth.layer


def place(shop: Workshop, packages: Sequence[Unpacked], taken: Sequence[Unpacked], *, first: bool) -> Action:
    """Put a group's files into a layer of their own."""

    def action(key: str, below: Sequence[Layer]) -> Layer:
        target = shop.scratch(key) / "tree"
        target.mkdir()
        held, apart = held_by(below)
        alone = first and not held
        merge, changes = install.place_files(
            packages, target, epoch=shop.epoch, first=alone, taken=taken, held=held, apart=apart
        )
        notes = {"refused": [unpacked.sha256 for unpacked in merge.refused]}
        return layers.record(shop.home, key, target, changes, notes)

    return action


def configure(shop: Workshop, packages: Sequence[Unpacked]) -> Action:
    """Run a group's maintainer scripts; the layer just below has its files."""

    def action(key: str, below: Sequence[Layer]) -> Layer:
        refused = below[-1].notes["refused"]
        assert isinstance(refused, list)
        placed = [unpacked for unpacked in packages if unpacked.sha256 not in refused]
        late = [unpacked for unpacked in packages if unpacked.sha256 in refused]
        with grow(shop, key, below) as growth:
            with Root(growth.tree) as tree:
                scratch = shop.scratch(key)
                install.restore_directories(tree, below)
                placed, met = separate(tree, placed, below, scratch)
                late = [*late, *met]
                install.write_database(tree, placed)
                wished = install.configure(
                    tree,
                    Sandbox(root=growth.tree, environment=times(shop)),
                    placed,
                    late,
                    log=shop.log,
                    scratch=scratch,
                )
                clamp_password_days(tree, shop.epoch)
            growth.notes["initramfs"] = wished
        return result(growth)

    return action


def make_initramfs(shop: Workshop, files: Mapping[str, tuple[bytes, int]]) -> Action:
    """Make the initramfs from the first group; ``files`` (content and mode by path) are written before."""

    def action(key: str, below: Sequence[Layer]) -> Layer:
        with grow(shop, key, below) as growth, Root(growth.tree) as tree:
            for path, (data, mode) in files.items():
                tree.mkdir(str(Path(path).parent), parents=True)
                tree.write(path, data, mode=mode)
            initramfs.make(tree, Sandbox(root=growth.tree), epoch=shop.epoch, log=shop.log)
        return result(growth)

    return action


def copy(shop: Workshop, wanted: CopyFrom, stage_depth: int) -> Action:
    """Copy files out of a build stage; the last ``stage_depth`` layers below are the stage's."""

    def action(key: str, below: Sequence[Layer]) -> Layer:
        edge = len(below) - stage_depth
        target = shop.scratch(key) / "stage"
        target.mkdir()
        with (
            overlaid([layer.tree for layer in reversed(below[edge:])], target) as mounted,
            Root(mounted) as source,
        ):
            return in_tree(shop, lambda ground: copy_out(source, ground.tree, wanted))(key, below[:edge])

    return action
