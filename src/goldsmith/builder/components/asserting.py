"""Conditions (``if``), and Assert."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import assert_never

from goldsmith.builder.components.fetch import digest
from goldsmith.builder.components.given import absolute, words
from goldsmith.builder.components.host import Host, Outcome
from goldsmith.errors import StepFailed
from goldsmith.model.component import Comparison, Condition, Inputs, Logic

NUMBER = re.compile(r"\s*[-+]?(\d{1,100}(\.\d{0,100})?|\.\d{1,100})([eE][-+]?\d{1,3})?\s*", re.ASCII)
EXECUTABLE = 0o111


def holds(condition: Condition, host: Host, put: Callable[[str], str]) -> bool:
    """Whether a condition holds on a host; ``put`` renders its texts.

    Raises:
        StepFailed: a pattern is no regular expression.
    """
    if isinstance(condition, Logic):
        parts = (holds(part, host, put) for part in condition.parts)
        match condition.operator:
            case "and":
                return all(parts)
            case "or":
                return any(parts)
            case "not":
                return not next(parts)
            case _:
                assert_never(condition.operator)
    operand = put(condition.operand)
    if condition.value is not None:
        return BINARY[condition.operator](operand, put(condition.value), host)
    return UNARY[condition.operator](operand, host)


def described(condition: Condition, put: Callable[[str], str]) -> str:
    """A condition as one line."""
    if isinstance(condition, Comparison):
        value = "" if condition.value is None else f", {put(condition.value)!r}"
        return f"{condition.operator}({put(condition.operand)!r}{value})"
    return f"{condition.operator}({', '.join(described(part, put) for part in condition.parts)})"


def assert_all(inputs: Inputs, host: Host, seconds: float | None) -> Outcome:
    """Fails with the conditions that do not hold; the engine has asked them and puts them into ``false``."""
    del host, seconds
    false = words(inputs, "false")
    return Outcome(failure=f"this does not hold: {'; '.join(false)}" if false else "")


def number(text: str) -> Decimal | None:
    """A text as a number, or None."""
    return Decimal(text.strip()) if NUMBER.fullmatch(text) else None


def _numbers(compare: Callable[[Decimal, Decimal], bool]) -> Callable[[str, str, Host], bool]:
    def compared(left: str, right: str, _: Host) -> bool:
        one, other = number(left), number(right)
        return one is not None and other is not None and compare(one, other)

    return compared


def _texts(compare: Callable[[str, str], bool]) -> Callable[[str, str, Host], bool]:
    # AWS's page: ordering ignores case, and its examples of equality do not.
    return lambda left, right, _: compare(left.casefold(), right.casefold())


def _digests(algorithm: str) -> Callable[[str, str, Host], bool]:
    def compared(path: str, value: str, host: Host) -> bool:
        whole = absolute(path, host.cwd)
        return host.root.is_file(whole) and digest(host.root, whole, algorithm) == value.strip().lower()

    return compared


def _matches(text: str, pattern: str, _: Host) -> bool:
    try:
        return re.search(pattern, text) is not None
    except re.error as error:
        raise StepFailed(
            f"the pattern {pattern!r} is no regular expression: {error}",
            hint="escape special characters with '\\'",
        ) from error


def _binary(name: str, host: Host) -> bool:
    places = [name] if "/" in name else [f"{directory.rstrip('/')}/{name}" for directory in host.search_path]
    return any(
        host.root.is_file(path) and host.root.stat(path).st_mode & EXECUTABLE
        for path in (absolute(place, host.cwd) for place in places)
    )


UNARY: dict[str, Callable[[str, Host], bool]] = {
    "stringIsEmpty": lambda text, _: not text,
    "stringIsWhitespace": lambda text, _: bool(text) and not text.strip(),
    "binaryExists": lambda name, host: bool(name) and _binary(name, host),
    "fileExists": lambda path, host: host.root.is_file(absolute(path, host.cwd)),
    "folderExists": lambda path, host: host.root.is_dir(absolute(path, host.cwd)),
}
BINARY: dict[str, Callable[[str, str, Host], bool]] = {
    "stringEquals": lambda left, right, _: left == right,
    "stringLessThan": _texts(lambda left, right: left < right),
    "stringLessThanEquals": _texts(lambda left, right: left <= right),
    "stringGreaterThan": _texts(lambda left, right: left > right),
    "stringGreaterThanEquals": _texts(lambda left, right: left >= right),
    "patternMatches": _matches,
    "numberEquals": _numbers(lambda left, right: left == right),
    "numberLessThan": _numbers(lambda left, right: left < right),
    "numberLessThanEquals": _numbers(lambda left, right: left <= right),
    "numberGreaterThan": _numbers(lambda left, right: left > right),
    "numberGreaterThanEquals": _numbers(lambda left, right: left >= right),
    "fileMD5Equals": _digests("md5"),
    "fileSHA1Equals": _digests("sha1"),
    "fileSHA256Equals": _digests("sha256"),
    "fileSHA512Equals": _digests("sha512"),
}
