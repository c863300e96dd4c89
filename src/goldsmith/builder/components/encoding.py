"""Texts and their encodings: SetFileEncoding, and what CreateFile, AppendFile and ReadFile need."""

import codecs
from collections.abc import Mapping

from goldsmith.builder.components.given import word
from goldsmith.builder.components.paths import refuse_special
from goldsmith.effects.root import Root
from goldsmith.errors import StepFailed
from goldsmith.model.component import Inputs
from goldsmith.recipe.component_inputs import codec

# UTF-32 first: its little-endian mark starts with that of UTF-16.
MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def encoded(inputs: Inputs, text: str) -> bytes:
    """A text in the encoding that the inputs name; utf16 and utf32 without -LE or -BE start with a byte order mark."""
    return text.encode(_codec(inputs))


def decoded(inputs: Inputs, path: str, data: bytes) -> str:
    """A file's text.

    Raises:
        StepFailed: the bytes are none of that encoding.
    """
    try:
        return data.decode(_codec(inputs))
    except UnicodeDecodeError as error:
        raise StepFailed(
            f"{path!r} is not {word(inputs, 'encoding')}: byte {error.start} does not fit",
            hint="name its encoding with 'encoding'",
        ) from error


def _codec(inputs: Inputs) -> str:
    return codec(word(inputs, "encoding")) or "utf-8"


def set_file_encoding(inputs: Inputs, root: Root) -> Mapping[str, str]:
    """The same text in another encoding; what it was is told by its byte order mark, else it is UTF-8."""
    path = word(inputs, "path")
    refuse_special(root, path)
    data = root.read(path)
    before = next((name for mark, name in MARKS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(before)
    except UnicodeDecodeError as error:
        raise StepFailed(
            f"{path!r} is not {before}, and has no byte order mark that says what it is",
            hint="convert it with iconv in an ExecuteBash step",
        ) from error
    root.write(path, encoded(inputs, text))
    return {}
