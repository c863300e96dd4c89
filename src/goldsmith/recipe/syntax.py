"""What a YAML parser complains of, in plain words."""

from dataclasses import dataclass

import yaml

from goldsmith.errors import InputError, Place


@dataclass(frozen=True, slots=True)
class Complaint:
    """A parser's phrase, and how a person would say it."""

    phrase: str
    """A part of what the parser says (libyaml's and PyYAML's wording share it)."""
    message: str
    """What is wrong; ``{char}`` is the character, quoted, at the place."""
    hint: str
    """What to do."""


CLOSE = "close it with the same quote it was opened with"
COMPLAINTS = (
    Complaint(
        "mapping values are not allowed",
        "a ':' where no key can stand",
        "quote a text that holds ': ', and indent the keys of one map alike",
    ),
    Complaint(
        "while scanning a quoted scalar",
        "a quoted text does not end",
        CLOSE,
    ),
    Complaint(
        "unknown escape character",
        "a backslash escape that double quotes do not know",
        "write '\\\\' for a backslash, or use single quotes, which know no escapes",
    ),
    Complaint(
        "expected ',' or ']'",
        "a list in brackets is not well formed",
        "separate its values with ',' and close it with ']'",
    ),
    Complaint(
        "expected ',' or '}'",
        "a map in braces is not well formed",
        "separate its entries with ',' and close it with '}'; quote a text that holds braces",
    ),
    Complaint(
        "could not find expected ':'",
        "a line that is neither 'key: value' nor part of a text",
        "put ': ' after a key, or indent the line under the text it belongs to",
    ),
    Complaint(
        "cannot start any token",
        "a value cannot start with {char}",
        "put the text in quotes",
    ),
    Complaint(
        "sequence entries are not allowed",
        "a list item '- ' where no list can stand",
        "begin a list on the line after its key",
    ),
    Complaint(
        "while parsing a block mapping",
        "this does not fit the map it stands in",
        "indent all keys of a map alike, with spaces, and put ': ' after each",
    ),
    Complaint(
        "while parsing a block collection",
        "this does not fit the list it stands in",
        "indent all '- ' of a list alike, with spaces",
    ),
    Complaint(
        "expected <document start>",
        "something follows the end of the document",
        "a file is one map; indent its first keys alike",
    ),
    Complaint(
        "while scanning an alias",
        "a '*' starts an alias, and no name follows it",
        "put the text in quotes",
    ),
    Complaint(
        "while scanning an anchor",
        "an '&' starts an anchor, and no name follows it",
        "put the text in quotes",
    ),
    Complaint(
        "directive",
        "a value cannot start with '%'",
        "put the text in quotes",
    ),
    Complaint(
        "node content",
        "a value is missing before {char}",
        "write a value, or put the text in quotes",
    ),
)
"""The first row whose phrase occurs in context or problem says it."""

TAB_HINT = "indent with spaces; most editors can convert tabs"


def broken_syntax(error: yaml.MarkedYAMLError, text: str, file: str) -> InputError:
    """The parser's error as one of ours, at the same place."""
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    lines = text.splitlines()
    written = lines[line] if line < len(lines) else ""
    said = f"{error.context or ''}; {error.problem or ''}"
    where = Place(file, line + 1, column + 1)
    indentation = written[: len(written) - len(written.lstrip())]
    if "\t" in indentation:
        at = Place(file, line + 1, indentation.index("\t") + 1)
        return InputError("a tab in the indentation, and YAML allows spaces only", hint=TAB_HINT, where=at)
    row = next((row for row in COMPLAINTS if row.phrase in said), None)
    opened = _opened(error, line)
    if row is None:
        return InputError(
            f"this is not YAML: {error.problem or error.context}{opened}",
            hint="compare with the lines above; quote texts with special characters",
            where=where,
        )
    char = written[column] if column < len(written) else "the end of the line"
    message = row.message.format(char=repr(char) if len(char) == 1 else char)
    return InputError(f"{message}{opened}", hint=row.hint, where=where)


def _opened(error: yaml.MarkedYAMLError, line: int) -> str:
    """Where the thing that went wrong began, if that is another line."""
    if error.context_mark is None or error.context_mark.line == line:
        return ""
    return f" (it began at line {error.context_mark.line + 1})"
