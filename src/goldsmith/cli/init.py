"""``goldsmith init``: start a recipe in a directory."""

import json
import shlex
from collections.abc import Mapping
from pathlib import Path

import click

from goldsmith.effects.files import write_durably
from goldsmith.errors import UsageError
from goldsmith.recipe.scaffold import SCHEMA_FILE, image_name, scaffold
from goldsmith.recipe.schema import json_schema


@click.command(name="init")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False), default=".")
@click.option("--force", is_flag=True, help="Replace files that are there already.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(directory: Path, *, force: bool, as_json: bool) -> None:
    """Start a recipe in DIRECTORY (default: here), with a component, a page, a test and a schema for editors."""
    schema = json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
    name = image_name(directory.absolute().name)
    texts = {**scaffold(name), SCHEMA_FILE: schema}
    if not force:
        _refuse_existing(directory, texts)
    _write(directory, texts)
    if as_json:
        print(json.dumps({"directory": str(directory), "files": sorted(texts)}, indent=2))
        return
    _say_what_next(directory, texts, name)


def _refuse_existing(directory: Path, texts: Mapping[str, str]) -> None:
    there = [name for name in sorted(texts) if (directory / name).exists()]
    if there:
        raise UsageError(
            f"{str(directory)!r} already has {', '.join(there)}; nothing was written",
            hint="choose another directory, or use --force to replace them",
        )


def _write(directory: Path, texts: Mapping[str, str]) -> None:
    for name, text in texts.items():
        try:
            write_durably(directory / name, text.encode())
        except OSError as error:
            raise UsageError(
                f"cannot write {str(directory / name)!r}: {error.strerror}",
                hint="choose a directory that you may write to",
            ) from error


def _say_what_next(directory: Path, texts: Mapping[str, str], name: str) -> None:
    for path in sorted(texts):
        click.echo(f"wrote {directory / path}", err=True)
    recipe = directory / "recipe.yaml"
    click.echo(
        f"\nNext:\n  goldsmith build {shlex.quote(str(recipe))}    # resolves a lock on first use; commit it\n"
        f"  goldsmith boot {name} --http 80/    # boots a throwaway copy and fetches the page",
        err=True,
    )
