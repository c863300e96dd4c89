"""Run as a program of its own, since it mounts: ``dpkg -V`` in the tree that a stack of layers makes.

verify_tree.py ROOM LOWER...        (the topmost LOWER first)
"""

import sys
from pathlib import Path

from goldsmith.effects import namespace
from goldsmith.effects.overlay import overlaid
from goldsmith.effects.sandbox import Sandbox


def main() -> None:
    room, lower = Path(sys.argv[1]), [Path(word) for word in sys.argv[2:]]
    namespace.enter()
    for name in ("upper", "work", "tree"):
        (room / name).mkdir(parents=True)
    with overlaid(lower, room / "tree", upper=room / "upper", work=room / "work") as tree:
        sys.stdout.write(Sandbox(tree).run(["dpkg", "-V"], check=False).text)


if __name__ == "__main__":
    main()
