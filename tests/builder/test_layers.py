"""Layers made by real overlays: what is told of them is what is mounted."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).with_name("grow_layers.py")
EPOCH = 1_700_000_000

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounts")


def grown(room: Path, *scripts: str, epoch: int = EPOCH, started: float = 1.0) -> dict[str, Any]:
    spec = json.dumps({"scripts": scripts, "epoch": epoch, "started": started})
    done = subprocess.run([sys.executable, PROGRAM, room, spec], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


BASE = "mkdir -p a/b; echo 1 >a/f; echo 2 >a/b/g; ln -s f a/l; mkdir e; touch -d @5 a/f"
STACKS: dict[str, tuple[list[str], list[str]]] = {
    "nothing is done": ([BASE, ":"], []),
    "a file is changed": ([BASE, "echo 3 >a/f"], []),
    "a file is removed": ([BASE, "rm a/f"], ["/a/f"]),
    "a directory is removed": ([BASE, "rm -r a"], ["/a"]),
    "a directory is removed and made again": ([BASE, "rm -r a; mkdir a; echo 4 >a/new"], ["/a"]),
    "an inner directory is made again": ([BASE, "rm -r a/b; mkdir a/b"], ["/a/b"]),
    "a directory becomes a file": ([BASE, "rm -r a; echo 5 >a"], []),
    "a file becomes a directory": ([BASE, "rm a/f; mkdir a/f; echo 6 >a/f/x"], ["/a/f"]),
    "a link becomes a file": ([BASE, "rm a/l; echo 7 >a/l"], []),
    "a file is renamed": ([BASE, "mv a/f a/z"], ["/a/f"]),
    "a removed file comes back": ([BASE, "rm a/f", "echo 8 >a/f"], ["/a/f"]),
    "a mode is changed": ([BASE, "chmod 4711 a/f; chmod 1777 e"], []),
    "an owner is changed": ([BASE, "chown 33:34 a/f a/b; chown -h 5:6 a/l"], []),
    "only a time is changed": ([BASE, "touch -d @99 a/f a/b"], []),
    "files are linked": ([BASE, "ln a/f a/hard; echo 9 >n; ln n m"], []),
    "a pipe is made": ([BASE, "mkfifo p"], []),
    "names that shells do not like": ([BASE, "echo x >'a/ b\"$c'; mkdir 'a/\t'"], []),
    "letters beyond ASCII": ([BASE, "echo x >a/äöü"], []),
    "three layers": ([BASE, "rm -r a/b; echo 1 >q", "mkdir a/b; rm q; chmod 700 a"], ["/q"]),
}
"""What is done, a script a layer, and what the last layer (or the one that removes) removes."""


@pytest.mark.parametrize("stack", STACKS)
def test_what_is_told_of_layers_is_what_is_mounted(tmp_path: Path, stack: str) -> None:
    scripts, removed = STACKS[stack]
    found = grown(tmp_path, *scripts)
    assert removed in [layer["removed"] for layer in found["layers"][1:]]
    assert set(found["folded"]) == set(found["there"])
    for path, (mode, uid, gid, mtime, target, *_) in found["folded"].items():
        told = [mode, uid, gid, mtime, target]
        there = found["there"][path][:5]
        assert told[1:] == there[1:], path
        assert mode == there[0], path
    assert found["left"] == []


@pytest.mark.parametrize(
    ("script", "path", "mtime"),
    [
        pytest.param("touch f", "/f", EPOCH, id="what is made now gets the epoch"),
        pytest.param("touch -d @5 f", "/f", 5, id="an older time stays"),
        pytest.param(f"touch -d @{EPOCH} f", "/f", EPOCH, id="the epoch itself stays"),
        pytest.param("touch -d @4000000000 f", "/f", EPOCH, id="a time to come gets the epoch"),
        pytest.param("touch -d @5.75 f", "/f", 5, id="parts of seconds go"),
        pytest.param("mkdir d", "/d", EPOCH, id="a directory"),
        pytest.param("ln -s x l", "/l", EPOCH, id="a link"),
        pytest.param("touch -d @0 f", "/f", 0, id="the first second"),
    ],
)
def test_times(tmp_path: Path, script: str, path: str, mtime: int) -> None:
    found = grown(tmp_path, script, started=2e9)
    assert found["folded"][path][3] == found["there"][path][3] == mtime


def test_with_a_clock_behind_the_epoch_what_the_build_touched_gets_the_epoch_too(tmp_path: Path) -> None:
    # The clock says 1970-01-02 or so: the build starts at 100000, and touches a file at 100005.
    found = grown(tmp_path, "touch -d @100005 new; touch -d @50 old", started=100_000.0)
    assert (found["folded"]["/new"][3], found["folded"]["/old"][3]) == (EPOCH, 50)


def test_attributes_of_the_tree_are_kept_and_those_of_the_overlay_are_not(tmp_path: Path) -> None:
    script = (
        f"{sys.executable} -c \"import os; open('f', 'w').close(); "
        "os.setxattr('f', 'user.mine', b'1'); os.setxattr('f', 'trusted.mine', b'2'); "
        "os.setxattr('f', 'security.capability', bytes.fromhex('01000002' + '00200000' + '00' * 12))\""
    )
    found = grown(tmp_path, BASE, f"{script}; rm -r a; mkdir a")
    assert found["folded"]["/f"][8] == [
        ["security.capability", "0100000200200000000000000000000000000000"],
        ["user.mine", "31"],
    ]
    assert found["folded"]["/a"][8] == []


def test_hard_links_and_kinds(tmp_path: Path) -> None:
    found = grown(tmp_path, "echo x >a; ln a b; echo y >c; mkfifo p; ln -s a l; mkdir d")
    folded = found["folded"]
    assert {path: (facts[5], facts[6]) for path, facts in folded.items()} == {
        "/a": ("file", True),
        "/b": ("file", True),
        "/c": ("file", False),
        "/d": ("dir", False),
        "/l": ("symlink", False),
        "/p": ("fifo", False),
    }
