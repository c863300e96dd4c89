"""The bytes of a tar header (POSIX pax), one form for one entry.

Facts: POSIX ``pax``, section "ustar Interchange Format"; extended attributes as ``SCHILY.xattr.NAME`` with the value's
own bytes, as GNU tar, libarchive and Go read them. Numbers and names that fit stand in the plain header, the others
in a pax header before it.
"""

import os

from goldsmith.errors import UsageError
from goldsmith.model.tree import TreeEntry

RECORD = 512
END = bytes(2 * RECORD)
"""What ends an archive."""
TYPES = {
    "file": b"0",
    "hardlink": b"1",
    "symlink": b"2",
    "char": b"3",
    "block": b"4",
    "dir": b"5",
    "fifo": b"6",
}
DEVICES = {"char", "block"}
NAME_LENGTH = 100
LARGEST = {"uid": 0o7777777, "gid": 0o7777777, "size": 0o77777777777, "mtime": 0o77777777777}


def header(entry: TreeEntry, *, link_to: str = "") -> bytes:
    """An entry's header, with its pax header where it needs one; a multiple of 512 bytes.

    Args:
        entry: what is archived; sockets have no form in tar and must be left out.
        link_to: the path of an entry before this one that it is a hard link to; its size is then 0.

    Raises:
        UsageError: the entry is of a kind that an archive made of a tree cannot hold.
    """
    kind = "hardlink" if link_to else entry.kind
    if kind not in TYPES:
        raise UsageError(
            f"{entry.path!r} is a {kind}, which cannot be stored",
            hint="leave it out of the tree; the system makes it when it starts",
        )
    name = os.fsencode(entry.path.lstrip("/") or ".") + (b"/" if kind == "dir" else b"")
    link = os.fsencode(link_to.lstrip("/")) if link_to else os.fsencode(entry.target)
    device = entry.target if kind in DEVICES else ""
    if device:
        link = b""
    numbers = {
        "uid": entry.uid,
        "gid": entry.gid,
        "size": entry.size if kind == "file" else 0,
        "mtime": entry.mtime,
    }
    records: dict[bytes, bytes] = {}
    for key, number in numbers.items():
        if not 0 <= number <= LARGEST[key]:
            records[key.encode()] = str(number).encode()
            numbers[key] = 0
    if len(name) > NAME_LENGTH or not _is_text(name):
        records[b"path"] = name
    if len(link) > NAME_LENGTH or not _is_text(link):
        records[b"linkpath"] = link
    for attribute, value in entry.xattrs:
        records[b"SCHILY.xattr." + os.fsencode(attribute)] = bytes.fromhex(value)
    plain = _block(name, entry.mode, numbers, TYPES[kind], link, device)
    if not records:
        return plain
    body = b"".join(_record(key, records[key]) for key in sorted(records))
    zeros = {"uid": 0, "gid": 0, "size": len(body), "mtime": 0}
    return _block(b"././@PaxHeader", 0o644, zeros, b"x", b"") + padded(body) + plain


def padded(data: bytes) -> bytes:
    """Filled up with zeros to whole records."""
    return data + bytes(-len(data) % RECORD)


def _is_text(name: bytes) -> bool:
    try:
        name.decode("ascii")
    except UnicodeDecodeError:
        return False
    return True


def _record(key: bytes, value: bytes) -> bytes:
    """``LENGTH KEY=VALUE`` and a line feed, where the length counts itself."""
    rest = len(key) + len(value) + 3
    length = rest + len(str(rest))
    if len(str(length)) != len(str(rest)):
        length += 1
    return b"%d %s=%s\n" % (length, key, value)


def _block(
    name: bytes, mode: int, numbers: dict[str, int], kind: bytes, link: bytes, device: str = ""
) -> bytes:
    before = b"%s%07o\0%07o\0%07o\0%011o\0%011o\0" % (
        name[:NAME_LENGTH].ljust(NAME_LENGTH, b"\0"),
        mode,
        numbers["uid"],
        numbers["gid"],
        numbers["size"],
        numbers["mtime"],
    )
    after = b"%s%sustar\x0000" % (kind, link[:NAME_LENGTH].ljust(NAME_LENGTH, b"\0"))
    if device:
        major, minor = (int(number) for number in device.split(":"))
        after += bytes(64) + b"%07o\0%07o\0" % (major, minor)
    total = sum(before) + 8 * 0x20 + sum(after)
    return (before + b"%06o\0 " % total + after).ljust(RECORD, b"\0")
