"""A component document (AWS's format, schema version 1.0): phases of steps, as read and checked.

All values are texts as they are written, since a ``{{ variable }}`` may stand in any of them; what a text must
be (a number, a mode, an encoding) is checked when it is read, or, where it holds a variable, when it is used.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from goldsmith.errors import Place

OnFailure = Literal["Abort", "Continue", "Ignore"]
Branch = Literal["Abort", "Execute", "Skip"]
Value = str | tuple[str, ...]
"""One input of a step: a text, or a list of texts."""
Inputs = Mapping[str, Value]
"""One set of a step's inputs, by name."""

KNOWN_PHASES = ("build", "validate", "test", "container-host-test")
BUILD_PHASES = ("build", "validate")
"""The phases that run while an image is built; ``test`` is for the booted machine."""
DEFAULT_TIMEOUT = 7200


@dataclass(frozen=True, slots=True)
class Parameter:
    """A value that the caller may give."""

    name: str
    """How ``{{ name }}`` calls it."""
    default: str | None = None
    """Its value if the caller gives none; None means that the caller must."""
    description: str = ""
    """What it is for."""
    where: Place | None = field(default=None, compare=False)
    """Where it stands."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A value with a name, set in the document."""

    name: str
    """How ``{{ name }}`` calls it."""
    value: str
    """The text, as it is written."""
    where: Place | None = field(default=None, compare=False)
    """Where it stands."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A leaf of a condition: one operator on one or two texts."""

    operator: str
    """A name of ``COMPARISONS``."""
    operand: str
    """The text beside the operator."""
    value: str | None = None
    """The text beside ``value``, for operators on two."""
    where: Place | None = field(default=None, compare=False)
    """Where it stands."""


@dataclass(frozen=True, slots=True)
class Logic:
    """A branch of a condition: ``and``, ``or`` or ``not`` over others."""

    operator: Literal["and", "or", "not"]
    """How the parts are joined; ``not`` has one part."""
    parts: tuple["Condition", ...]
    """The conditions that are joined."""
    where: Place | None = field(default=None, compare=False)
    """Where it stands."""


Condition = Comparison | Logic


@dataclass(frozen=True, slots=True)
class If:
    """Whether a step is run."""

    condition: Condition
    """What is asked, once, before the first attempt."""
    then: Branch = "Execute"
    """What happens if it holds."""
    otherwise: Branch = "Skip"
    """What happens if it does not; the key is ``else``."""


@dataclass(frozen=True, slots=True)
class Counting:
    """``for``: numbers from ``start`` to ``end``, both included."""

    start: str
    """The first number."""
    end: str
    """The last number."""
    update_by: str
    """The distance between two."""


@dataclass(frozen=True, slots=True)
class Listing:
    """``forEach`` with a list of texts."""

    values: tuple[str, ...]
    """The texts, in order."""


@dataclass(frozen=True, slots=True)
class Splitting:
    """``forEach`` with one text that is split."""

    text: str
    """The text; its variables are resolved once, before the first round."""
    delimiter: str = ","
    """Where it is split: one character."""


@dataclass(frozen=True, slots=True)
class Loop:
    """A step that is run once for each of several values."""

    over: Counting | Listing | Splitting
    """Where the values come from."""
    name: str = "loop"
    """How ``{{ name.index }}`` and ``{{ name.value }}`` call it, beside ``loop``."""
    where: Place | None = field(default=None, compare=False)
    """Where it stands."""


@dataclass(frozen=True, slots=True)
class Step:
    """One action."""

    name: str
    """Unique in its phase."""
    action: str
    """A name of ``ACTIONS``."""
    inputs: tuple[Inputs, ...] = ()
    """The sets of inputs, one after the other; ``Assert`` has none."""
    asserted: tuple[Condition, ...] = ()
    """What ``Assert`` asserts: all of it."""
    timeout_seconds: int | None = DEFAULT_TIMEOUT
    """How long one attempt may take; None is for ever."""
    on_failure: OnFailure = "Abort"
    """What a failure means: stop; go on, and fail at the end; or go on."""
    max_attempts: int = 1
    """How often it is tried."""
    condition: If | None = None
    """Whether it is run; always, if there is none."""
    loop: Loop | None = None
    """What it is repeated over."""
    where: Place | None = field(default=None, compare=False)
    """Where it stands."""


@dataclass(frozen=True, slots=True)
class Phase:
    """Steps that run one after the other."""

    name: str
    """``build``, ``validate``, ``test``, ``container-host-test``, or any other."""
    steps: tuple[Step, ...]
    """In the order they are run."""
    where: Place | None = field(default=None, compare=False)
    """Where it stands."""


@dataclass(frozen=True, slots=True)
class Document:
    """A whole component."""

    name: str
    """What it calls itself, else its file's name without the suffix."""
    phases: tuple[Phase, ...]
    """In the order they are run."""
    description: str = ""
    """What it does."""
    parameters: tuple[Parameter, ...] = ()
    """What the caller may set."""
    constants: tuple[Constant, ...] = ()
    """What the document sets."""
    path: str = field(default="", compare=False)
    """The file it was read from."""
    text: str = field(default="", compare=False, repr=False)
    """The file as it is."""


@dataclass(frozen=True, slots=True, order=True)
class Download:
    """A file that a ``WebDownload`` step names with its checksum, so that a lock can hold it."""

    url: str
    """Where it comes from."""
    checksum: str
    """The digest of its bytes, in lower-case hexadecimal."""
    algorithm: str
    """``md5``, ``sha1``, ``sha256`` or ``sha512``."""
