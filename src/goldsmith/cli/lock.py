"""``goldsmith lock RECIPE``."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import click

from goldsmith.cli.settings import read_settings
from goldsmith.errors import StaleLock
from goldsmith.lock.changes import Change, changes
from goldsmith.lock.file import lock_path, read_lock
from goldsmith.lock.image import ground
from goldsmith.lock.inputs import is_stale
from goldsmith.lock.mirror import read_host_apt
from goldsmith.lock.renew import Renewed, downloads_of, origins_of, renew, tools_mirror
from goldsmith.model.canonical import digest
from goldsmith.model.recipe import Recipe
from goldsmith.recipe.read import read_recipe
from goldsmith.store.home import find_home

SHOWN = 40
"""How many changes are listed on a terminal; ``--json`` has all."""


@click.command(short_help="Resolve a recipe's inputs to exact versions.")
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option("--check", is_flag=True, help="Only say whether newer inputs exist; exit 1 if so.")
@click.option(
    "--mirror", default="", metavar="URI", help="The package mirror; two with a space: main and security."
)
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Set a variable of the recipe.")
@click.option("--tools", "renew_tools", is_flag=True, help="Also renew the tools that make disks.")
@click.option("--offline", is_flag=True, help="Choose from the package lists in the cache.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    *,
    recipe: Path,
    check: bool,
    mirror: str,
    settings: tuple[str, ...],
    renew_tools: bool,
    offline: bool,
    as_json: bool,
) -> None:
    """Resolve RECIPE's packages and downloads to exact versions, and write them to STEM.lock beside it."""
    document = ground(read_recipe(recipe, read_settings(settings)), home=find_home(), report=_say)
    if check:
        _refuse_stale(document, recipe)
    host, environment = read_host_apt(), dict(os.environ)
    origins = origins_of(document, option=mirror, environment=environment, host=host)
    renewed = renew(
        document,
        recipe,
        home=find_home(),
        origins=origins,
        mirror=tools_mirror(document, origins, environment=environment, host=host),
        renew_tools=renew_tools,
        offline=offline,
        write=not check,
        report=_say,
    )
    different = changes(renewed.previous, renewed.lock) if renewed.previous else ()
    if as_json:
        print(json.dumps(summary(renewed, different, lock_path(recipe)), indent=2, ensure_ascii=False))
    else:
        print(text(renewed, different, lock_path(recipe), is_check=check))
    if check and different:
        sys.exit(1)


def _say(message: str) -> None:
    print(message, file=sys.stderr)


def _refuse_stale(recipe: Recipe, path: Path) -> None:
    lock = read_lock(lock_path(path))
    hint = f"run: goldsmith lock {path}"
    if lock is None:
        raise StaleLock(f"there is no lock {str(lock_path(path))!r}", hint=hint)
    if is_stale(lock, recipe, downloads_of(recipe)):
        raise StaleLock(
            f"the recipe asks for something that {str(lock_path(path))!r} does not hold", hint=hint
        )


def summary(renewed: Renewed, different: tuple[Change, ...], path: Path) -> Mapping[str, object]:
    """What ``--json`` prints."""
    lock = renewed.lock
    return {
        "lock": str(path),
        "lock_digest": digest(lock),
        "tools_digest": lock.tools,
        "packages": len(lock.packages),
        "bytes": sum(package.size for package in lock.packages),
        "tools": len(renewed.tools.packages),
        "new": renewed.previous is None,
        "changes": [
            {"kind": change.kind, "name": change.name, "old": change.old, "new": change.new}
            for change in different
        ],
    }


def text(renewed: Renewed, different: tuple[Change, ...], path: Path, *, is_check: bool) -> str:
    """What a person reads."""
    packages = renewed.lock.packages
    lines = [f"{path}: {len(packages)} packages, {sum(package.size for package in packages) / 1e6:.1f} MB"]
    own = sorted(package.name for package in packages if package.reason == "goldsmith")
    if own:
        lines.append(f"added by goldsmith: {', '.join(own)}")
    if renewed.previous is not None:
        verb = "newer inputs exist" if is_check else "changes"
        lines.append(f"{verb}: {len(different)}" if different else "nothing changed")
        lines += [f"  {change}" for change in different[:SHOWN]]
        if len(different) > SHOWN:
            lines.append(f"  and {len(different) - SHOWN} more (--json lists all)")
    return "\n".join(lines)
