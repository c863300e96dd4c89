"""Every path of an ext2, ext3 or ext4 file system, with all that it keeps of it."""

import os
import stat
import struct
from collections.abc import Iterator

from goldsmith.disk.read.area import Area, malformed, refused
from goldsmith.disk.read.ext4.attributes import attributes, inline_rest
from goldsmith.disk.read.ext4.inodes import ENCRYPTED, EXTENTS, INLINE, Inode, Inodes
from goldsmith.disk.read.ext4.mapping import Blocks
from goldsmith.disk.read.ext4.superblock import read_superblock
from goldsmith.disk.read.limits import PATH, Tally
from goldsmith.disk.read.node import Body, Node

ROOT = 2
ENTRY = struct.Struct("<IHBB")
KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "dir",
    stat.S_IFLNK: "symlink",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "char",
    stat.S_IFBLK: "block",
}
FAST = 60
"""Bytes of a link's target that fit into the inode."""


class Ext4:
    """One file system."""

    def __init__(self, area: Area, tally: Tally) -> None:
        self.superblock = read_superblock(area)
        self.inodes = Inodes(area, self.superblock)
        self.blocks = Blocks(area, self.superblock)
        self.tally = tally
        self._seen: set[int] = set()
        self._shared: dict[int, Node] = {}

    def walk(self) -> Iterator[Node]:
        """Every path, parents before children; ``lost+found`` in the root is left out where it is empty.

        Raises:
            InputError: the file system is damaged, or holds what cannot be read.
        """
        root = self.inodes.get(ROOT)
        if not stat.S_ISDIR(root.mode):
            raise malformed("the root of the ext4 file system is no directory")
        yield self._node("/", root)
        waiting = [("", root)]
        while waiting:
            above, inode = waiting.pop()
            entries = self._directory(inode)
            for name, number in sorted(entries.items(), key=lambda item: item[1]):
                child = self.inodes.get(number)
                path = f"{above}/{name}"
                is_directory = stat.S_ISDIR(child.mode)
                if path == "/lost+found" and is_directory and not self._directory(child, seen=False):
                    continue
                if len(path) > PATH:
                    raise malformed(f"a path has more than {PATH} bytes")
                yield self._node(path, child)
                if is_directory:
                    waiting.append((path, child))

    def _directory(self, inode: Inode, *, seen: bool = True) -> dict[str, int]:
        """Names and inode numbers of a directory."""
        if seen and inode.number in self._seen:
            raise malformed(f"directory inode {inode.number} has two names")
        if seen:
            self._seen.add(inode.number)
        self.tally.directory(inode.size)
        _refuse_encrypted(inode)
        found: dict[str, int] = {}
        if inode.flags & INLINE:
            _entries(inode.number, inode.block[4:], found)
            _entries(inode.number, inline_rest(inode), found)
            return found
        size = self.blocks.size
        body = Body(self.inodes.area.descriptor, inode.size, self.blocks.pieces(inode))
        for at in range(0, inode.size, size):
            data = body.read(at, size)
            if data.count(0) < len(data):  # a hole in a directory is empty
                _entries(inode.number, data, found)
        return found

    def _node(self, path: str, inode: Inode) -> Node:
        known = self._shared.get(inode.number) if inode.links > 1 else None
        if known is not None:
            self.tally.entry(len(path))
            return Node(path, known.kind, known.mode, known.uid, known.gid, known.mtime, known.target,
                        known.xattrs, known.link, known.body)  # fmt: skip
        kind = KINDS.get(stat.S_IFMT(inode.mode))
        if kind is None or not inode.links:
            raise malformed(f"inode {inode.number}, named {path!r:.200}, is not in use")
        node = Node(path, kind, stat.S_IMODE(inode.mode), inode.uid, inode.gid, inode.mtime)
        if kind == "file":
            node.body = self._body(inode)
            self.tally.content(inode.size)
        elif kind == "symlink":
            node.target = os.fsdecode(self._target(inode))
        elif kind in {"char", "block"}:
            node.target = _device(inode.block)
        if inode.acl or inode.extra:
            node.xattrs = attributes(inode, self.blocks.read, self._large)
        if inode.links > 1 and kind != "dir":
            node.link = f"{self.inodes.area.start}:{inode.number}" if kind == "file" else ""
            self._shared[inode.number] = node
        self.tally.entry(len(path) + len(node.target) + sum(len(name) + len(x) for name, x in node.xattrs))
        return node

    def _body(self, inode: Inode) -> Body:
        _refuse_encrypted(inode)
        descriptor = self.inodes.area.descriptor
        if inode.flags & INLINE:
            data = (inode.block + inline_rest(inode))[: inode.size]
            return Body(descriptor, inode.size, (), data)
        return Body(descriptor, inode.size, self.blocks.pieces(inode))

    def _target(self, inode: Inode) -> bytes:
        if not 0 < inode.size <= PATH:
            raise malformed(f"the link inode {inode.number} points to {inode.size} bytes")
        if inode.size < FAST and not inode.flags & (EXTENTS | INLINE | ENCRYPTED):
            data = inode.block[: inode.size]
        else:
            data = self._body(inode).read(0, inode.size)
        if b"\0" in data:
            raise malformed(f"the link inode {inode.number} points to a name with a zero byte")
        return data

    def _large(self, number: int, size: int) -> bytes:
        """The value of an attribute that has an inode of its own."""
        self.tally.entry(size)
        return self._body(self.inodes.get(number)).read(0, size)


def _refuse_encrypted(inode: Inode) -> None:
    if inode.flags & ENCRYPTED:
        raise refused(
            "the ext4 file system has encrypted files", "goldsmith cannot read them without their key"
        )


def _entries(number: int, data: bytes, found: dict[str, int]) -> None:
    """Add the names in a block of a directory; blocks of its index look like empty ones."""
    at, end = 0, len(data)
    while at + ENTRY.size <= end:
        child, length, width, _ = ENTRY.unpack_from(data, at)
        if end == 1 << 16 and length in {0, 0xFFFF}:
            length = end
        if length < ENTRY.size or length % 4 or at + length > end or (child and width > length - ENTRY.size):
            raise malformed(f"directory inode {number} is damaged")
        if child:
            name = data[at + ENTRY.size : at + ENTRY.size + width]
            if name not in {b".", b".."}:
                if not name or b"/" in name or b"\0" in name:
                    raise malformed(f"directory inode {number} has the name {name!r:.100}")
                text = os.fsdecode(name)
                if text in found:
                    raise malformed(f"directory inode {number} has the name {text!r:.100} twice")
                found[text] = child
        at += length


def _device(block: bytes) -> str:
    """``MAJOR:MINOR``, from the old or the new form (kernel: include/linux/kdev_t.h)."""
    old, new = struct.unpack_from("<II", block)
    if old:
        return f"{old >> 8 & 0xFF}:{old & 0xFF}"
    return f"{(new & 0xFFF00) >> 8}:{(new & 0xFF) | (new >> 12 & 0xFFF00)}"
