"""Components as steps of a build: the ``build`` phases before customizations, the ``validate`` phases after."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from goldsmith.builder.actions import Ground
from goldsmith.builder.components.result import DocumentResult, PhaseResult, StepResult
from goldsmith.builder.components.run import run_document
from goldsmith.builder.components.tree import TreeHost
from goldsmith.builder.layers import Layer
from goldsmith.builder.name_service import name_service
from goldsmith.builder.workshop import Workshop
from goldsmith.effects.sandbox import Bind
from goldsmith.errors import StepFailed
from goldsmith.model.component import Document
from goldsmith.model.recipe import ComponentUse

TAIL_LINES = 15


def run_phase(
    ground: Ground,
    shop: Workshop,
    document: Document,
    use: ComponentUse,
    *,
    phase: str,
    downloads: Mapping[str, Path],
    secrets: Mapping[str, Path],
) -> None:
    """Run one phase of a component in the tree.

    Args:
        ground: the tree.
        shop: the build.
        document: the component.
        use: how the recipe uses it.
        phase: ``build`` or ``validate``.
        downloads: the lock's files by address.
        secrets: a file for each secret that it may see.

    Raises:
        StepFailed: a step failed; its last lines and its log are named.
    """
    binds = tuple(Bind(path, f"/run/secrets/{name}") for name, path in secrets.items())
    # TreeHost shows the deferring wrappers' notes elsewhere; /run/goldsmith/recorded is its own.
    sandbox = replace(ground.sandbox, binds=binds, network=use.network)
    logs = shop.log.with_suffix("") / Path(use.path).stem / phase
    host = TreeHost(root=ground.tree, sandbox=sandbox, downloads=downloads, scratch=ground.scratch)
    earlier = remembered(ground.below, use.path)
    hidden = [path.read_text(errors="replace").strip() for path in secrets.values()]
    with name_service(ground.tree, ground.scratch / "run") if use.network else nullcontext():
        result = run_document(
            document,
            host,
            log_directory=logs,
            phases=(phase,),
            parameters=use.parameters,
            earlier=earlier,
            hidden=hidden,
        )
    ground.notes["recorded"] = list(result.recorded)
    ground.notes["network"] = use.network
    ground.notes["done"] = {use.path: told(result)}
    for path in ground.tree.listdir("/tmp"):  # noqa: S108 - the tree's own, shared by the component's steps
        ground.tree.remove(f"/tmp/{path}")  # noqa: S108
    raise_failure(result, document, logs)


def raise_failure(result: DocumentResult, document: Document, logs: Path) -> None:
    """Raise the error of the first step that failed, if the document failed."""
    if not result.failed:
        return
    phase, step = result.failures[0]
    console = logs / "console.log"
    printed = console.read_text(errors="replace") if console.exists() else ""
    # A failure's further lines are the last that were printed, which the tail holds.
    reason = step.failure.partition("\n")[0]
    raise StepFailed(
        f"the component {document.path} failed in phase {phase!r}, step {step.name!r}: {reason}",
        hint="mend the step, or look around in the tree with --shell-on-failure",
        log=str(console),
        tail="\n".join(printed.rstrip().splitlines()[-TAIL_LINES:]),
    )


def told(result: DocumentResult) -> list[object]:
    """What later phases may refer to, as plain JSON."""
    return [
        [phase.name, step.name, step.action, [dict(i) for i in step.inputs], [dict(o) for o in step.outputs]]
        for phase in result.phases
        for step in phase.steps
        if step.status == "Success"
    ]


def remembered(below: Sequence[Layer], path: str) -> DocumentResult | None:
    """The earlier phases of the same component, from the notes of the layers below."""
    phases: dict[str, list[StepResult]] = {}
    then = datetime.fromtimestamp(0, UTC)
    for layer in below:
        done = layer.notes.get("done")
        for phase, name, action, inputs, outputs in done.get(path, []) if isinstance(done, dict) else []:
            step = StepResult(
                name, action, "Success", then, then, inputs=tuple(inputs), outputs=tuple(outputs)
            )
            phases.setdefault(phase, []).append(step)
    if not phases:
        return None
    results = tuple(PhaseResult(name, tuple(steps)) for name, steps in phases.items())
    return DocumentResult("", path, results, then, then)
