"""What the last build of a recipe was made from, so that ``explain`` can say what changed."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from goldsmith.effects.files import write_durably
from goldsmith.model.canonical import plain
from goldsmith.model.plan import Step
from goldsmith.store.home import Home


def record_file(home: Home, recipe: Path) -> Path:
    """Where the record of a recipe's last build is kept."""
    name = hashlib.sha256(str(recipe.resolve()).encode()).hexdigest()[:16]
    return home / f"builds/{recipe.stem}-{name}.json"


def remember(home: Home, recipe: Path, steps: Sequence[Step], keys: Mapping[str, str]) -> None:
    """Keep the facts of each step."""
    rows = {
        step.name: {"key": keys[step.name], "facts": plain(step.facts), "below": list(step.below)}
        for step in steps
    }
    write_durably(record_file(home, recipe), json.dumps(rows, sort_keys=True).encode())


def recall(home: Home, recipe: Path) -> Mapping[str, Mapping[str, object]]:
    """The steps of the last build: name → key, facts and below; empty if there is none."""
    try:
        found = json.loads(record_file(home, recipe).read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
