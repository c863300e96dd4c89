"""Every place where sealing knows traces, as paths; and tokens that are each planted in one place only."""

import hashlib
from collections.abc import Sequence

from goldsmith.builder.seal.operation import Operation


def concrete(pattern: str) -> str:
    """A path that a pattern matches."""
    words = [
        "deep/planted" if word == "**" else word.replace("*", "planted").replace("?", "x")
        for word in pattern.split("/")
    ]
    return "/".join(words)


def places(operation: Operation, homes: Sequence[str]) -> list[str]:
    """A path for every pattern of an operation, in every home."""
    return [
        concrete(home + pattern[1:] if pattern.startswith("~/") else pattern)
        for pattern in operation.matches
        for home in (homes if pattern.startswith("~/") else ("",))
    ]


def token(path: str) -> str:
    """32 characters that stand nowhere else."""
    return f"GSTRACE{hashlib.sha256(path.encode()).hexdigest()[:25]}"
