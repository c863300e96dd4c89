"""The members of a tar archive: POSIX ustar and pax, GNU's long names; nothing is written, and only headers are read.

Facts: POSIX ``pax``, "ustar Interchange Format"; GNU tar's manual, "Basic Tar Format"; extended attributes as
``SCHILY.xattr.NAME``.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from goldsmith.disk.read.area import Area, malformed, refused
from goldsmith.disk.read.ext4.attributes import KEPT

RECORD = 512
KINDS = {b"0": "file", b"\0": "file", b"7": "file", b"1": "hardlink", b"2": "symlink", b"3": "char", b"4": "block",
         b"5": "dir", b"6": "fifo"}  # fmt: skip
LONG_NAME, LONG_TARGET, PAX, PAX_GLOBAL = b"L", b"K", b"x", b"g"
HEADERS = {LONG_NAME, LONG_TARGET, PAX, PAX_GLOBAL}
LARGEST_HEADER = 1 << 20
"""Bytes of a pax header or a long name, at most."""
SPARSE = b"S"


@dataclass(frozen=True, slots=True)
class Member:
    """One member of an archive, as its header has it."""

    name: str
    """As it is written: it may hold anything."""
    kind: str
    """``file``, ``hardlink``, ``symlink``, ``char``, ``block``, ``dir`` or ``fifo``."""
    mode: int
    uid: int
    gid: int
    mtime: int
    size: int
    """Bytes of a file."""
    place: int
    """Where they begin: in the file that the archive lies in, which may hold more."""
    target: str = ""
    """Of a link."""
    xattrs: tuple[tuple[str, str], ...] = ()


def members(archive: Area) -> Iterator[Member]:
    """All members, in their order.

    Raises:
        InputError: the archive is damaged or cut off, or holds what is not read.
    """
    at = 0
    everywhere: dict[bytes, bytes] = {}
    pax: dict[bytes, bytes] = {}
    while at + RECORD <= archive.size:
        head = archive.read(at, RECORD)
        if head.count(0) == RECORD:
            return
        _check(head, at)
        kind, size = head[156:157], _number(head[124:136])
        at += RECORD
        if kind in HEADERS:
            if not 0 <= size <= LARGEST_HEADER:
                raise malformed(f"a header of the archive has {size} bytes")
            data = archive.read(at, size)
            at += size + -size % RECORD
            if kind == PAX_GLOBAL:
                everywhere.update(_records(data))
            elif kind == PAX:
                pax.update(_records(data))
            else:
                pax[b"path" if kind == LONG_NAME else b"linkpath"] = data.rstrip(b"\0")
            continue
        member = _member(head, {**everywhere, **pax}, archive.start + at)
        pax = {}
        if at + member.size > archive.size:
            raise malformed(f"the archive is cut off within {member.name!r:.200}")
        yield member
        at += member.size + -member.size % RECORD
    raise malformed("the archive is cut off: it has no end")


def looks_like_tar(head: bytes) -> bool:
    """Whether a file that begins so is a tar archive."""
    return len(head) >= RECORD and head[257:262] == b"ustar" and _sum(head) == _number(head[148:156])


def _sum(head: bytes) -> int:
    return sum(head) - sum(head[148:156]) + 8 * 0x20


def _check(head: bytes, at: int) -> None:
    if _number(head[148:156]) != _sum(head):
        raise malformed(f"the archive is damaged at byte {at}: a header has the wrong checksum")


def _number(field: bytes) -> int:
    """A number in octal digits, or with the first bit set in base 256."""
    if field[0] & 0x80:
        value = int.from_bytes(field, "big") & ((1 << (8 * len(field) - 1)) - 1)
        return value - (1 << (8 * len(field) - 1)) if field[0] & 0x40 else value
    text = field.strip(b" \0")
    if not text:
        return 0
    if not text.isdigit():
        raise malformed(f"a number in the archive is {text!r:.20}")
    try:
        return int(text, 8)
    except ValueError as error:
        raise malformed(f"a number in the archive is {text!r:.20}") from error


def _records(data: bytes) -> dict[bytes, bytes]:
    """The records ``LENGTH KEY=VALUE`` of a pax header."""
    found = {}
    at = 0
    while at < len(data) and data[at : at + 1] != b"\0":
        digits, space, _ = data[at : at + 20].partition(b" ")
        if not space or not digits.isdigit():
            raise malformed("a pax header of the archive is damaged")
        record = data[at + len(digits) + 1 : at + int(digits)]
        key, equals, value = record.partition(b"=")
        if not equals or not value.endswith(b"\n") or int(digits) <= len(digits):
            raise malformed("a pax header of the archive is damaged")
        found[key] = value[:-1]
        at += int(digits)
    return found


def _decimal(pax: Mapping[bytes, bytes], key: bytes, plain: int) -> int:
    value = pax.get(key)
    if value is None:
        return plain
    whole = value.partition(b".")[0]
    if not whole.removeprefix(b"-").isdigit() or len(whole) > 20:  # noqa: PLR2004 - 64 bits
        raise malformed(f"a number in the archive is {value!r:.40}")
    return int(whole)


def _member(head: bytes, pax: Mapping[bytes, bytes], place: int) -> Member:
    raw = head[:100].partition(b"\0")[0]
    if head[257:263] == b"ustar\0" and head[345]:
        raw = head[345:500].partition(b"\0")[0] + b"/" + raw
    name = os.fsdecode(pax.get(b"path", raw))
    kind = head[156:157]
    if kind == SPARSE or any(key.startswith(b"GNU.sparse.") for key in pax):
        raise refused(f"the archive holds {name!r:.200} as a sparse file", "make it without tar's --sparse")
    if kind not in KINDS:
        raise malformed(f"the archive holds {name!r:.200} of the unknown kind {kind!r}")
    named = KINDS[kind]
    if named == "file" and name.endswith("/"):  # as the oldest archives have directories
        named = "dir"
    size = _decimal(pax, b"size", _number(head[124:136]))
    if size < 0 or (size and named != "file" and kind not in {b"1", b"5"}):
        raise malformed(f"{name!r:.200} in the archive has {size} bytes")
    target = os.fsdecode(pax.get(b"linkpath", head[157:257].partition(b"\0")[0]))
    if "\0" in name or "\0" in target:
        raise malformed("a name in the archive has a zero byte")
    uid = _decimal(pax, b"uid", _number(head[108:116]))
    gid = _decimal(pax, b"gid", _number(head[116:124]))
    if not 0 <= uid < 1 << 32 or not 0 <= gid < 1 << 32:
        raise malformed(f"{name!r:.200} in the archive belongs to {uid}:{gid}")
    prefix = b"SCHILY.xattr."
    attributes = sorted(
        (os.fsdecode(key.removeprefix(prefix)), value.hex())
        for key, value in pax.items()
        if key.startswith(prefix) and os.fsdecode(key.removeprefix(prefix)).startswith(KEPT)
    )
    return Member(
        name,
        named,
        _number(head[100:108]) & 0o7777,
        uid,
        gid,
        _decimal(pax, b"mtime", _number(head[136:148])),
        size if named == "file" else 0,
        place,
        target,
        tuple(attributes),
    )
