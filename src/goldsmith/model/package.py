"""What an unpacked .deb holds, as frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """One path of a package's data archive."""

    path: str
    """Without a leading slash, as dpkg's own list has it (``usr/bin/env``); the root itself is the empty text."""
    kind: str
    """``file``, ``dir``, ``symlink`` or ``hardlink``."""
    mode: int
    """Permission bits."""
    uid: int
    gid: int
    mtime: int
    """Seconds since 1970."""
    size: int = 0
    """Bytes of a regular file."""
    sha256: str = ""
    """Of a regular file's bytes, in hexadecimal."""
    target: str = ""
    """Where a symbolic link points; the path a hard link shares its file with."""
    capability: str = ""
    """The file's capabilities, the bytes of ``security.capability`` in hexadecimal."""


@dataclass(frozen=True, slots=True)
class Package:
    """A .deb that has been unpacked."""

    fields: Mapping[str, str]
    """The control file's fields, by their names there; folded lines keep their line breaks and first space."""
    scripts: frozenset[str]
    """Names of the members of the control archive (``postinst``, ``md5sums`` ...), but for ``control``."""
    entries: tuple[Entry, ...]
    """All paths, in the archive's order."""

    @property
    def name(self) -> str:
        """The package's name."""
        return self.fields["Package"]

    @property
    def info_name(self) -> str:
        """How dpkg names the package's files in its database: with the architecture where several may be installed."""
        if self.fields.get("Multi-Arch") == "same":
            return f"{self.name}:{self.fields['Architecture']}"
        return self.name
