"""Fill an empty ext4 file system with a tree."""

import os
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from goldsmith.disk.ext4 import geometry as geo
from goldsmith.disk.ext4 import tables
from goldsmith.disk.ext4.checksum import inode_seed
from goldsmith.disk.ext4.directory import KINDS, directory_blocks
from goldsmith.disk.ext4.extents import extent_tree
from goldsmith.disk.ext4.geometry import Geometry, read_geometry
from goldsmith.disk.ext4.inode import Inode, device_body, pack, sectors
from goldsmith.disk.ext4.plan import ROOT_INODE, Node, Placed, SolidRuns, place_tree
from goldsmith.disk.ext4.xattrs import attribute_block, in_inode
from goldsmith.disk.need import FAST_LINK
from goldsmith.disk.source import Opener, Piece
from goldsmith.effects.files import write_all
from goldsmith.errors import IntegrityError
from goldsmith.model.disk import BLOCK
from goldsmith.model.tree import TreeEntry


@dataclass(frozen=True, slots=True)
class Volume:
    """A file system within a disk."""

    disk: int
    """A descriptor that can read and write."""
    start: int
    """Its first byte on the disk."""

    def read(self, block: int, count: int = 1) -> bytes:
        """Blocks of it."""
        return os.pread(self.disk, count * BLOCK, self.start + block * BLOCK).ljust(count * BLOCK, b"\0")

    def write(self, block: int, data: bytes) -> None:
        """Write from a block on."""
        os.lseek(self.disk, self.start + block * BLOCK, os.SEEK_SET)
        write_all(self.disk, data)


def fill(
    volume: Volume, entries: Mapping[str, TreeEntry], open_file: Opener, solid: SolidRuns, *, epoch: int
) -> list[Piece]:
    """Put a tree into the empty file system of a volume; where its files lie, in the order of the disk.

    Args:
        volume: what ``skeleton`` made.
        entries: the tree by path; a root that is not listed is root's, with mode 0755.
        open_file: the bytes of its files.
        solid: which blocks of a file are to lie on the disk.
        epoch: the time of all that the tree says no time for.

    Raises:
        IntegrityError: a file is shorter than its entry says.
        StepFailed: the file system is too small, or cannot hold something of the tree.
    """
    superblock = volume.read(0)[geo.SUPERBLOCK :][: tables.SUPERBLOCK_SIZE]
    count = struct.unpack_from("<I", superblock, 4)[0] // struct.unpack_from("<I", superblock, 32)[0] + 1
    described = volume.read(1, -(-count * geo.DESCRIPTOR // BLOCK))
    geometry = read_geometry(superblock, described)
    before = taken_before(volume, geometry)
    free = [run for group in geometry.groups for run in geo.free_runs(before[group.number], group)]
    first = geometry.inodes - geometry.free_inodes + 1
    root = TreeEntry("/", "dir", 0o755, 0, 0, epoch)
    placed = place_tree({"/": root, **entries}, free, first, root_block(volume, geometry), solid)
    write_blocks(volume, small_blocks(placed, geometry))
    write_inodes(volume, placed, geometry, epoch)
    write_tables(volume, described, geometry, before, placed)
    return write_files(volume, placed, open_file)


def taken_before(volume: Volume, geometry: Geometry) -> list[int]:
    """What mke2fs has taken of each group: a bit for each block."""
    own = geo.own_blocks(geometry)
    taken = []
    for group in geometry.groups:
        bits = own[group.number]
        if not group.flags & geo.BLOCK_UNINIT:
            bits = int.from_bytes(volume.read(group.block_bitmap), "little")
        taken.append(bits | geo.padding(group))
    return taken


def root_block(volume: Volume, geometry: Geometry) -> int:
    """The one block of the empty root directory."""
    group, index = geometry.place(ROOT_INODE)
    body = volume.read(group.inode_table)[index * geometry.inode_size + 40 :][:60]
    high, low = struct.unpack_from("<HI", body, 12 + 6)
    return int(high) << 32 | int(low)


def small_blocks(placed: Placed, geometry: Geometry) -> Iterator[tuple[int, bytes]]:
    """Blocks of directories, long links and attributes, with their places."""
    for node in placed.nodes:
        entry = node.entry
        if entry.kind == "dir":
            places = (e.physical + at for e in node.extents for at in range(e.length))
            blocks = directory_blocks(entries_of(node, placed), inode_seed(geometry.seed, node.number))
            yield from zip(places, blocks, strict=True)
        elif entry.kind == "symlink" and node.extents:
            yield node.extents[0].physical, os.fsencode(entry.target).ljust(BLOCK, b"\0")
        if node.attribute_block:
            data = attribute_block(entry.path, node.attributes, node.attribute_block, geometry.seed)
            yield node.attribute_block, data


def entries_of(node: Node, placed: Placed) -> list[tuple[bytes, int, int]]:
    """A directory's entries."""
    parent = placed.inodes[node.entry.path.rpartition("/")[0] or "/"]
    directory = KINDS["dir"]
    return [
        (b".", node.number, directory),
        (b"..", parent, directory),
        *((name, placed.inodes[path], placed.kinds.get(path, directory)) for name, path in node.names),
    ]


def write_blocks(volume: Volume, blocks: Iterator[tuple[int, bytes]]) -> None:
    """Write blocks; neighbours are written at once."""
    run: list[bytes] = []
    begin = 0
    for place, data in sorted(blocks):
        if place != begin + len(run):
            if run:
                volume.write(begin, b"".join(run))
            begin, run = place, []
        run.append(data)
    if run:
        volume.write(begin, b"".join(run))


def write_inodes(volume: Volume, placed: Placed, geometry: Geometry, epoch: int) -> None:
    """Write all inodes of a tree, group by group, and the blocks that tell where large files lie."""
    by_group: dict[int, bytearray] = {}
    trees: dict[int, bytes] = {}
    for node in placed.nodes:
        group, index = geometry.place(node.number)
        if group.number not in by_group:
            by_group[group.number] = bytearray(volume.read(group.inode_table, geometry.table_blocks))
        seed = inode_seed(geometry.seed, node.number)
        body, tree = body_of(node, seed)
        trees |= tree
        at = index * geometry.inode_size
        by_group[group.number][at : at + geometry.inode_size] = pack(told(node, body, epoch), epoch, seed)
    for number, table in by_group.items():
        group = geometry.groups[number]
        used = min(placed.used - number * geometry.inodes_per_group, geometry.inodes_per_group)
        # What is behind the last inode stays a hole.
        volume.write(group.inode_table, bytes(table[: -(-used * geometry.inode_size // BLOCK) * BLOCK]))
    write_blocks(volume, iter(trees.items()))


def body_of(node: Node, seed: int) -> tuple[bytes, dict[int, bytes]]:
    """The 60 bytes in the middle of an inode, and the blocks that they lead to."""
    if node.entry.kind in {"char", "block"}:
        return device_body(node.entry.target), {}
    if node.entry.kind == "symlink" and not node.extents:
        return os.fsencode(node.entry.target).ljust(60, b"\0"), {}
    if node.entry.kind in {"fifo", "socket"}:
        return bytes(60), {}
    places = iter(node.tree)
    return extent_tree(node.extents, lambda: next(places), seed)


def told(node: Node, body: bytes, epoch: int) -> Inode:
    """What a node's inode says."""
    entry = node.entry
    blocks = sum(extent.length for extent in node.extents)
    size = entry.size
    if entry.kind == "dir":
        size = blocks * BLOCK
    elif entry.kind == "symlink":
        size = len(os.fsencode(entry.target))
    extents = entry.kind in {"file", "dir"} or (entry.kind == "symlink" and size > FAST_LINK)
    every = blocks + len(node.tree) + bool(node.attribute_block)
    return Inode(
        kind=entry.kind,
        mode=entry.mode,
        uid=entry.uid,
        gid=entry.gid,
        size=size,
        mtime=min(entry.mtime, epoch),
        links=node.links,
        sectors=sectors(every, BLOCK),
        body=body,
        has_extents=extents,
        attribute_block=node.attribute_block,
        attributes=b"" if node.attribute_block else in_inode(node.attributes),
    )


def write_tables(
    volume: Volume,
    described: bytes,
    geometry: Geometry,
    before: list[int],
    placed: Placed,
) -> None:
    """Bring maps, descriptors and superblock up to date, and their copies."""
    directories = [node.number for node in placed.nodes if node.entry.kind == "dir"]
    taken = tables.taken_now(
        before, geometry, placed.free, placed.used, [*directories, placed.inodes["/lost+found"]]
    )
    write_blocks(volume, tables.maps(geometry, taken))
    rows = tables.descriptors(described[: len(geometry.groups) * geo.DESCRIPTOR], geometry, taken)
    rows += described[len(rows) :]
    for group in geometry.groups:
        if not group.has_copy:
            continue
        head = volume.read(group.first)
        at = geo.SUPERBLOCK if group.number == 0 else 0
        old = head[at : at + tables.SUPERBLOCK_SIZE]
        new = tables.superblock(old, taken, geometry)
        volume.write(group.first, head[:at] + new + head[at + tables.SUPERBLOCK_SIZE :] + rows)


def write_files(volume: Volume, placed: Placed, open_file: Opener) -> list[Piece]:
    """Copy the contents of all files, first to last on the disk."""
    pieces = []
    shift = volume.start // BLOCK
    for node in placed.nodes:
        entry = node.entry
        if entry.kind != "file" or not node.extents:
            continue
        with open_file(entry.path) as stream:
            for extent in node.extents:
                copy(stream.fileno(), volume, extent.logical, extent.physical, extent.length, entry)
                pieces.append(Piece(shift + extent.physical, extent.length, entry.sha256, extent.logical))
    return sorted(pieces, key=lambda piece: piece.block)


def copy(source: int, volume: Volume, logical: int, physical: int, length: int, entry: TreeEntry) -> None:
    """Copy a part of a file, within the kernel."""
    offset = logical * BLOCK
    left = min(length * BLOCK, entry.size - offset)
    os.lseek(volume.disk, volume.start + physical * BLOCK, os.SEEK_SET)
    while left:
        done = os.sendfile(volume.disk, source, offset, left)
        if not done:
            raise IntegrityError(
                f"{entry.path!r} has become shorter than the {entry.size} bytes it was recorded with",
                hint="something changes files in GOLDSMITH_HOME/cache; build again with --no-cache",
            )
        offset += done
        left -= done
