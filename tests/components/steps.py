"""Steps in short words, and what they gave."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from goldsmith.builder.components.result import DocumentResult

Runner = Callable[..., DocumentResult]
HELLO = b"hello\n"
MD5, SHA1 = hashlib.md5(HELLO).hexdigest(), hashlib.sha1(HELLO).hexdigest()
SHA256, SHA512 = hashlib.sha256(HELLO).hexdigest(), hashlib.sha512(HELLO).hexdigest()


def one(action: str, *sets: str) -> str:
    return f"- name: Do\n  action: {action}\n  inputs:\n" + "".join(f"  - {{{inputs}}}\n" for inputs in sets)


def shape(path: Path) -> str:
    """A file, folder or link in one line: kind, mode, owner, content."""
    facts = path.lstat()
    if path.is_symlink():
        return f"-> {os.readlink(path)}"
    owner = f"{facts.st_uid}:{facts.st_gid}"
    if path.is_dir():
        return f"{facts.st_mode & 0o7777:04o} {owner} {sorted(os.listdir(path))}"
    return f"{facts.st_mode & 0o7777:04o} {owner} {path.read_bytes().decode('latin1')!r}"


def outputs(result: DocumentResult) -> dict[str, str]:
    assert result.failures == ()
    return result.phases[0].steps[0].outputs[0]
