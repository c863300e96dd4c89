"""What kind of content a file has, by its first bytes."""

HEAD = 4096
"""Bytes that are looked at."""
BEGINNINGS = {
    b"\x7fELF": "program",
    b"#!": "script",
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\xfd7zXZ\x00": "xz",
    b"BZh": "bzip2",
    b"PK\x03\x04": "zip",
    b"!<arch>\n": "archive",
    b"070701": "cpio",
    b"\x89PNG": "picture",
    b"\xff\xd8\xff": "picture",
    b"GIF8": "picture",
    b"SQLite format 3\x00": "database",
    b"-----BEGIN ": "certificate or key",
    b"\xde\x12\x04\x95": "translation",
    b"MZ": "boot program",
}
SUFFIXES = {".pyc": "bytecode", ".ko": "kernel module", ".ko.xz": "kernel module", ".ko.zst": "kernel module"}
CONTROL = frozenset(range(32)) - {7, 8, 9, 10, 12, 13, 27}


def kind_of(path: str, head: bytes) -> str:
    """One word for a file's content: ``text``, ``program``, ``script``, ``data`` …; empty files are ``empty``."""
    if not head:
        return "empty"
    by_suffix = (kind for suffix, kind in SUFFIXES.items() if path.endswith(suffix))
    by_beginning = (kind for beginning, kind in BEGINNINGS.items() if head.startswith(beginning))
    known = next(by_suffix, "") or next(by_beginning, "")
    if known:
        return known
    if not is_text(head):
        return "data" if any(head) else "zeros"
    return "settings" if path.startswith("/etc/") else "text"


def is_text(head: bytes) -> bool:
    """Whether these are bytes that a person can read, as far as they go; the last letter may be cut."""
    try:
        text = head.decode()
    except UnicodeDecodeError as error:
        if error.reason != "unexpected end of data":
            return False
        text = head[: error.start].decode()
    return not any(ord(letter) in CONTROL for letter in text)
