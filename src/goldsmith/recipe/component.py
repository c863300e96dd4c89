"""Read a component document and check all that can be checked without running it."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from goldsmith.errors import Place
from goldsmith.model.action import ACTIONS
from goldsmith.model.component import (
    BUILD_PHASES,
    DEFAULT_TIMEOUT,
    KNOWN_PHASES,
    Constant,
    Document,
    Download,
    OnFailure,
    Parameter,
    Phase,
    Step,
)
from goldsmith.recipe.component_conditions import read_asserted, read_if, read_loop
from goldsmith.recipe.component_inputs import ALGORITHMS, known_action, read_inputs
from goldsmith.recipe.component_nodes import choice, entries, items, nearest, shown, text, wrong
from goldsmith.recipe.component_references import check_references
from goldsmith.recipe.component_values import Chain, Round, UnknownValue, render, rounds, variables_of
from goldsmith.recipe.document import Node, load, read_document

DOCUMENT_KEYS = ("name", "description", "schemaVersion", "parameters", "constants", "phases")
STEP_KEYS = ("name", "action", "timeoutSeconds", "onFailure", "maxAttempts", "if", "loop", "inputs")
NEEDED_PHASES = ("build", "validate", "test")
ON_FAILURE: Mapping[str, OnFailure] = {"Abort": "Abort", "Continue": "Continue", "Ignore": "Ignore"}
VARIABLE_NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9_-]{3,128}")
MAX_ATTEMPTS = 1000


def read_component(path: Path) -> Document:
    """Read the document at ``path``.

    Raises:
        InputError: at the first thing that is wrong, with its place.
    """
    read_document(path)
    return parse_component(path.read_text(encoding="utf-8"), str(path))


def parse_component(source: str, file: str) -> Document:
    """Read a document's text; ``file`` is its name, for places and as a name of last resort.

    Raises:
        InputError: at the first thing that is wrong, with its place.
    """
    node = load(source, file)
    found = entries(node, "a component document", DOCUMENT_KEYS, ("schemaVersion", "phases"))
    _check_version(found["schemaVersion"])
    parameters = _parameters(found.get("parameters"))
    constants = _constants(found.get("constants"), parameters)
    document = Document(
        name=text(found["name"], "'name'", empty=False) if "name" in found else Path(file).stem,
        phases=_phases(found["phases"]),
        description=_described(found.get("description")),
        parameters=parameters,
        constants=constants,
        path=file,
        text=source,
    )
    check_references(document, node)
    return document


def _check_version(node: Node) -> None:
    if text(node, "'schemaVersion'") not in {"1.0", "1"}:
        raise wrong(
            node.place, f"'schemaVersion' must be 1.0, not {node.raw!r}", "write 'schemaVersion: 1.0'"
        )


def _described(node: Node | None) -> str:
    return "" if node is None or node.kind == "null" else text(node, "'description'")


def _named(node: Node, what: str, keys: tuple[str, ...]) -> list[tuple[Node, dict[str, Node]]]:
    """The rows of ``parameters`` or ``constants``: each a map of one name to its keys."""
    rows: list[tuple[Node, dict[str, Node]]] = []
    for item in items(node, f"'{what}s'"):
        if item.kind != "map" or len(item.entries) != 1:
            raise wrong(
                item.place,
                f"a {what} is a map of one name to its keys",
                f"write it as '- Name: {{{keys[0]}: ...}}'",
            )
        name, value = item.entries[0]
        if not VARIABLE_NAME.fullmatch(name.raw):
            raise wrong(
                name.place,
                f"the {what}'s name {name.raw!r} is not 3 to 128 letters, digits, '_' and '-', with a letter",
                "choose another name",
            )
        found = entries(value, f"{what} {name.raw!r}", keys)
        if "type" in found:
            choice(found["type"], "'type'", ("string",))
        rows.append((name, found))
    return rows


def _refuse_twice(name: Node, first: Place | None) -> None:
    if first is not None:
        raise wrong(
            name.place,
            f"the name {name.raw!r} is used twice; the first is at line {first.line}",
            "parameters and constants share their names; choose another",
        )


def _parameters(node: Node | None) -> tuple[Parameter, ...]:
    if node is None:
        return ()
    found: dict[str, Parameter] = {}
    for name, keys in _named(node, "parameter", ("type", "default", "description")):
        _refuse_twice(name, found[name.raw].where if name.raw in found else None)
        default = text(keys["default"], "'default'") if "default" in keys else None
        found[name.raw] = Parameter(name.raw, default, _described(keys.get("description")), name.place)
    return tuple(found.values())


def _constants(node: Node | None, parameters: Sequence[Parameter]) -> tuple[Constant, ...]:
    if node is None:
        return ()
    taken = {parameter.name: parameter.where for parameter in parameters}
    constants: list[Constant] = []
    for name, keys in _named(node, "constant", ("type", "value")):
        _refuse_twice(name, taken.get(name.raw))
        if "value" not in keys:
            raise wrong(name.place, f"constant {name.raw!r} has no 'value'", "add 'value:'")
        taken[name.raw] = name.place
        constants.append(Constant(name.raw, text(keys["value"], "'value'"), name.place))
    return tuple(constants)


def _phases(node: Node) -> tuple[Phase, ...]:
    phases: dict[str, Phase] = {}
    for item in items(node, "'phases'"):
        found = entries(item, "a phase", ("name", "steps"), ("name", "steps"))
        name = text(found["name"], "a phase's 'name'", empty=False)
        if name in phases:
            first = phases[name].where
            raise wrong(
                found["name"].place,
                f"the phase {name!r} stands twice; the first is at line {first.line if first else 0}",
                "put all its steps into one",
            )
        phases[name] = Phase(name, _steps(found["steps"], name), found["name"].place)
    if not any(name in NEEDED_PHASES for name in phases):
        only = next(iter(phases))
        near = nearest(only, KNOWN_PHASES)
        raise wrong(
            node.place,
            "none of the phases is build, validate or test",
            f"add one of them; for {only!r}, {near}" if near.startswith("did") else "add one of them",
        )
    return tuple(phases.values())


def _steps(node: Node, phase: str) -> tuple[Step, ...]:
    steps: dict[str, Step] = {}
    loops: dict[str, Place] = {}
    for item in items(node, f"the steps of phase {phase!r}"):
        step = _step(item)
        if step.name in steps:
            first = steps[step.name].where
            raise wrong(
                step.where or item.place,
                f"the step {step.name!r} stands twice in phase {phase!r}; the first is at line {first.line if first else 0}",
                "give each step of a phase its own name",
            )
        steps[step.name] = step
        if step.loop is not None and step.loop.name != "loop":
            place = step.loop.where or item.place
            if step.loop.name in loops:
                raise wrong(
                    place,
                    f"the loop name {step.loop.name!r} is used twice in phase {phase!r}",
                    "give each loop of a phase its own name",
                )
            loops[step.loop.name] = place
    return tuple(steps.values())


def _step(node: Node) -> Step:
    if node.kind == "map":
        for key, _ in node.entries:
            if key.raw in {"then", "else"}:
                raise wrong(
                    key.place,
                    f"{key.raw!r} belongs inside 'if'",
                    "indent it below 'if:', beside the operator",
                )
    found = entries(node, "a step", STEP_KEYS, ("name", "action"))
    name = text(found["name"], "a step's 'name'", empty=False)
    action = known_action(found["action"])
    asserts = action.name == "Assert"
    if asserts and "inputs" not in found:
        raise wrong(node.place, "Assert has no 'inputs'", "add 'inputs:' with a condition")
    return Step(
        name=name,
        action=action.name,
        inputs=() if asserts else read_inputs(action, found.get("inputs"), node.place),
        asserted=read_asserted(found["inputs"]) if asserts else (),
        timeout_seconds=_timeout(found.get("timeoutSeconds")),
        on_failure=ON_FAILURE[choice(found["onFailure"], "'onFailure'", tuple(ON_FAILURE))]
        if "onFailure" in found
        else "Abort",
        max_attempts=_attempts(found.get("maxAttempts")),
        condition=read_if(found["if"]) if "if" in found else None,
        loop=read_loop(found["loop"]) if "loop" in found else None,
        where=found["name"].place,
    )


def _timeout(node: Node | None) -> int | None:
    if node is None:
        return DEFAULT_TIMEOUT
    if not re.fullmatch(r"-1|[1-9]\d{0,8}", node.raw):
        raise wrong(
            node.place,
            f"'timeoutSeconds' must be a whole number from 1, or -1 for no limit, not {shown(node)}",
            "write seconds, as in 'timeoutSeconds: 600'",
        )
    return None if node.raw == "-1" else int(node.raw)


def _attempts(node: Node | None) -> int:
    if node is None:
        return 1
    if not re.fullmatch(r"[1-9]\d{0,3}", node.raw) or int(node.raw) > MAX_ATTEMPTS:
        raise wrong(
            node.place,
            f"'maxAttempts' must be a whole number from 1 to {MAX_ATTEMPTS}, not {shown(node)}",
            "write how often the step is tried, as in 'maxAttempts: 3'",
        )
    return int(node.raw)


def downloads(document: Document, parameters: Mapping[str, str]) -> tuple[Download, ...]:
    """The files that the phases ``build`` and ``validate`` download with a checksum, as far as they are known now.

    Left out is what depends on the output of a step: such a download needs the network.

    Args:
        document: the component.
        parameters: what the recipe gives it.

    Raises:
        InputError: a parameter has no value, or a checksum made of variables is none of its algorithm.
    """
    variables = variables_of(document, parameters)
    found: dict[Download, None] = {}
    for phase in document.phases:
        if phase.name not in BUILD_PHASES:
            continue
        for step in phase.steps:
            if step.action == "WebDownload":
                for download in _downloads_of(step, variables):
                    found[download] = None
    return tuple(sorted(found))


def _downloads_of(step: Step, variables: Mapping[str, str]) -> list[Download]:
    def chained(chain: Chain) -> str:
        raise UnknownValue(chain.step)

    def put(source: str, current: Round | None = None) -> str:
        return render(source, variables, chained, loop=step.loop.name if step.loop else None, current=current)

    try:
        all_rounds = rounds(step.loop, put) if step.loop else (None,)
    except UnknownValue:
        return []
    found = []
    default = next(row.default for row in ACTIONS["WebDownload"].inputs if row.name == "algorithm")
    for current in all_rounds:
        for inputs in step.inputs:
            names = (("source", ""), ("checksum", ""), ("algorithm", default))
            try:
                url, checksum, algorithm = (put(str(inputs.get(key, value)), current) for key, value in names)
            except UnknownValue:
                continue
            if checksum:
                found.append(_download(step, url, checksum.lower(), algorithm.lower()))
    return found


def _download(step: Step, url: str, checksum: str, algorithm: str) -> Download:
    digits = ALGORITHMS.get(algorithm)
    if digits is None or not re.fullmatch(rf"[0-9a-f]{{{digits}}}", checksum):
        raise wrong(
            step.where or Place(""),
            f"the checksum of {url!r} is {checksum!r}, which is no {algorithm.upper()} digest",
            "check the parameters and constants that it is made of",
        )
    return Download(url, checksum, algorithm)
