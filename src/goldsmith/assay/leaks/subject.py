"""What is searched: a tree, all bytes, and what is known about the image."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

from goldsmith.assay.leaks.chunks import Chunk
from goldsmith.assay.leaks.listed import ListedTree
from goldsmith.builder.seal.operation import ancestors
from goldsmith.model.leak import Leak


@dataclass(frozen=True, slots=True)
class Subject:
    """An image that is searched for leaks."""

    tree: ListedTree
    """Its root file system."""
    chunks: Iterable[Chunk]
    """All its bytes, once; those of a file one after the other."""
    declared: frozenset[str] = field(default_factory=frozenset)
    """Paths that its recipe declares, which are no leaks."""
    keep: Collection[str] = ()
    """Seal operations that its recipe switches off."""
    kept: frozenset[str] = field(default_factory=frozenset)
    """What these have left because the recipe says so; of a directory all that is in it."""
    notes: list[str] = field(default_factory=list)
    """What the report must say; chunks may add to it."""
    is_whole: bool = True
    """Whether all of it can be looked at: not where its system lies on what goldsmith cannot read."""
    others: tuple[tuple[str, ListedTree], ...] = ()
    """What other partitions of the same disk hold, with their names: a second system, or part of one."""
    remains: Callable[[], Iterable[Leak]] = tuple
    """What was found of deleted data, once all chunks have passed."""

    def allows(self, path: str) -> bool:
        """Whether its recipe wants a file there, whatever is in it."""
        return path in self.declared or not self.kept.isdisjoint((path, *ancestors(path)))
