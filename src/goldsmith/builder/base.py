"""The image that a recipe stands on, as the lowest layer of its build: taken out of the store, path by path."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from goldsmith.builder import layers
from goldsmith.builder.execute import Action
from goldsmith.builder.layers import KEPT_XATTRS, Layer
from goldsmith.builder.workshop import Workshop
from goldsmith.errors import InputError, IntegrityError, StepFailed
from goldsmith.lock.image import index_of, installed_in
from goldsmith.model.recipe import Recipe
from goldsmith.model.tree import Changes, TreeEntry
from goldsmith.store.images import find, layout_of
from goldsmith.store.tree import TreeIndex, pieces

NOTE = "base"
"""In the notes of the layer: the packages that it has, by name."""
LEFT_OUT = frozenset({"socket", "char", "block"})
"""What the system makes itself; a device node could also be a mark of the overlay that hides a file."""
EXTENDED_STATES = "/var/lib/apt/extended_states"


def take_out(shop: Workshop, recipe: Recipe) -> Action:
    """An action whose result is the tree of the image that the recipe stands on."""

    def action(key: str, _below: Sequence[Layer]) -> Layer:
        image = find(shop.home, recipe.base.reference)
        if image.facts["tree_digest"] != recipe.base.tree:
            raise IntegrityError(
                f"{image.reference} is another image than when the build was planned", hint="build again"
            )
        index = index_of(shop.home, image)
        entries = tuple(kept(index.entries))
        target = shop.scratch(key) / "tree"
        target.mkdir()
        try:
            make_names(entries, target)
            write_contents(shop, index, entries, target)
            finish(entries, target)
        except OSError as error:
            raise StepFailed(
                f"{image.reference} cannot be taken out of the store: {error}",
                hint="as an ordinary user, ids above 65535 and some attributes are out of reach; build as root",
            ) from error
        names = sorted(installed_in(shop.home, recipe.base).known)
        notes = {NOTE: names, "warnings": lost(index.entries)}
        return layers.record(shop.home, key, target, Changes((), entries), notes)

    return action


def lost(entries: Mapping[str, TreeEntry]) -> list[str]:
    """What the user should know of device nodes: those below /dev the kernel makes, others are missed."""
    found = [
        path
        for path, entry in entries.items()
        if entry.kind in {"char", "block"} and not path.startswith("/dev/")
    ]
    if not found:
        return []
    return [f"{len(found)} device nodes of the image below are left out, as {found[0]}"]


def kept(entries: Mapping[str, TreeEntry]) -> list[TreeEntry]:
    """The entries that a build can stand on, parents before children.

    Raises:
        InputError: a path does not lie in a directory of the tree; a link there could lead out of it.
    """
    result = []
    directories = {""}
    for path in sorted(entries):
        entry = entries[path]
        if path == "/" or entry.kind in LEFT_OUT:
            continue
        above, _, name = path.rpartition("/")
        strange = not path.startswith("/") or name in {"", ".", ".."} or "\0" in path
        if strange or above not in directories:
            raise InputError(
                f"the image's tree has {path!r:.200}, which lies in no directory of it",
                hint="the image was not made by goldsmith; import it again",
            )
        if entry.kind == "dir":
            directories.add(path)
        xattrs = tuple((key, value) for key, value in entry.xattrs if key.startswith(KEPT_XATTRS))
        result.append(replace(entry, path=path, xattrs=xattrs))
    return result


def make_names(entries: Sequence[TreeEntry], target: Path) -> None:
    """Make everything but the files that have bytes."""
    top = str(target)
    for entry in entries:
        where = top + entry.path
        if entry.kind == "dir":
            os.mkdir(where, 0o700)
        elif entry.kind == "symlink":
            os.symlink(entry.target, where)
        elif entry.kind == "fifo":
            os.mkfifo(where, 0o600)


def write_contents(shop: Workshop, index: TreeIndex, entries: Sequence[TreeEntry], target: Path) -> None:
    """Write the files, compared with their digests; those of one link group are one file.

    Raises:
        IntegrityError: the store has other bytes than the tree's list says.
    """
    first: dict[str, str] = {}
    links: list[tuple[str, str]] = []
    top = str(target)
    wanted = []
    for entry in entries:
        if entry.kind != "file":
            continue
        if entry.link and entry.link in first:
            links.append((first[entry.link], entry.path))
            continue
        if entry.link:
            first[entry.link] = entry.path
        wanted.append(entry.path)
        os.close(os.open(top + entry.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    states = {path: hashlib.sha256() for path in wanted}
    for piece in pieces(layout_of(shop.home), index, wanted):
        descriptor = os.open(top + piece.path, os.O_WRONLY)
        try:
            os.pwrite(descriptor, piece.data, piece.start)
            states[piece.path].update(piece.data)
        finally:
            os.close(descriptor)
    for path, state in states.items():
        if state.hexdigest() != index.entries[path].sha256:
            raise IntegrityError(
                f"file {path!r} in the store has the SHA-256 {state.hexdigest()}"
                f" instead of {index.entries[path].sha256}",
                hint="goldsmith store check --read tells which images it hurts",
            )
    for source, path in links:
        os.link(top + source, top + path)


def finish(entries: Sequence[TreeEntry], target: Path) -> None:
    """Give everything its owner, mode, attributes and time, children before parents."""
    top = str(target)
    for entry in reversed(entries):
        where = top + entry.path
        if entry.uid or entry.gid:
            os.chown(where, entry.uid, entry.gid, follow_symlinks=False)
        if entry.kind != "symlink":
            os.chmod(where, entry.mode)
        for name, value in entry.xattrs:
            os.setxattr(where, name, bytes.fromhex(value), follow_symlinks=False)
        os.utime(where, (entry.mtime, entry.mtime), follow_symlinks=False)


def base_of(below: Sequence[Layer]) -> Layer | None:
    """The layer of the image that a build stands on, if it stands on one."""
    return below[0] if below and NOTE in below[0].notes else None


def held_by(below: Sequence[Layer]) -> tuple[Mapping[str, str], frozenset[str]]:
    """The kind of each path of the image below, without the first slash, and the packages that it has."""
    base = base_of(below)
    if base is None:
        return {}, frozenset()
    names = base.notes[NOTE]
    assert isinstance(names, list)
    held = {entry.path[1:]: entry.kind for entry in base.changes.entries}
    return held, frozenset(map(str, names))


def automatic_in(text: str, chosen: Sequence[str]) -> str:
    """What apt's list of packages tells that came as dependencies, without those that were chosen now."""
    names = {name.split()[0] for name in chosen}
    blocks = [block for block in text.split("\n\n") if block.strip()]
    kept_blocks = [b for b in blocks if b.split("\n")[0].removeprefix("Package: ").strip() not in names]
    return "".join(f"{block.strip()}\n\n" for block in kept_blocks)
