"""From the finished tree to its disk."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from goldsmith.builder.bootparts import kept_boot_parts
from goldsmith.builder.layers import Layer
from goldsmith.builder.workshop import Workshop
from goldsmith.disk.layout import JOURNAL, plan_layout
from goldsmith.disk.make import make_disk
from goldsmith.disk.need import measure
from goldsmith.disk.runs import runs_of
from goldsmith.disk.source import Piece, Source
from goldsmith.disk.tools import Tools
from goldsmith.effects.files import free_bytes
from goldsmith.effects.overlay import overlaid
from goldsmith.effects.tmpfs import memory_room
from goldsmith.errors import NoSpace
from goldsmith.model.disk import BLOCK, Layout
from goldsmith.model.diskmap import Run
from goldsmith.model.recipe import Recipe
from goldsmith.model.tree import TreeEntry, apply


@dataclass(frozen=True, slots=True)
class Made:
    """The disk that was made of a tree."""

    raw: Path
    """The disk; in memory if the machine has enough, and gone when its block ends."""
    size: int
    """Its bytes."""
    cuts: tuple[int, ...]
    """Bytes of the disk where partitions begin."""
    runs: tuple[Run, ...] | None = None
    """How it comes from the tree, if whoever wrote it knows; else it has to be searched."""


def fold(below: Sequence[Layer]) -> dict[str, TreeEntry]:
    """The tree that layers make, lowest first, by path."""
    tree: dict[str, TreeEntry] = {}
    for layer in below:
        tree = apply(tree, layer.changes)
    return tree


@contextmanager
def made_disk(
    shop: Workshop, source: Source, recipe: Recipe, tools: Tools, tools_digest: str
) -> Iterator[Made]:
    """The disk of a finished tree, for as long as the block lasts.

    Raises:
        InputError: the size that the recipe asks for is too small.
        NoSpace: the disk does not fit.
        StepFailed: a tool failed.
    """
    need = measure(source.entries, source.open_file)
    layout = plan_layout(recipe.disk, name=recipe.name, architecture=recipe.architecture, need=need)
    need_space(shop.work, layout, recipe)
    parts = kept_boot_parts(shop, layout, recipe, tools=tools, tools_digest=tools_digest, source=source)
    # What is written is read at once for digests and files: in memory that costs half.
    with memory_room(shop.work / "memory", need.blocks * BLOCK + JOURNAL) as room:
        raw = room / "disk.raw"
        pieces = make_disk(source, layout, tools=tools, epoch=shop.epoch, output=raw, parts=parts)
        cuts = tuple(partition.start for partition in layout.partitions)
        yield Made(raw, layout.size, cuts, runs=None if pieces is None else read_runs(raw, pieces))


def read_runs(raw: Path, pieces: Sequence[Piece]) -> tuple[Run, ...]:
    """How a disk comes from the files that lie on it."""
    with raw.open("rb", buffering=0) as stream:
        return tuple(runs_of(stream.fileno(), pieces))


@contextmanager
def mounted(shop: Workshop, below: Sequence[Layer]) -> Iterator[Path]:
    """The tree that layers make, as a directory; for reading."""
    mount = shop.work / "tree"
    mount.mkdir(exist_ok=True)
    with overlaid([layer.tree for layer in reversed(below)], mount) as tree:
        yield tree


def need_space(room: Path, layout: Layout, recipe: Recipe) -> None:
    """Check that the disk fits, before it is written; of an empty disk only the files count."""
    used = layout.root.size - (recipe.disk.headroom if recipe.disk.size is None else 0)
    wanted = min(used, layout.size)
    free = free_bytes(room)
    if recipe.disk.size is None and wanted > free:
        raise NoSpace(
            f"the disk of {recipe.name!r} needs {wanted >> 20} MiB in {room}, and {free >> 20} MiB are free",
            hint="free some space, or set GOLDSMITH_HOME to a larger file system",
        )
