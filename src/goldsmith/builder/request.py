"""What the user asks a build to be."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Request:
    """The words of a ``goldsmith build``."""

    path: Path
    """The recipe's file."""
    settings: Mapping[str, str]
    """Variables of the recipe, from ``--set``."""
    mirror: str = ""
    """``--mirror``; empty if not given."""
    offline: bool = False
    """Use only what is in the cache."""
    update_lock: bool = False
    """Renew a lock that is stale."""
    jobs: int = 2
    """How much is done at once."""
