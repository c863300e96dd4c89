"""Run as a program of its own, since it mounts: seal a stack of directories, and print what the tree then holds.

    sealed_tree.py ROOM LOWER...        (the topmost LOWER first)

Prints one JSON object: path → [kind, mode, uid, gid, content], content being a digest, or where a link points.
The directories are not changed.
"""

import hashlib
import json
import os
import stat
import sys
from pathlib import Path

from goldsmith.builder.seal.run import seal
from goldsmith.effects import namespace
from goldsmith.effects.overlay import overlaid
from goldsmith.effects.root import Root


def content(tree: Root, path: str, facts: os.stat_result) -> str:
    if stat.S_ISLNK(facts.st_mode):
        return tree.readlink(path)
    if stat.S_ISREG(facts.st_mode):
        return hashlib.sha256(tree.read(path)).hexdigest()
    return ""


def main() -> None:
    room, lower = Path(sys.argv[1]), [Path(word) for word in sys.argv[2:]]
    namespace.enter()
    for name in ("upper", "work", "tree"):
        (room / name).mkdir(parents=True)
    with overlaid(lower, room / "tree", upper=room / "upper", work=room / "work") as mounted:
        with Root(mounted) as tree:
            seal(tree)
            found = {
                path: [
                    stat.S_IFMT(facts.st_mode),
                    0 if stat.S_ISLNK(facts.st_mode) else stat.S_IMODE(facts.st_mode),
                    facts.st_uid,
                    facts.st_gid,
                    content(tree, path, facts),
                ]
                for path, facts in tree.walk()
                if not path.startswith(("/proc/", "/sys/", "/dev/"))
            }
        json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
