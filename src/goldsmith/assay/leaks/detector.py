"""Find secrets in bytes: Kingfisher's rules, and a few of our own in ``rules.yaml`` beside this file."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

RULES = Path(__file__).with_name("rules.yaml")
NEWLINE = bytes.maketrans(b"\0", b"\n")
"""A file's last block is filled up with NULs, and most rules end a token at the end of a line."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret in some bytes."""

    kind: str
    """The rule's name, as ``private-key`` or ``github-pat``."""
    start: int
    """Its first byte."""
    end: int
    """The byte behind its last one."""
    text: str
    """The secret itself; never to be shown."""


Detector = Callable[[bytes], list[Secret]]
"""Gives the secrets in some bytes, in no order; may be called from several threads."""


def detector(cache: Path) -> Detector:
    """A detector whose compiled rules are kept in ``cache``: making them takes seconds, finding them a third of one."""
    # Imported here: nothing but the search for leaks pays for it.
    from kingfisher_sdk import Rules, Scanner  # noqa: PLC0415

    cache.mkdir(parents=True, exist_ok=True, mode=0o700)
    scanner = Scanner(Rules([RULES], cache_dir=cache))

    def find(data: bytes) -> list[Secret]:
        return [
            Secret(kind_of(hit.rule_id), hit.location["start_offset"], hit.location["end_offset"], hit.secret)
            for hit in scanner.scan(data.translate(NEWLINE))
            if hit.visible
        ]

    return find


def kind_of(rule: str) -> str:
    """A rule's name without its origin: ``betterleaks.private-key`` and ``veles.secrets/npmjsaccesstoken``."""
    kind = rule.removeprefix("betterleaks.").removeprefix("veles.secrets/").removeprefix("goldsmith.")
    return kind.removesuffix("-part.2").removesuffix("-part")


def version() -> str:
    """The library and its version."""
    from kingfisher_sdk import __version__  # noqa: PLC0415

    return f"kingfisher {__version__}"


def apart(secrets: list[Secret]) -> Iterator[Secret]:
    """Each stretch of bytes once: of secrets that overlap, the longest."""
    end = -1
    for secret in sorted(secrets, key=lambda secret: (secret.start, -secret.end, secret.kind)):
        if secret.start >= end:
            yield secret
            end = secret.end
