"""One YAML document as nodes that know their place.

The rules are those of YAML 1.2's core schema, but stricter where a reader could be fooled:

- ``true`` and ``false`` are booleans; ``yes``, ``no``, ``on`` and ``off`` are words.
- ``644``, ``0o644`` and ``0x1a4`` are numbers; ``0644``, ``1_000``, ``12:30`` and dates are texts.
- A key stands once in a mapping. Merge keys (``<<``), tags but ``!!str``, and a second document are refused.
- An alias may not contain itself, and all aliases together may not blow up the document.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import yaml

from goldsmith.errors import InputError, Place
from goldsmith.recipe.syntax import broken_syntax

Kind = Literal["null", "bool", "int", "float", "str", "list", "map"]
Scalar = str | int | float | bool | None

MAX_BYTES = 4 << 20
MAX_NODES = 100_000
MAX_DEPTH = 100
STR_TAG = "tag:yaml.org,2002:str"
# A number nobody writes; int() itself refuses from 4,300 digits on.
MAX_DIGITS = 100

NULL = re.compile(r"|~|null|Null|NULL")
BOOL = re.compile(r"(?P<true>true|True|TRUE)|false|False|FALSE")
DECIMAL = re.compile(r"[-+]?(0|[1-9][0-9]*)")
OCTAL = re.compile(r"0o[0-7]+")
HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
SPECIAL_FLOAT = re.compile(r"[-+]?(\.inf|\.Inf|\.INF)|\.nan|\.NaN|\.NAN")
UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Node:
    """A value of the document, and where it stands."""

    kind: Kind
    """What it is; an alias is what it stands for."""
    place: Place
    """Where it starts."""
    value: Scalar = None
    """The scalar as a Python value; None for lists and maps."""
    raw: str = ""
    """The scalar's text as it is written, without quotes."""
    quoted: bool = False
    """Whether the scalar is written in quotes or as a block, so that it is a text whatever it looks like."""
    is_spliced: bool = False
    """Whether variables were put into it, so that it may be a text, a number or a boolean: whichever is wanted."""
    items: tuple["Node", ...] = ()
    """The values of a list."""
    entries: tuple[tuple["Node", "Node"], ...] = ()
    """The keys and values of a map, in the file's order; a key is a scalar, and its name is its ``raw``."""

    def plain(self) -> object:
        """The same as Python's own kinds; a map's keys are texts."""
        if self.kind == "list":
            return [item.plain() for item in self.items]
        if self.kind == "map":
            return {key.raw: value.plain() for key, value in self.entries}
        return self.value

    def get(self, key: str) -> "Node | None":
        """The value of a map's key, or None where there is no such key, or no map."""
        return next((value for name, value in self.entries if name.raw == key), None)


def read_document(path: Path, file: str = "") -> Node:
    """Read and load a file; ``file`` is its name in messages.

    Raises:
        InputError: the file is missing, too large, not UTF-8, or not one good document.
    """
    name = file or str(path)
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise InputError(
            f"cannot read {name!r}: {getattr(error, 'strerror', None) or error}",
            hint="check the path; it is relative to where the command runs or to the file that names it",
        ) from error
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line = before.count(b"\n") + 1
        column = len(before[before.rfind(b"\n") + 1 :].decode(errors="replace")) + 1
        raise InputError(
            f"the file is not UTF-8: byte 0x{data[error.start]:02x} fits no character",
            hint="save the file as UTF-8",
            where=Place(name, line, column),
        ) from None
    return load(text, name)


def load(text: str, file: str, *, with_libyaml: bool = yaml.__with_libyaml__) -> Node:
    """Load one document.

    Args:
        text: the file's text.
        file: the file's name, for the places.
        with_libyaml: whether libyaml parses, which is ten times as fast; else PyYAML's own parser does.

    Raises:
        InputError: at the first thing that is wrong, with its place.
    """
    _refuse_odd_text(text, file)
    composer = _Composer(file)
    try:
        loader = yaml.CBaseLoader if with_libyaml else yaml.BaseLoader
        for event in yaml.parse(text, Loader=loader):
            composer.take(event)
    except yaml.MarkedYAMLError as error:
        raise broken_syntax(error, text, file) from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        # PyYAML's own parser lets chr() fail on an escape such as "\UFFFFFFFF".
        hint = "look for escapes in double quotes that name no character"
        raise InputError(f"this is not YAML: {error}", hint=hint, where=Place(file)) from error
    root = composer.root
    if root is None or (root.kind == "null" and not root.raw):
        raise InputError(
            "the file is empty", hint="write at least the keys that are required", where=Place(file)
        )
    return root


def _refuse_odd_text(text: str, file: str) -> None:
    """Refuse what no YAML parser should see."""
    if len(text) > MAX_BYTES or len(text.encode(errors="replace")) > MAX_BYTES:
        raise InputError(
            f"the file is larger than {MAX_BYTES >> 20} MiB",
            hint="keep large contents in files beside it",
            where=Place(file),
        )
    odd = UNPRINTABLE.search(text, 1 if text.startswith("\ufeff") else 0)
    if odd:
        line = text.count("\n", 0, odd.start()) + 1
        column = odd.start() - text.rfind("\n", 0, odd.start())
        raise InputError(
            f"the character U+{ord(odd.group()):04X} is not allowed in YAML",
            hint='remove it, or write it as an escape in double quotes, as in "\\x1b"',
            where=Place(file, line, column),
        )


@dataclass(slots=True)
class _Open:
    """A list or map whose end has not been read."""

    kind: Literal["list", "map"]
    place: Place
    anchor: str | None
    nodes_before: int
    items: list[Node] = field(default_factory=list)
    entries: list[tuple[Node, Node]] = field(default_factory=list)
    key: Node | None = None
    keys: dict[str, Place] = field(default_factory=dict)


@dataclass(slots=True)
class _Composer:
    """Makes nodes from events with a stack of its own, so that no depth can exhaust Python's or C's."""

    file: str
    root: Node | None = None
    documents: int = 0
    nodes: int = 0
    stack: list[_Open] = field(default_factory=list)
    anchors: dict[str, tuple[Node, int]] = field(default_factory=dict)

    def take(self, event: yaml.Event) -> None:
        """Go one event on."""
        mark = event.start_mark
        place = Place(self.file, mark.line + 1, mark.column + 1) if mark else Place(self.file)
        if isinstance(event, yaml.ScalarEvent):
            self._count(1, place)
            self._add(_scalar(event, place), event.anchor, 1)
        elif isinstance(event, yaml.SequenceStartEvent | yaml.MappingStartEvent):
            self._open(event, place)
        elif isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
            self._close()
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event, place)
        elif isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                raise InputError(
                    "a second document starts here, and a file holds one",
                    hint="remove the '---', or write the other document to a file of its own",
                    where=place,
                )

    def _open(self, event: yaml.SequenceStartEvent | yaml.MappingStartEvent, place: Place) -> None:
        if event.tag is not None:
            raise _refused_tag(event.tag, place)
        if len(self.stack) >= MAX_DEPTH:
            raise InputError(
                f"more than {MAX_DEPTH} lists and maps inside each other",
                hint="nothing that goldsmith reads is that deep; look for brackets that are not closed",
                where=place,
            )
        self._count(1, place)
        kind: Literal["list", "map"] = "list" if isinstance(event, yaml.SequenceStartEvent) else "map"
        self.stack.append(_Open(kind, place, event.anchor, self.nodes - 1))

    def _close(self) -> None:
        done = self.stack.pop()
        node = Node(done.kind, done.place, items=tuple(done.items), entries=tuple(done.entries))
        self._add(node, done.anchor, self.nodes - done.nodes_before)

    def _alias(self, event: yaml.AliasEvent, place: Place) -> None:
        name = event.anchor
        if any(frame.anchor == name for frame in self.stack):
            raise InputError(
                f"the alias '*{name}' stands inside the value it names",
                hint="a value cannot contain itself; write it out",
                where=place,
            )
        if name not in self.anchors:
            raise InputError(
                f"the alias '*{name}' has no anchor '&{name}' above it",
                hint="quote a text that starts with '*'; an anchor must come before its aliases",
                where=place,
            )
        node, size = self.anchors[name]
        self._count(size, place)
        self._add(node, None, size)

    def _count(self, size: int, place: Place) -> None:
        self.nodes += size
        if self.nodes > MAX_NODES:
            raise InputError(
                f"more than {MAX_NODES:,} values, counting what aliases stand for",
                hint="write smaller documents; aliases of aliases multiply",
                where=place,
            )

    def _add(self, node: Node, anchor: str | None, size: int) -> None:
        if anchor is not None:
            self.anchors[anchor] = (node, size)
        if not self.stack:
            self.root = node
            return
        top = self.stack[-1]
        if top.kind == "list":
            top.items.append(node)
        elif top.key is None:
            _check_key(top, node)
            top.key = node
        else:
            top.entries.append((top.key, node))
            top.key = None


def _check_key(owner: _Open, key: Node) -> None:
    """Refuse keys that have no name, or a name that was used before."""
    if key.kind in {"list", "map"}:
        raise InputError(
            f"a key is a text, and this one is a {key.kind}",
            hint="quote a value that starts with '{' or '[', as in \"{{ name }}\"",
            where=key.place,
        )
    if key.raw == "<<" and not key.quoted:
        raise InputError(
            "merge keys ('<<') are not supported",
            hint="write the keys out, or use an alias for the whole value",
            where=key.place,
        )
    first = owner.keys.setdefault(key.raw, key.place)
    if first is not key.place:
        raise InputError(
            f"the key {key.raw!r} stands twice; the first is at line {first.line}, column {first.column}",
            hint="keep one of the two; a second one would silently replace the first",
            where=key.place,
        )


def _refused_tag(tag: str, place: Place) -> InputError:
    short = tag.replace("tag:yaml.org,2002:", "!!")
    return InputError(
        f"the tag {short!r} is not supported",
        hint="remove it; quote a text that starts with '!'",
        where=place,
    )


def _scalar(event: yaml.ScalarEvent, place: Place) -> Node:
    """A scalar by the rules at the top of this file."""
    raw = event.value
    if event.tag not in {None, "!", STR_TAG}:
        raise _refused_tag(str(event.tag), place)
    # The two parsers name the plain style differently: '' and None.
    if event.tag is not None or event.style:
        return Node("str", place, raw, raw, quoted=True)
    return plain_scalar(raw, place)


def plain_scalar(raw: str, place: Place) -> Node:
    """An unquoted text as the scalar it is."""
    kind, value = _core(raw)
    return Node(kind, place, value, raw)


def _core(raw: str) -> tuple[Kind, Scalar]:
    """What a plain scalar is, and its value."""
    kind: Kind = "str"
    value: Scalar = raw
    if NULL.fullmatch(raw):
        kind, value = "null", None
    elif found := BOOL.fullmatch(raw):
        kind, value = "bool", found["true"] is not None
    elif len(raw) > MAX_DIGITS:
        pass
    elif DECIMAL.fullmatch(raw) or OCTAL.fullmatch(raw) or HEXADECIMAL.fullmatch(raw):
        kind, value = "int", int(raw, 0)
    elif FLOAT.fullmatch(raw):
        kind, value = "float", float(raw)
    elif SPECIAL_FLOAT.fullmatch(raw):
        kind, value = "float", float(raw.replace(".", ""))
    return kind, value
