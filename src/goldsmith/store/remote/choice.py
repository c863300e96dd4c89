"""Which patches save bytes: those of frames whose patches have fewer bytes than the frames."""

from collections.abc import Callable, Collection

from goldsmith.store.pack import LARGE
from goldsmith.store.remote.recompress import LayerPacker

MARGIN = 64
"""Bytes that a content's patch must save at least; there is more to do than to fetch."""
Cost = Callable[[str], int | None]
"""Bytes of a content's patch, by its SHA-256; None for one that has none."""


def choose(packer: LayerPacker, frames: Collection[int], cost: Cost) -> tuple[set[int], set[str]]:
    """The frames that are rather made, and the contents, none of them here, that must be made for that.

    Args:
        packer: says what lies in the frames, and what is here.
        frames: the frames of its layer that are wanted.
        cost: of each content that is not here.
    """
    made, contents = set[int](), set[str]()
    sizes = packer.index.layers[packer.number].frames
    for group, missing in groups(packer, frames):
        costs = [cost(sha256) for sha256 in missing - contents]
        # What is missing nowhere was tried already, and gives another frame than the layer has.
        if not missing or None in costs:
            continue
        if sum(filter(None, costs)) + MARGIN * len(costs) < sum(sizes[frame].size for frame in group):
            made |= group
            contents |= missing
    return made, contents


def groups(packer: LayerPacker, frames: Collection[int]) -> list[tuple[set[int], set[str]]]:
    """Frames that are made or fetched together, and the contents that each lacks: all those of a large file, else one."""
    large: dict[str, set[int]] = {}
    found: list[tuple[set[int], set[str]]] = []
    for frame in sorted(frames):
        files = list(packer.files(frame))
        if len(files) == 1 and files[0].size >= LARGE:
            large.setdefault(files[0].sha256, set()).add(frame)
        else:
            found.append(({frame}, {file.sha256 for file in files if file.sha256 not in packer.contents}))
    return [
        *found,
        *(
            (group, {sha256} - {*filter(packer.contents.__contains__, [sha256])})
            for sha256, group in large.items()
        ),
    ]
