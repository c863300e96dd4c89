"""Lock files: JSON with one line for each entry, so that a diff reads well; every field is checked when it is read."""

import json
import re
import typing
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

from goldsmith.effects import files
from goldsmith.errors import InputError, Place, StaleLock
from goldsmith.lock.position import position_of
from goldsmith.model.canonical import digest, plain
from goldsmith.model.lock import FORMAT, Lock, LockedPackage, LockedStage, ToolsLock
from goldsmith.model.said import Says
from goldsmith.store.home import Home

TOOLS_NAME = "goldsmith-tools.lock"
KINDS = {str: "a text", int: "a whole number"}
RENEW = "run `goldsmith lock RECIPE` to make it anew"

Read = TypeVar("Read", Lock, ToolsLock)


class _Wrong(Exception):
    """Something in a lock is wrong, at this place in its structure."""

    def __init__(self, message: str, path: tuple[str | int, ...]) -> None:
        super().__init__(message)
        self.message = message
        self.path = path


def lock_path(recipe: Path) -> Path:
    """Where a recipe's lock is: beside it, ``STEM.lock``."""
    return recipe.with_suffix(".lock")


def lock_text(lock: Lock | ToolsLock) -> str:
    """A lock as it is written."""
    values = {field.name: getattr(lock, field.name) for field in fields(lock)}
    if not values.get("base", True):
        del values["base"]  # most locks stand on a distribution
    ordered = {"format": values.pop("format"), **values}
    lines = [f"  {json.dumps(name)}: {_value_text(value)}" for name, value in ordered.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _value_text(value: object) -> str:
    if not isinstance(value, tuple) or not value:
        return json.dumps(plain(value), ensure_ascii=False)
    lines = [_entry_text(item) for item in value]
    return "[\n" + ",\n".join(lines) + "\n  ]"


def _entry_text(item: object) -> str:
    if not isinstance(item, LockedStage):
        return f"    {json.dumps(plain(item), ensure_ascii=False)}"
    packages = ",\n".join(f"      {json.dumps(plain(entry), ensure_ascii=False)}" for entry in item.packages)
    inner = f"[\n{packages}\n    ]" if packages else "[]"
    return f'    {{"name": {json.dumps(item.name)}, "packages": {inner}}}'


def parse_lock(text: str, file: str, kind: type[Read]) -> Read:
    """Read a lock's text.

    Args:
        text: the whole file.
        file: its name, for places.
        kind: ``Lock`` or ``ToolsLock``.

    Raises:
        InputError: it is damaged; the message names the place and the key.
    """
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        place = Place(file, error.lineno, error.colno)
        raise InputError(f"the lock is no JSON: {error.msg}", hint=RENEW, where=place) from error
    try:
        _check_format(data)
        return typing.cast("Read", _read_object(kind, data, ()))
    except _Wrong as wrong:
        line, column = position_of(text, wrong.path)
        raise InputError(wrong.message, hint=RENEW, where=Place(file, line, column)) from wrong


def _check_format(data: object) -> None:
    if not isinstance(data, dict):
        raise _Wrong("a lock is a JSON object", ())
    found = data.get("format")
    if found != FORMAT:
        raise _Wrong(
            f"this goldsmith reads locks of format {FORMAT}, and this one has {found!r}", ("format",)
        )


def _read_object(kind: type, data: object, path: tuple[str | int, ...]) -> object:
    if not isinstance(data, dict):
        raise _Wrong(f"{_key(path)} must be an object, and is {data!r:.60}", path)
    hints = get_type_hints(kind, include_extras=True)
    known = {field.name: field for field in fields(kind)}
    for name in data:
        if name not in known:
            raise _Wrong(f"{_key((*path, name))} is no key of a lock", (*path, name))
    values = {}
    for name, field in known.items():
        if name in data:
            values[name] = _read_value(hints[name], data[name], (*path, name))
        elif field.default is MISSING:
            raise _Wrong(f"{_key((*path, name))} is missing", path)
    return kind(**values)


def _read_value(hint: Any, data: object, path: tuple[str | int, ...]) -> object:
    kind, says = (
        (hint.__origin__, hint.__metadata__[0]) if get_origin(hint) is Annotated else (hint, Says(""))
    )
    if get_origin(kind) is tuple:
        if not isinstance(data, list):
            raise _Wrong(f"{_key(path)} must be a list, and is {data!r:.60}", path)
        values = tuple(
            _read_value(get_args(kind)[0], item, (*path, place)) for place, item in enumerate(data)
        )
        _refuse_twice(values, path)
        return values
    if is_dataclass(kind):
        return _read_object(typing.cast("type", kind), data, path)
    # bool is an int to Python, and no number to a reader of JSON.
    if not isinstance(data, kind) or isinstance(data, bool):
        raise _Wrong(f"{_key(path)} must be {KINDS[kind]}, and is {data!r:.60}", path)
    _check_said(says, data, path)
    return data


def _refuse_twice(values: tuple[Any, ...], path: tuple[str | int, ...]) -> None:
    seen = set()
    for place, value in enumerate(values):
        if isinstance(value, LockedPackage) and value.name in seen:
            raise _Wrong(f"{_key((*path, place))} is the second {value.name!r}", (*path, place))
        seen.add(getattr(value, "name", None))


def _check_said(says: Says, data: Any, path: tuple[str | int, ...]) -> None:
    if says.pattern and not re.fullmatch(says.pattern, data):
        wants = f"must be {says.wants}" if says.wants else f"must match {says.pattern}"
        raise _Wrong(f"{_key(path)} {wants}, and is {data!r:.80}", path)
    if says.choices and data not in says.choices:
        raise _Wrong(f"{_key(path)} must be one of {', '.join(says.choices)}, and is {data!r:.60}", path)
    if says.minimum is not None and data < says.minimum:
        raise _Wrong(f"{_key(path)} must be at least {says.minimum}, and is {data!r}", path)


def _key(path: tuple[str | int, ...]) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return repr(text.lstrip(".")) if text else "the lock"


def write_lock(path: Path, lock: Lock) -> None:
    """Write a recipe's lock, durably; nothing is written where it stands so already."""
    _write(path, lock_text(lock))


def _write(path: Path, text: str) -> None:
    try:
        if path.read_text() == text:
            return
    except (FileNotFoundError, UnicodeDecodeError):
        pass
    files.write_durably(path, text.encode())


def read_lock(path: Path) -> Lock | None:
    """Read a recipe's lock; None if there is none.

    Raises:
        InputError: it is damaged.
    """
    text = _text(path)
    return None if text is None else parse_lock(text, str(path), Lock)


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise InputError("the lock is no UTF-8 text", hint=RENEW, where=Place(str(path))) from error


def write_tools(directory: Path, tools: ToolsLock, home: Home) -> str:
    """Write a tools lock beside the recipes and into the data directory; returns its digest."""
    text, name = lock_text(tools), digest(tools)
    _write(directory / TOOLS_NAME, text)
    _write(_kept(home, name), text)
    return name


def _kept(home: Home, name: str) -> Path:
    return home / "locks" / f"{name.replace(':', '-')}.json"


def read_tools_beside(directory: Path) -> ToolsLock | None:
    """The tools lock of a directory of recipes; None if there is none.

    Raises:
        InputError: it is damaged.
    """
    path = directory / TOOLS_NAME
    text = _text(path)
    return None if text is None else parse_lock(text, str(path), ToolsLock)


def read_tools(lock: Lock, directory: Path, home: Home) -> ToolsLock:
    """The tools lock that a recipe's lock names by digest: beside the recipe, else from the data directory.

    Raises:
        InputError: it is damaged.
        StaleLock: it is in neither place.
    """
    beside = read_tools_beside(directory)
    if beside is not None and digest(beside) == lock.tools:
        return beside
    kept = _text(_kept(home, lock.tools))
    if kept is not None:
        tools = parse_lock(kept, str(_kept(home, lock.tools)), ToolsLock)
        if digest(tools) == lock.tools:
            return tools
    what = (
        "is missing"
        if beside is None
        else f"has the digest {digest(beside)}, and the lock names {lock.tools}"
    )
    raise StaleLock(
        f"the tools lock {str(directory / TOOLS_NAME)!r} {what}",
        hint="take both lock files from the same commit, or renew them: goldsmith lock RECIPE",
    )
