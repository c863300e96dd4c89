"""Which files of a tree are as their packages ship them: examples in documentation are no leaks.

A package that goldsmith has fetched itself, signed index and digest checked, is compared by SHA-256. Of others the
tree's own lists of MD5 sums are believed, which whoever made the image could have changed; the report says so.
"""

import _imp
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from goldsmith.builder.deb import package_from_json
from goldsmith.builder.debs import VERSION
from goldsmith.store.home import Home

STATUS = "/var/lib/dpkg/status"
INFO = "/var/lib/dpkg/info/"
HEAD = 16 << 10
"""Bytes of a package's list within which its name and version stand."""
CONFFILE = re.compile(r"^ (/\S+) ([0-9a-f]{32})(?: obsolete)?$", re.MULTILINE)

BYTECODE = re.compile(r"(.*)/__pycache__/([^/]+)\.cpython-\d+\.pyc")
"""Made when a package is set up, from the source beside it."""


def wanted(path: str) -> bool:
    """Whether a file says which package ships what."""
    return path == STATUS or (path.startswith(INFO) and path.endswith(".md5sums"))


@dataclass(slots=True)
class Packaged:
    """What packages ship, of one tree; lists are read when the first question comes."""

    kept: Mapping[str, bytes]
    """The files of the tree that ``wanted`` named, by path."""
    read: Callable[[str], bytes]
    """The bytes of a file of the tree."""
    real: Callable[[str], str]
    """A path without links."""
    home: Home | None = None
    """Where packages that were fetched lie."""
    believed: set[str] = field(default_factory=set)
    """Paths that were judged by MD5 sums."""
    _sums: dict[str, tuple[str, str]] | None = None
    _shipped: dict[tuple[str, str], Mapping[str, str] | None] = field(default_factory=dict)
    _answers: dict[str, bool] = field(default_factory=dict)

    def vouches(self, path: str) -> bool:
        """Whether a file is as its package ships it."""
        if path not in self._answers:
            self._answers[path] = self._judge(path)
        return self._answers[path]

    def _judge(self, path: str) -> bool:
        source = BYTECODE.fullmatch(path)
        if source:
            return self._is_compiled(path, f"{source[1]}/{source[2]}.py")
        script = path.startswith(INFO)
        package, md5 = self._owner(path) if not script else (path.removeprefix(INFO).rpartition(".")[0], "")
        if not package:
            return False
        data = self.read(path)
        shipped = self._files_of(package)
        if shipped is not None:
            digest = hashlib.sha256(data).hexdigest()
            return shipped.get(path) == digest
        if md5 and hashlib.md5(data, usedforsecurity=False).hexdigest() == md5:
            self.believed.add(path)
            return True
        return False

    def _is_compiled(self, path: str, source: str) -> bool:
        """Whether byte code says that it was made from the very source that a package ships."""
        if not self._owner(source)[0] or not self.vouches(source):
            return False
        head, text = self.read(path)[:16], self.read(source)
        if head[4:8] == bytes(4):  # PEP 552: the source's time and size
            return int.from_bytes(head[12:16], "little") == len(text) & 0xFFFF_FFFF
        return head[8:16] == _imp.source_hash(int.from_bytes(head[:4], "little"), text)

    def _owner(self, path: str) -> tuple[str, str]:
        """The package of a path, as dpkg's files call it, and the MD5 sum that it has there."""
        if self._sums is None:
            self._sums = {self.real(found): row for found, row in self._rows()}
        return self._sums.get(path, ("", ""))

    def _rows(self) -> Iterator[tuple[str, tuple[str, str]]]:
        for name, data in self.kept.items():
            if name != STATUS:
                package = name.removeprefix(INFO).removesuffix(".md5sums")
                for line in data.decode(errors="surrogateescape").splitlines():
                    md5, _, path = line.partition("  ")
                    yield f"/{path}", (package, md5)
        for fields in self._stanzas():
            package = fields.partition("\n")[0].removeprefix("Package: ")
            for path, md5 in CONFFILE.findall(fields):
                yield path, (package, md5)

    def _stanzas(self) -> list[str]:
        text = self.kept.get(STATUS, b"").decode(errors="surrogateescape")
        return [stanza for stanza in text.split("\n\n") if stanza.startswith("Package: ")]

    def _files_of(self, package: str) -> Mapping[str, str] | None:
        """SHA-256 by path of what a fetched package ships, its scripts too; None if it is not here."""
        name, _, wanted_architecture = package.partition(":")
        for stanza in self._stanzas():
            if not stanza.startswith(f"Package: {name}\n"):
                continue
            fields = dict(re.findall(r"^(Version|Architecture): (.*)$", stanza, re.MULTILINE))
            if wanted_architecture in {"", fields.get("Architecture")}:
                key = (package, fields.get("Version", ""))
                if key not in self._shipped:
                    self._shipped[key] = self._fetched(package, {"Package": name, **fields})
                return self._shipped[key]
        return None

    def _fetched(self, package: str, fields: Mapping[str, str]) -> Mapping[str, str] | None:
        if self.home is None:
            return None
        marks = [f"{json.dumps(name)}: {json.dumps(value)}".encode() for name, value in fields.items()]
        for index in (self.home / f"cache/debs-{VERSION}").glob("*/package.json"):
            with index.open("rb") as stream:
                head = stream.read(HEAD)
            if all(mark in head for mark in marks):
                found = package_from_json(json.loads(index.read_bytes()))
                files = {f"/{entry.path}": entry.sha256 for entry in found.entries if entry.kind == "file"}
                scripts = {
                    f"{INFO}{package}.{script.name}": hashlib.sha256(script.read_bytes()).hexdigest()
                    for script in index.with_name("control").iterdir()
                    if script.is_file()
                }
                return {self.real(path): digest for path, digest in (files | scripts).items()}
        return None
