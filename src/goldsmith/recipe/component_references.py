"""Whether every ``{{ reference }}`` of a document can have a value, as far as the document shows."""

from collections.abc import Iterator

from goldsmith.errors import InputError, Place
from goldsmith.model.action import ACTIONS
from goldsmith.model.component import Condition, Counting, Document, Listing, Logic, Phase, Step
from goldsmith.recipe.component_nodes import nearest, wrong
from goldsmith.recipe.component_values import Chain, references
from goldsmith.recipe.document import Node


def check_references(document: Document, node: Node) -> None:
    """Check all references, in the order in which the steps run.

    Args:
        document: what was read.
        node: what it was read from, for the places.

    Raises:
        InputError: a reference names a variable, phase, step, input or output that is not there, or not yet.
    """
    variables = [parameter.name for parameter in document.parameters]
    variables += [constant.name for constant in document.constants]
    done: dict[str, dict[str, Step]] = {}
    for phase, phase_node in zip(document.phases, _items(node, "phases"), strict=True):
        steps = done.setdefault(phase.name, {})
        for step, step_node in zip(phase.steps, _items(phase_node, "steps"), strict=True):
            places = dict(_scalars(step_node))
            for text, may_chain in _texts(step):
                place = places.get(text, step_node.place)
                for shown, target in references(text):
                    if isinstance(target, str):
                        _check_variable(shown, target, variables, place)
                    elif not may_chain:
                        raise wrong(
                            place,
                            f"{shown} stands in a 'for' loop, which cannot use the values of other steps",
                            "use forEach with 'list', or a parameter",
                        )
                    else:
                        _check_chain(shown, target, document, done, place)
            steps[step.name] = step


def texts_of(phase: Phase) -> Iterator[str]:
    """Every text of a phase that may hold references."""
    for step in phase.steps:
        yield from (text for text, _ in _texts(step))


def phases_named(phase: Phase) -> set[str]:
    """The phases whose steps the steps of a phase refer to."""
    return {
        target.phase
        for text in texts_of(phase)
        for _, target in references(text)
        if isinstance(target, Chain)
    }


def _items(node: Node, key: str) -> tuple[Node, ...]:
    found = node.get(key)
    return found.items if found else ()


def _scalars(node: Node) -> Iterator[tuple[str, Place]]:
    """Every text of a node and its place, the last first, so that a dictionary keeps the first."""
    for _, value in reversed(node.entries):
        yield from _scalars(value)
    for item in reversed(node.items):
        yield from _scalars(item)
    if node.kind not in {"list", "map"}:
        yield node.raw, node.place


def _texts(step: Step) -> Iterator[tuple[str, bool]]:
    """Every text of a step that may hold references, and whether steps may be among them."""
    if step.loop is not None:
        over = step.loop.over
        if isinstance(over, Counting):
            yield from ((text, False) for text in (over.start, over.end, over.update_by))
        else:
            yield from ((text, True) for text in (over.values if isinstance(over, Listing) else (over.text,)))
    for inputs in step.inputs:
        for value in inputs.values():
            yield from ((text, True) for text in ([value] if isinstance(value, str) else value))
    for condition in step.asserted + ((step.condition.condition,) if step.condition else ()):
        yield from ((text, True) for text in _condition_texts(condition))


def _condition_texts(condition: Condition) -> Iterator[str]:
    if isinstance(condition, Logic):
        for part in condition.parts:
            yield from _condition_texts(part)
        return
    yield condition.operand
    if condition.value is not None:
        yield condition.value


def _check_variable(shown: str, name: str, variables: list[str], place: Place) -> None:
    if name not in variables:
        raise wrong(place, f"{shown} names no parameter or constant", nearest(name, variables))


def _check_chain(
    shown: str, chain: Chain, document: Document, done: dict[str, dict[str, Step]], place: Place
) -> None:
    phases = [phase.name for phase in document.phases]
    if chain.phase not in phases:
        raise wrong(place, f"{shown} names no phase of this document", nearest(chain.phase, phases))
    names = [step.name for phase in document.phases if phase.name == chain.phase for step in phase.steps]
    if chain.step not in names:
        raise wrong(place, f"{shown} names no step of phase {chain.phase!r}", nearest(chain.step, names))
    step = done.get(chain.phase, {}).get(chain.step)
    if step is None:
        raise wrong(place, f"{shown} names a step that has not run yet", "move that step before this one")
    problem = _lacks(shown, chain, step)
    if problem is not None:
        message, hint = problem
        raise InputError(message, hint=hint, where=place)


def _lacks(shown: str, chain: Chain, step: Step) -> tuple[str, str] | None:
    """Why a step cannot have the value that is asked of it, or None."""
    row = ACTIONS[step.action]
    names = list(row.outputs) if chain.side == "outputs" else [one.name for one in row.inputs]
    if chain.field not in names:
        kind = chain.side.removesuffix("s")
        return f"{shown}: {step.action} has no {kind} {chain.field!r}", nearest(chain.field, names)
    if chain.set >= len(step.inputs):
        return (
            f"{shown}: the last set of inputs of step {step.name!r} is [{len(step.inputs) - 1}]",
            "sets of inputs count from 0",
        )
    return None
