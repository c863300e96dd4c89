"""The apt sources that machines made from the image use; the builder decides which they are."""

from collections.abc import Mapping

from goldsmith.effects.root import Root

ROOM = "/etc/apt/"


def apply(tree: Root, sources: Mapping[str, bytes]) -> None:
    """Write sources and their keys.

    Args:
        tree: the tree.
        sources: paths below ``/etc/apt`` and contents, without credentials: everybody on a machine reads them.

    Raises:
        ValueError: a path is elsewhere.
    """
    for path, content in sorted(sources.items()):
        if not path.startswith(ROOM) or ".." in path.split("/"):
            raise ValueError(f"an apt source belongs below {ROOM}, not to {path!r}")
        tree.mkdir(path.rsplit("/", 1)[0], parents=True)
        tree.write(path, content, mode=0o644)
