"""The host's way to look names up, lent to a component that may use the network."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from goldsmith.effects.root import Root

FILES = ("/etc/resolv.conf", "/etc/hosts")


@contextmanager
def name_service(tree: Root, run: Path) -> Iterator[None]:
    """Show the host's ``resolv.conf`` and ``hosts`` where the tree has none of its own.

    Args:
        tree: the tree; what is written there is removed again.
        run: what the component sees as ``/run``: systemd-resolved's link leads there.
    """
    lent = []
    for path in FILES:
        host = Path(path)
        if tree.exists(path) or not host.is_file():
            continue
        data = host.read_bytes()
        if tree.lexists(path):
            target = tree.readlink(path)
            inside = target.removeprefix("..").removeprefix("/run/")
            if target.startswith(("../run/", "/run/")) and ".." not in inside.split("/"):
                (run / inside).parent.mkdir(parents=True, exist_ok=True)
                (run / inside).write_bytes(data)
            continue
        tree.write(path, data)
        lent.append(path)
    try:
        yield
    finally:
        for path in lent:
            tree.remove(path)
