"""``goldsmith component validate`` and ``goldsmith component run``: component documents by themselves."""

import json
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import click

from goldsmith.builder.components.journal import detailed, stamp
from goldsmith.builder.components.local import LocalHost
from goldsmith.builder.components.result import DocumentResult
from goldsmith.builder.components.run import run_document
from goldsmith.effects.clock import now
from goldsmith.effects.root import Root
from goldsmith.errors import UsageError
from goldsmith.model.component import Document
from goldsmith.recipe.component import read_component
from goldsmith.recipe.component_nodes import nearest
from goldsmith.recipe.component_values import variables_of

FILES = click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")


@click.group()
def command() -> None:
    """Validate or run component documents (AWS's format, schema version 1.0)."""


@command.command()
@FILES
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def validate(files: Sequence[Path], *, as_json: bool) -> None:
    """Check documents without running them; exit code 2 and the place of the first mistake if one is bad."""
    documents = _read(files)
    if as_json:
        print(json.dumps({"documents": [_summary(document) for document in documents]}, indent=2))
        return
    for document in documents:
        phases = ", ".join(f"{phase.name} ({len(phase.steps)})" for phase in document.phases)
        print(f"{document.path}: ok: {document.name}: {phases}")


@command.command()
@FILES
@click.option("--phases", help="Only these phases, separated by commas; all by default.")
@click.option("--parameters", multiple=True, help="Values for parameters: NAME=VALUE,NAME=VALUE.")
@click.option(
    "--log-directory", type=click.Path(path_type=Path), help="Where logs go; ./TOE_TIME by default."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def run(
    files: Sequence[Path],
    *,
    phases: str | None,
    parameters: Sequence[str],
    log_directory: Path | None,
    as_json: bool,
) -> None:
    """Run documents on this machine, one after the other, as the user who calls; exit code 1 if one fails.

    This machine is never rebooted: a reboot that a step asks for is reported.
    """
    documents = _read(files)
    chosen = _chosen(phases, documents)
    values = _values(parameters, documents)
    for document in documents:
        variables_of(document, values)
    logs = log_directory or Path(f"TOE_{stamp(now()).replace(':', '-')}")
    outcomes: list[dict[str, object]] = []
    failed = False
    with Root(Path("/")) as root:
        host = LocalHost(root, str(Path.cwd()), dict(os.environ))
        for document, directory in zip(documents, _directories(documents, logs), strict=True):
            try:
                directory.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise UsageError(
                    f"cannot make the log directory {str(directory)!r}: {error.strerror}",
                    hint="name another with --log-directory",
                ) from error
            result = run_document(
                document, host, log_directory=directory, phases=chosen, parameters=values, report=_say
            )
            outcomes.append({**detailed(document, result), "log": str(directory)})
            failed = result.failed
            _tell(result)
            if failed:
                break
    if as_json:
        print(json.dumps({"status": "Failed" if failed else "Success", "documents": outcomes}, indent=2))
    sys.exit(1 if failed else 0)


def _read(files: Iterable[Path]) -> list[Document]:

    return [read_component(file) for file in files]


def _summary(document: Document) -> dict[str, object]:
    return {
        "path": document.path,
        "name": document.name,
        "description": document.description,
        "parameters": [
            {"name": one.name, "default": one.default, "description": one.description}
            for one in document.parameters
        ],
        "phases": [
            {
                "name": phase.name,
                "steps": [{"name": step.name, "action": step.action} for step in phase.steps],
            }
            for phase in document.phases
        ],
    }


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _tell(result: DocumentResult) -> None:
    """What a person must know at the end of a document."""
    for line in result.recorded:
        _say(f"not done: {line}")
    for phase, step in result.failures:
        _say(f"failed: {phase}.{step.name}: {step.failure}")
    _say(f"logs: {result.log}")


def _chosen(phases: str | None, documents: Sequence[Document]) -> tuple[str, ...] | None:
    """The phases that were asked for.

    Raises:
        UsageError: none of the documents has one of them.
    """
    if phases is None:
        return None

    names = tuple(filter(None, (name.strip() for name in phases.split(","))))
    known = list(dict.fromkeys(phase.name for document in documents for phase in document.phases))
    for name in names:
        if name not in known:
            raise UsageError(f"no document has a phase {name!r}", hint=nearest(name, known))
    if not names:
        raise UsageError(f"--phases names no phase: {phases!r}", hint=f"use one of: {', '.join(known)}")
    return names


def _values(given: Sequence[str], documents: Sequence[Document]) -> Mapping[str, str]:
    """The values of ``NAME=VALUE,NAME=VALUE``; a comma that no name and '=' follow belongs to the value.

    Raises:
        UsageError: a part has no '=', or no document has such a parameter.
    """
    known = [parameter.name for document in documents for parameter in document.parameters]
    values: dict[str, str] = {}
    for part in (part for text in given for part in re.split(r",(?=[A-Za-z0-9_-]+=)", text)):
        name, equals, value = part.partition("=")
        if not equals:
            raise UsageError(
                f"--parameters wants NAME=VALUE, not {part!r}", hint="write it as NAME=VALUE,NAME=VALUE"
            )
        if name not in known:
            raise UsageError(f"no document has a parameter {name!r}", hint=nearest(name, known))
        values[name] = value
    return values


def _directories(documents: Sequence[Document], logs: Path) -> list[Path]:
    """Where each document's logs go: one directory, or one for each below it."""
    if len(documents) == 1:
        return [logs]
    return [logs / f"{number}-{Path(document.path).stem}" for number, document in enumerate(documents, 1)]
