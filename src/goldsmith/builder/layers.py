"""Layers: the result of a step, kept by the step's key, with a list of what it changes and the digests of that.

A layer counts once ``layer.json`` is in it. It is not synced to the disk when it is made (a build would wait for
that); a layer that was made before the machine last started is believed only after its files were compared with
their digests.
"""

import contextlib
import json
import os
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from goldsmith.effects.files import locked, sha256_file
from goldsmith.effects.machine_run import boot_id
from goldsmith.effects.overlay import mark_prefix, overlaid
from goldsmith.errors import GoldsmithError
from goldsmith.model.tree import Changes, TreeEntry, of_row, row_of
from goldsmith.store.home import Home

HASH_JOBS = 2
KEPT_XATTRS = ("security.capability", "user.", "system.posix_acl_")
"""Attributes that belong to the tree; overlayfs's own marks do not."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A recorded layer."""

    key: str
    tree: Path
    """The directory to stack."""
    changes: Changes
    notes: Mapping[str, object] = field(default_factory=dict)
    """What else the step left to tell, as JSON: recorded reboots, a wish for a new initramfs ..."""


def room(home: Home) -> Path:
    """Where layers are kept."""
    return home / "cache/layers"


def place(home: Home, key: str) -> Path:
    """The directory of one layer."""
    return room(home) / key.removeprefix("sha256:")


def aside(key: str, build: str) -> str:
    """The key under which a step's fresh result is kept while its build runs."""
    return f"{key}-{build}"


def load(home: Home, key: str) -> Layer | None:
    """The layer of a step, if it is there and sound; one that is not is dropped."""
    directory = place(home, key)
    try:
        facts = json.loads((directory / "layer.json").read_bytes())
        entries = tuple(of_row(row) for row in facts["entries"])
        layer = Layer(key, directory / "tree", Changes(tuple(facts["removed"]), entries), facts["notes"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        drop(directory)
        return None
    if facts["boot"] != boot_id():
        if not intact(layer):
            drop(directory)
            return None
        write_facts(directory, layer)
    with contextlib.suppress(OSError):
        os.utime(directory / "layer.json")  # so that expire() knows that it is still of use
    return layer


def same_facts(home: Home, key: str, fresh: str) -> bool:
    """Whether all that is known of two layers is the same to the byte, without reading it; the first is of use then."""
    known = place(home, key) / "layer.json"
    try:
        same = known.read_bytes() == (place(home, fresh) / "layer.json").read_bytes()
        if same:
            os.utime(known)
    except OSError:
        return False
    return same


def write_facts(directory: Path, layer: Layer) -> None:
    """Write ``layer.json``: from now on the layer counts."""
    facts = {
        "boot": boot_id(),
        "removed": list(layer.changes.removed),
        "entries": [row_of(entry, entry.link) for entry in layer.changes.entries],
        "notes": dict(layer.notes),
    }
    temporary = directory / f"layer.json.{os.getpid()}"
    temporary.write_text(json.dumps(facts))
    temporary.replace(directory / "layer.json")


def intact(layer: Layer) -> bool:
    """Whether every path of a layer is what was recorded: content, kind, mode, owner and attributes."""
    try:
        for gone in layer.changes.removed:
            mark = (layer.tree / gone.lstrip("/")).lstat()
            if not stat.S_ISCHR(mark.st_mode) and not stat.S_ISDIR(mark.st_mode):
                return False
        for entry in layer.changes.entries:
            path = layer.tree / entry.path.lstrip("/")
            found = tell(entry.path, path, path.lstat())
            # Times are clamped when the disk is made, and link names are of the day they were read.
            if replace(found, mtime=entry.mtime, link=entry.link) != entry:
                return False
    except OSError:
        return False
    return True


def drop(directory: Path) -> None:
    """Forget the layer in a directory: first its name, then its files."""
    with contextlib.suppress(FileNotFoundError):
        (directory / "layer.json").unlink()
    shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def growing(
    home: Home,
    key: str,
    below: Sequence[Layer],
    work: Path,
    *,
    epoch: int,
    started: float,
    failed: Callable[[Path, Path], None],
) -> Iterator["Growth"]:
    """A tree to change: what is written ends up as the layer ``key``, once ``keep`` is called on what this yields.

    Args:
        home: the data directory.
        key: the step's key.
        below: the layers it stands on, lowest first.
        work: a directory of this build, on the file system of ``home``; a room for this layer is made in it.
        epoch: SOURCE_DATE_EPOCH; what the step touches gets this time.
        started: the wall clock at the start of the build, in seconds; what is younger was touched by the build.
        failed: called with the mounted tree and its upper side when the step fails.
    """
    own = work / key.removeprefix("sha256:")
    shutil.rmtree(own, ignore_errors=True)
    for name in ("upper", "overlay-work", "tree"):
        (own / name).mkdir(parents=True)
    growth = Growth(own / "tree")
    try:
        lower = [layer.tree for layer in reversed(below)]
        with overlaid(lower, own / "tree", upper=own / "upper", work=own / "overlay-work"):
            try:
                yield growth
            except GoldsmithError:
                failed(own / "tree", own / "upper")
                raise
        changes = scan(own / "upper", epoch=epoch, started=started)
        growth.layer = record(home, key, own / "upper", changes, growth.notes)
    finally:
        shutil.rmtree(own, ignore_errors=True)


@dataclass(slots=True)
class Growth:
    """A layer in the making."""

    tree: Path
    """The mounted tree."""
    notes: dict[str, object] = field(default_factory=dict)
    """Kept with the layer."""
    layer: Layer | None = None
    """The result, once the block has ended."""


def record(home: Home, key: str, tree: Path, changes: Changes, notes: Mapping[str, object]) -> Layer:
    """Move a finished directory to its place among the layers; if another process was faster, its layer counts."""
    directory = place(home, key)
    with locked(room(home) / ".lock"):
        known = load(home, key)
        if known is not None:
            return known
        shutil.rmtree(directory, ignore_errors=True)  # what a process left that was killed right here
        directory.mkdir(parents=True)
        tree.rename(directory / "tree")
        layer = Layer(key, directory / "tree", changes, dict(notes))
        write_facts(directory, layer)
        return layer


def scan(upper: Path, *, epoch: int, started: float) -> Changes:
    """What the upper side of an overlay changes; times of what was touched are set to ``epoch`` on the way.

    A file is touched if its time is later than ``epoch``, or than the start of the build (a clock may be wrong).
    """
    removed: list[str] = []
    found: list[tuple[str, Path, os.stat_result]] = []
    opaque = f"{mark_prefix()}opaque"

    def visit(directory: Path, path: str) -> None:
        for entry in sorted(os.scandir(directory), key=lambda e: e.name):
            where = f"{path}/{entry.name}"
            facts = entry.stat(follow_symlinks=False)
            if stat.S_ISCHR(facts.st_mode) and facts.st_rdev == 0:
                removed.append(where)
                continue
            found.append((where, Path(entry.path), facts))
            if stat.S_ISDIR(facts.st_mode):
                if opaque in os.listxattr(entry.path, follow_symlinks=False):
                    removed.append(where)
                visit(Path(entry.path), where)

    visit(upper, "")
    with ThreadPoolExecutor(max_workers=HASH_JOBS) as pool:
        entries = list(pool.map(lambda item: describe(*item, epoch=epoch, started=started), found))
    return Changes(tuple(removed), tuple(entries))


def describe(where: str, path: Path, facts: os.stat_result, *, epoch: int, started: float) -> TreeEntry:
    """One path of a layer as an entry, its time clamped on the disk too."""
    mtime = int(facts.st_mtime)
    if facts.st_mtime > epoch or facts.st_mtime >= started - 1 or facts.st_mtime_ns % 1_000_000_000:
        mtime = epoch if facts.st_mtime > epoch or facts.st_mtime >= started - 1 else mtime
        os.utime(path, (mtime, mtime), follow_symlinks=False)
    return replace(tell(where, path, facts), mtime=mtime)


def tell(where: str, path: Path, facts: os.stat_result) -> TreeEntry:
    """One path of a layer as an entry, read only."""
    kind, size, sha256, target = "file", 0, "", ""
    if stat.S_ISDIR(facts.st_mode):
        kind = "dir"
    elif stat.S_ISLNK(facts.st_mode):
        kind, target = "symlink", os.readlink(path)
    elif stat.S_ISREG(facts.st_mode):
        size, sha256 = facts.st_size, sha256_file(path)
    elif stat.S_ISCHR(facts.st_mode) or stat.S_ISBLK(facts.st_mode):
        kind = "char" if stat.S_ISCHR(facts.st_mode) else "block"
        target = f"{os.major(facts.st_rdev)}:{os.minor(facts.st_rdev)}"
    else:
        kind = "fifo" if stat.S_ISFIFO(facts.st_mode) else "socket"
    link = f"{facts.st_dev}:{facts.st_ino}" if kind == "file" and facts.st_nlink > 1 else ""
    return TreeEntry(
        where,
        kind,
        stat.S_IMODE(facts.st_mode),
        facts.st_uid,
        facts.st_gid,
        int(facts.st_mtime),
        size,
        sha256,
        target,
        xattrs(path),
        link,
    )


def xattrs(path: Path) -> tuple[tuple[str, str], ...]:
    """The extended attributes that belong to the tree."""
    found = [n for n in os.listxattr(path, follow_symlinks=False) if n.startswith(KEPT_XATTRS)]
    if not found:
        return ()
    marks = mark_prefix()
    names = sorted(name for name in found if not name.startswith(marks))
    return tuple((name, os.getxattr(path, name, follow_symlinks=False).hex()) for name in names)
