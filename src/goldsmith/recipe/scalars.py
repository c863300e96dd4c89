"""Values that are written as one scalar: a row each, with its parser, its JSON Schema and its name in the docs."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

from goldsmith.errors import InputError
from goldsmith.model.recipe import Base, ComponentUse, PackageRequest
from goldsmith.recipe.document import Node
from goldsmith.recipe.found import found, wants_text

Parser = Callable[[Node, str], object]
"""Node and key's name (for messages) to the value; raises InputError."""


@dataclass(frozen=True, slots=True)
class ScalarKind:
    """A kind of value that one scalar holds."""

    name: str
    """What ``Says(scalar=...)`` calls it."""
    parse: Parser
    """From the node to the value."""
    schema: Mapping[str, object]
    """Its JSON Schema (of the scalar; a class's map form is added by the schema)."""
    words: str
    """Its type in the reference page."""


IMAGE = (
    r"\.{0,2}/.+|(oci:|docker://).+|[a-z0-9][a-z0-9._-]*(:\d+\.\d+\.\d+(-b[1-9]\d*)?|@sha256:[0-9a-f]{8,64})"
)
DISTRIBUTION = r"[a-z][a-z0-9]*:[a-z0-9][a-z0-9.-]*"
PACKAGE_NAME = r"[a-z0-9][a-z0-9+.-]*[a-z0-9+.](:(amd64|any|native))?"
"""An architecture after the name is apt's way to say what is so anyway; a '-' at the end is apt's way to remove."""
PACKAGE = rf"-?{PACKAGE_NAME}|{PACKAGE_NAME}=[A-Za-z0-9.+~:-]+|{PACKAGE_NAME}/[a-z0-9.-]+"
SIZE = r"([0-9]+(?:\.[0-9]+)?) ?(B|[KMGT]i?B)"
MODE = r"0?[0-7]{3,4}"
OWNER = r"[a-z_][a-z0-9_-]{0,31}|[0-9]{1,10}"
PORT = r"([0-9]+)(?:-([0-9]+))?:(?:tcp|udp)|[a-z0-9][a-z0-9-]*"
UNITS = {"B": 1} | {f"{letter}B": 1000**power for power, letter in enumerate("KMGT", start=1)}
UNITS |= {f"{letter}iB": 1024**power for power, letter in enumerate("KMGT", start=1)}
LAST_PORT = 65535
SETUID_AND_GROUP = ((0o4000, 0o100, "set-user-ID"), (0o2000, 0o010, "set-group-ID"))


def _text(node: Node, key: str, words: str) -> str:
    if node.kind != "str":
        raise wants_text(node, key, words)
    return node.raw


def base(node: Node, key: str) -> Base:
    """``debian:trixie``, or an image."""
    words = "DISTRIBUTION:SUITE, as in debian:trixie"
    if node.kind == "map":
        hint = "write it on one line without a space after the ':', as in debian:trixie"
        raise InputError(f"{key!r} wants {words}, and found a map", hint=hint, where=node.place)
    text = _text(node, key, words)
    if re.fullmatch(IMAGE, text):
        return Base("", "", image=text)
    if not re.fullmatch(DISTRIBUTION, text):
        hint = f"write {text}:SUITE, as in debian:trixie" if text.isalpha() else "write debian:trixie"
        raise InputError(f"{key!r} wants {words}, and found {text!r}", hint=hint, where=node.place)
    distribution, _, suite = text.partition(":")
    return Base(distribution, suite)


def package(node: Node, key: str) -> PackageRequest:
    """``name``, ``name=version``, ``name/suite`` or ``-name``."""
    if node.kind == "map":
        hint = "write name=version on one line; an item is a text"
        raise InputError(f"{key!r} wants names of packages, and found a map", hint=hint, where=node.place)
    text = _text(node, key, "the name of a package")
    if not re.fullmatch(PACKAGE, text):
        if " " in text:
            hint = "write one package an item: [a, b]"
        elif text != text.lower():
            hint = f"names of packages are in lower case: {text.lower()}"
        elif re.fullmatch(PACKAGE, text[:-1]) and text.endswith("-"):
            hint = f"write -{text[:-1]} to forbid it"
        elif re.fullmatch(rf"{PACKAGE_NAME}:[a-z0-9]+", text):
            hint = f"packages are of the image's architecture; write {text.partition(':')[0]}"
        else:
            hint = "write name, name=version, name/suite, or -name to forbid it; patterns are not supported"
        raise InputError(f"{key!r} holds {text!r}, which names no package", hint=hint, where=node.place)
    forbidden = text.startswith("-")
    words = re.fullmatch(
        r"(?P<name>[^:=/]+)(:[a-z0-9]+)?(=(?P<version>.+)|/(?P<suite>.+))?", text[forbidden:]
    )
    assert words
    version, suite = words["version"] or "", words["suite"] or ""
    return PackageRequest(words["name"], version, suite, forbidden, where=node.place)


def component(node: Node, key: str) -> ComponentUse:
    """A bare path; the map form is read as any class."""
    path = _text(node, key, "the path of a component document, or a map with 'path'")
    if not path:
        hint = "write the path of a document beside the recipe"
        raise InputError(f"{key!r} holds an empty path", hint=hint, where=node.place)
    return ComponentUse(path, where=node.place)


def size(node: Node, key: str) -> int | None:
    """``10 GiB``, ``512 MiB`` or bytes; None for ``minimal``."""
    if node.kind == "int" and isinstance(node.value, int):
        return node.value
    words = "a size, as in 10 GiB"
    if node.kind in {"null", "list", "map", "bool"}:
        raise wants_text(node, key, words)
    if node.raw == "minimal":
        return None
    match = re.fullmatch(SIZE, node.raw)
    amount = Decimal(match[1]) * UNITS[match[2]] if match else Decimal("0.5")
    if amount != int(amount):
        number = re.match(r"[0-9]+(\.[0-9]+)?", node.raw)
        example = f"{number[0]} GiB" if number else "10 GiB"
        hint = (
            f"write a number and KiB, MiB, GiB or TiB (or KB, MB, GB, TB for powers of 1000), as in {example}"
        )
        raise InputError(f"{key!r} wants {words}, and found {found(node)}", hint=hint, where=node.place)
    return int(amount)


def budget(node: Node, key: str) -> int:
    """A size that something is measured against."""
    value = size(node, key)
    if value is None:
        raise InputError(
            f"{key!r} cannot be {node.raw!r}", hint="write a size, as in 512 MiB", where=node.place
        )
    return value


def mode(node: Node, key: str) -> int:
    """Permission bits in octal, as they are written: ``0644`` and ``644`` are the same."""
    words = "permission bits in octal, as in 0644"
    if node.kind in {"null", "list", "map", "bool", "float"}:
        raise wants_text(node, key, words)
    digits = node.raw.removeprefix("0o")
    if not re.fullmatch(MODE, digits):
        if re.fullmatch(r"[-rwxsStT]{9,10}|[ugoa]*[-+=].*", node.raw):
            hint = "write the bits in octal: rw-r--r-- is 0644, rwxr-xr-x is 0755"
        else:
            hint = "write three or four digits from 0 to 7: 0644 for a file, 0755 for a program or directory"
        raise InputError(f"{key!r} wants {words}, and found {found(node)}", hint=hint, where=node.place)
    bits = int(digits, 8)
    owner = bits >> 6 & 7
    if (bits >> 3 & 7 | bits & 7) & ~owner:
        hint = "0644 is a file that all may read, 0755 a program; decimal numbers are not converted"
        message = f"{key!r} is {node.raw}, which gives others what the owner lacks"
        raise InputError(message, hint=hint, where=node.place)
    for bit, execute, name in SETUID_AND_GROUP:
        if bits & bit and not bits & execute:
            message = f"{key!r} is {node.raw}, which sets the {name} bit on what cannot be executed"
            hint = f"write {bits | execute:04o} or {bits & ~bit:04o}"
            raise InputError(message, hint=hint, where=node.place)
    return bits


def owner(node: Node, key: str) -> str:
    """A name or a number, kept as text."""
    words = "a name or a number"
    if node.kind not in {"str", "int"}:
        raise wants_text(node, key, words)
    if not re.fullmatch(OWNER, node.raw):
        hint = "write a name such as root or www-data, or a number such as 1000"
        raise InputError(f"{key!r} wants {words}, and found {found(node)}", hint=hint, where=node.place)
    return node.raw


def port(node: Node, key: str) -> str:
    """``22:tcp``, ``30000-32767:udp`` or a service's name."""
    words = "PORT:PROTOCOL, FROM-TO:PROTOCOL or a service's name"
    match = re.fullmatch(PORT, node.raw) if node.kind == "str" else None
    if match is None or match[0].isdecimal():
        digits = node.raw.isdecimal()
        hint = f"write {node.raw}:tcp" if digits else "write 22:tcp, 30000-32767:udp or ssh"
        raise InputError(f"{key!r} wants {words}, and found {found(node)}", hint=hint, where=node.place)
    if match[1]:
        first, last = int(match[1]), int(match[2] or match[1])
        if not 1 <= first <= last <= LAST_PORT:
            hint = f"ports are 1 to {LAST_PORT}, and a range goes upwards"
            raise InputError(
                f"{key!r} holds {node.raw!r}, which is no range of ports", hint=hint, where=node.place
            )
    return node.raw


def _row(name: str, parse: Parser, words: str, schema: Mapping[str, object]) -> tuple[str, ScalarKind]:
    return name, ScalarKind(name, parse, schema, words)


def _pattern(text: str) -> Mapping[str, object]:
    return {"type": "string", "pattern": f"^(?:{text})$"}


_NUMBER: Mapping[str, object] = {"type": "integer", "minimum": 0}

SCALARS: Mapping[str, ScalarKind] = MappingProxyType(
    dict(
        (
            _row("base", base, "`DISTRIBUTION:SUITE` or image", _pattern(f"{DISTRIBUTION}|{IMAGE}")),
            _row("package", package, "package", _pattern(PACKAGE)),
            _row("component", component, "path", {"type": "string", "minLength": 1}),
            _row("size", size, "size", {"anyOf": [_NUMBER, _pattern(f"minimal|{SIZE}")]}),
            _row("budget", budget, "size", {"anyOf": [_NUMBER, _pattern(SIZE)]}),
            _row("mode", mode, "octal mode", {"anyOf": [_NUMBER, _pattern(MODE)]}),
            _row("owner", owner, "name or number", {"anyOf": [_NUMBER, _pattern(OWNER)]}),
            _row("port", port, "port", _pattern(f"(?![0-9]+$)(?:{PORT})")),
        )
    )
)
"""All kinds by name."""
