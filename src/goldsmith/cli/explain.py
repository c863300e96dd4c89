"""``goldsmith explain RECIPE``."""

import json
from collections.abc import Mapping
from pathlib import Path

import click

from goldsmith.builder import layers
from goldsmith.builder.planned import Planned, stored
from goldsmith.builder.prepare import decide
from goldsmith.builder.remember import recall, told
from goldsmith.builder.request import Request
from goldsmith.cli.settings import read_settings
from goldsmith.effects import namespace
from goldsmith.model.plan import Step, difference
from goldsmith.store.home import Home, find_home

OTHERWISE = {"accounts": "a password"}
"""What else decides a kind of step, where its facts are the same and it stands on the same."""


@click.command(short_help="Say which steps would run, and why.")
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Set a variable of the recipe.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(*, recipe: Path, settings: tuple[str, ...], as_json: bool) -> None:
    """Print each step of RECIPE's build: whether it would run, and which input changed since its last build."""
    home = find_home()
    namespace.enter()
    request = Request(recipe, read_settings(settings))
    planned = decide(request, home=home, report=lambda _: None, may_lock=False)
    rows = explain(planned, recall(home, recipe), home)
    if as_json:
        print(json.dumps({"steps": rows}, indent=2))
        return
    for row in rows:
        print(f"{row['name']:<44} {'would run' if row['runs'] else 'unchanged'}")
        reasons = row["reasons"]
        assert isinstance(reasons, list)
        for reason in reasons:
            print(f"    {reason}")


def explain(
    planned: Planned, before: Mapping[str, Mapping[str, object]], home: Home
) -> list[dict[str, object]]:
    """A row a step: ``name``, ``key``, ``runs``, ``reasons``."""
    rows: list[dict[str, object]] = []
    running: set[str] = set()
    for step in planned.plan.steps:
        key = planned.keys[step.name]
        runs = layers.load(home, key) is None
        reasons = reasons_of(step, key, before.get(step.name), running) if runs else []
        if runs:
            running.add(step.name)
        rows.append({"name": step.name, "key": key, "runs": runs, "reasons": reasons})
    runs = stored(home, planned) is None
    reasons = reasons_of(planned.whole, planned.key, before.get(planned.whole.name), running) if runs else []
    rows.append({"name": planned.whole.name, "key": planned.key, "runs": runs, "reasons": reasons})
    return rows


def reasons_of(step: Step, key: str, before: Mapping[str, object] | None, running: set[str]) -> list[str]:
    """Why a step would run."""
    if before is None:
        return ["it was never run for this recipe"]
    old, new = before["facts"], told(step)
    assert isinstance(old, Mapping)
    assert isinstance(new, Mapping)
    reasons = difference(old, new)
    below = [name for name in step.below if name in running]
    if below:
        reasons.append(f"{below[0]} would run, and it stands on that")
    if reasons:
        return reasons
    if before["key"] == key:
        return ["its result is not in the cache any more"]
    return [f"{OTHERWISE.get(step.kind, 'the code of such steps, or a step below it')} changed"]
