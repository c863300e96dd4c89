"""Run as a program of its own, since it mounts: make layers by shell scripts, one on another.

    grow_layers.py ROOM SPEC        (JSON: scripts, epoch, started)

Prints JSON: for each layer what it removes and its entries; the tree that layers fold to; the tree as it is mounted.
"""

import json
import stat
import subprocess
import sys
from pathlib import Path

from goldsmith.builder.image import fold
from goldsmith.builder.layers import growing, record
from goldsmith.effects import namespace
from goldsmith.effects.overlay import overlaid
from goldsmith.effects.root import Root
from goldsmith.model.tree import Changes
from goldsmith.store.home import Home


def kept(tree: Path, upper: Path) -> None:
    raise AssertionError((tree, upper))


def main() -> None:
    room, spec = Path(sys.argv[1]), json.loads(sys.argv[2])
    namespace.enter()
    home = Home(room / "home")
    ground = room / "home/work/ground"
    ground.mkdir(parents=True)
    below = [record(home, "sha256:ground", ground, Changes((), ()), {})]
    for number, script in enumerate(spec["scripts"]):
        key = f"sha256:{number}"
        work = room / "home/work"
        with growing(
            home, key, below, work, epoch=spec["epoch"], started=spec["started"], failed=kept
        ) as growth:
            subprocess.run(["/bin/sh", "-ec", script], cwd=growth.tree, check=True)
        assert growth.layer is not None
        below.append(growth.layer)
    (room / "mount").mkdir()
    with (
        overlaid([layer.tree for layer in reversed(below)], room / "mount") as mounted,
        Root(mounted) as tree,
    ):
        there = {
            path: [
                stat.S_IMODE(facts.st_mode),
                facts.st_uid,
                facts.st_gid,
                int(facts.st_mtime),
                tree.readlink(path) if stat.S_ISLNK(facts.st_mode) else "",
                tree.read(path).decode() if stat.S_ISREG(facts.st_mode) else "",
            ]
            for path, facts in tree.walk()
        }
    folded = {
        e.path: [e.mode, e.uid, e.gid, e.mtime, e.target, e.kind, bool(e.link), e.size, e.xattrs]
        for e in fold(below).values()
    }
    made = [{"removed": x.changes.removed, "paths": [e.path for e in x.changes.entries]} for x in below[1:]]
    json.dump(
        {"layers": made, "folded": folded, "there": there, "left": [str(p) for p in work.iterdir()]},
        sys.stdout,
    )


if __name__ == "__main__":
    main()
