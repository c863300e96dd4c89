"""What the last build of a recipe was made from, so that ``explain`` can say what changed."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from goldsmith.builder.planned import Planned
from goldsmith.effects.files import write_durably
from goldsmith.model.canonical import plain
from goldsmith.model.plan import Step
from goldsmith.store.home import Home

HIDDEN = "(not kept)"


def record_file(home: Home, recipe: Path) -> Path:
    """Where the record of a recipe's last build is kept."""
    name = hashlib.sha256(str(recipe.resolve()).encode()).hexdigest()[:16]
    return home / f"builds/{recipe.stem}-{name}.json"


def remember(home: Home, recipe: Path, planned: Planned) -> None:
    """Keep the facts of each step, passwords left out; nothing is written where that is known already."""
    keys = planned.all_keys
    steps = (*planned.plan.steps, planned.whole)
    rows = {
        step.name: {"key": keys[step.name], "facts": told(step), "below": list(step.below)} for step in steps
    }
    data = json.dumps(rows, sort_keys=True).encode()
    path = record_file(home, recipe)
    if not path.is_file() or path.read_bytes() != data:
        write_durably(path, data)


def told(step: Step) -> object:
    """A step's facts as they may be printed and kept: without passwords."""
    return _without_passwords(plain(step.facts))


def _without_passwords(value: object) -> object:
    if isinstance(value, Mapping):
        return {
            key: HIDDEN if key == "password" and item else _without_passwords(item)
            for key, item in value.items()
        }
    return [_without_passwords(item) for item in value] if isinstance(value, list) else value


def recall(home: Home, recipe: Path) -> Mapping[str, Mapping[str, object]]:
    """The steps of the last build: name → key, facts and below; empty if there is none."""
    try:
        found = json.loads(record_file(home, recipe).read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
