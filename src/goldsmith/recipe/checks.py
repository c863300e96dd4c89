"""What is wrong between the values of a recipe that are each right by themselves."""

import re
from collections.abc import Callable, Iterable, Iterator

from goldsmith.errors import InputError, Place
from goldsmith.model.distribution import DISTRIBUTIONS
from goldsmith.model.recipe import ComponentUse, PackageRequest, Recipe
from goldsmith.recipe.document import Node
from goldsmith.recipe.nodes import Step, place_of
from goldsmith.recipe.paths import path_problems
from goldsmith.recipe.problems import suggestion

Check = Callable[[Recipe, Node], Iterator[InputError]]
SWITCHES = {"true": "1", "false": "0"}
"""What is written for a kernel parameter, and what the kernel understands."""
SYSCTL = r"[a-zA-Z0-9_*-]+([./][a-zA-Z0-9_*:-]+)+"


def problems_of(recipe: Recipe, root: Node) -> Iterator[InputError]:
    """All that is wrong, check by check."""
    for check in CHECKS:
        yield from check(recipe, root)


def base(recipe: Recipe, root: Node) -> Iterator[InputError]:
    """The distribution, its suite and the architecture are known."""
    if recipe.base.image:
        return  # known when the image is
    place = place_of(root, "from")
    name, suite = recipe.base.distribution, recipe.base.suite
    distribution = DISTRIBUTIONS.get(name)
    if distribution is None:
        hint = suggestion(name, DISTRIBUTIONS, "distributions")
        yield InputError(f"the distribution {name!r} is not supported", hint=hint, where=place)
    elif suite not in distribution.suites:
        hint = suggestion(suite, distribution.suites, f"suites of {name}")
        yield InputError(f"{name} has no suite {suite!r} that goldsmith knows", hint=hint, where=place)
    elif recipe.architecture not in distribution.kernels:
        hint = suggestion(recipe.architecture, distribution.kernels, f"architectures of {name}")
        message = f"{name} images are not made for {recipe.architecture!r}"
        yield InputError(message, hint=hint, where=place_of(root, "architecture"))


def packages(recipe: Recipe, root: Node) -> Iterator[InputError]:
    """A package is asked for in one way only."""
    yield from _packages(recipe.packages, root, ("packages",))
    for index, stage in enumerate(recipe.stages):
        yield from _packages(stage.packages, root, ("stages", index, "packages"))


def _packages(
    requests: tuple[PackageRequest, ...], root: Node, path: tuple[Step, ...]
) -> Iterator[InputError]:
    first: dict[str, tuple[int, PackageRequest]] = {}
    for index, request in enumerate(requests):
        before, earlier = first.setdefault(request.name, (index, request))
        if earlier == request:
            continue
        line = place_of(root, *path, before).line
        if earlier.forbidden != request.forbidden:
            message = f"the package {request.name!r} is both wanted and forbidden"
        else:
            message = f"the package {request.name!r} is wanted both as '{earlier}' and as '{request}'"
        hint = f"keep one of the two; the other is at line {line}"
        yield InputError(message, hint=hint, where=place_of(root, *path, index))


def repositories(recipe: Recipe, root: Node) -> Iterator[InputError]:
    """Ids are unique and not the distribution's; flat archives have no components, and others have."""
    rows = recipe.repositories
    yield from _twice(
        "repository", [row.id for row in rows], [row.where for row in rows], "give one an 'id' of its own"
    )
    for index, row in enumerate(rows):
        place = row.where
        if row.id == "base" or row.id.startswith("base-"):
            message, hint = f"the repository id {row.id!r} is the distribution's", "choose another 'id'"
            yield InputError(message, hint=hint, where=place_of(root, "repositories", index, "id"))
        if row.suite.endswith("/") and row.components:
            message = f"the suite {row.suite!r} is a flat archive, which has no components"
            yield InputError(message, hint="remove 'components', or name a suite without '/'", where=place)
        if not row.suite.endswith("/") and not row.components:
            message = f"the suite {row.suite!r} needs components"
            yield InputError(
                message, hint="add 'components: [main]', or write a flat suite as './'", where=place
            )


def secrets(recipe: Recipe, root: Node) -> Iterator[InputError]:
    """A secret comes from one place; the ones that components name exist."""
    rows = recipe.secrets
    yield from _twice("secret", [row.name for row in rows], [row.where for row in rows])
    for row in rows:
        if bool(row.env) == bool(row.file):
            count = "both 'env' and 'file'" if row.env else "neither 'env' nor 'file'"
            message = f"the secret {row.name!r} has {count}"
            yield InputError(message, hint="say where it comes from, once", where=row.where)
    known = {row.name for row in rows}
    for path, use in _uses(recipe):
        for index, name in enumerate(use.secrets):
            if name not in known:
                place = place_of(root, *path, "secrets", index)
                hint = suggestion(name, known, "secrets")
                yield InputError(f"there is no secret {name!r}", hint=hint, where=place)


def _uses(recipe: Recipe) -> Iterator[tuple[tuple[Step, ...], ComponentUse]]:
    for index, use in enumerate(recipe.components):
        yield ("components", index), use
    for number, stage in enumerate(recipe.stages):
        for index, use in enumerate(stage.components):
            yield ("stages", number, "components", index), use


def stages(recipe: Recipe, root: Node) -> Iterator[InputError]:
    """Stages have names of their own, and what is copied comes from one that exists."""
    yield from _twice("stage", [row.name for row in recipe.stages], [row.where for row in recipe.stages])
    known = [row.name for row in recipe.stages]
    for index, copy in enumerate(recipe.copy_from):
        if copy.stage not in known:
            place = place_of(root, "copy_from", index, "stage")
            hint = suggestion(copy.stage, known, "stages")
            yield InputError(f"there is no stage {copy.stage!r}", hint=hint, where=place)


def accounts(recipe: Recipe, root: Node) -> Iterator[InputError]:  # noqa: ARG001 - a check's signature
    """Users and groups have names and numbers of their own, and public keys only."""
    users, groups = recipe.customizations.user, recipe.customizations.group
    at_users, at_groups = [row.where for row in users], [row.where for row in groups]
    yield from _twice("user", [row.name for row in users], at_users)
    yield from _twice("group", [row.name for row in groups], at_groups)
    yield from _twice("uid", [row.uid for row in users], at_users, "give each user a number of its own")
    yield from _twice("gid", [row.gid for row in groups], at_groups, "give each group a number of its own")
    keys = [(row.key, row.where) for row in users]
    keys += [(row.key, row.where) for row in recipe.customizations.sshkey]
    for key, place in keys:
        if key.startswith("-----BEGIN"):
            hint = "write the .pub file's line, and never put a private key into a recipe"
            yield InputError("'key' is a private key, and must be a public one", hint=hint, where=place)


def files(recipe: Recipe, root: Node) -> Iterator[InputError]:
    """A path is written once, and a file has one content."""
    rows = [(row.path, row.where) for row in recipe.customizations.files]
    rows += [(row.path, row.where) for row in recipe.customizations.directories]
    yield from _twice("path", [path.rstrip("/") for path, _ in rows], [place for _, place in rows])
    for file in recipe.customizations.files:
        if (file.data is None) == (file.source is None):
            count = "neither 'data' nor 'source'" if file.data is None else "both 'data' and 'source'"
            hint = "keep one: 'data' is the content, 'source' a file beside the recipe"
            yield InputError(f"the file {file.path!r} has {count}", hint=hint, where=file.where)
    yield from path_problems(recipe, root)


def services(recipe: Recipe, root: Node) -> Iterator[InputError]:
    """A unit has one state."""
    units = recipe.customizations.services
    if units is None:
        return
    states: dict[str, str] = {}
    for state, names in (("enabled", units.enabled), ("disabled", units.disabled), ("masked", units.masked)):
        for index, name in enumerate(names):
            unit = name if "." in name else f"{name}.service"
            earlier = states.setdefault(unit, state)
            if earlier != state:
                place = place_of(root, "customizations", "services", state, index)
                message = f"the unit {name!r} is both {earlier} and {state}"
                yield InputError(message, hint="keep one of the two", where=place)


def settings(recipe: Recipe, root: Node) -> Iterator[InputError]:
    """Kernel parameters and certificates look like what they are."""
    for name, value in recipe.customizations.sysctl.items():
        place = place_of(root, "customizations", "sysctl", name)
        if not re.fullmatch(SYSCTL, name):
            hint = "write a dotted name, as in net.ipv4.ip_forward: 1"
            yield InputError(f"{name!r} is no kernel parameter's name", hint=hint, where=place)
        if "\n" in value or not value.strip():
            yield InputError(
                f"the value of {name!r} is not one line of text", hint="write one line", where=place
            )
        if value in SWITCHES:
            message = f"the value of {name!r} is {value}, and the kernel takes numbers"
            yield InputError(message, hint=f"write {SWITCHES[value]}", where=place)
    authorities = recipe.customizations.cacerts
    for index, pem in enumerate(authorities.pem_certs if authorities else ()):
        if not pem.lstrip().startswith("-----BEGIN CERTIFICATE-----") or "PRIVATE KEY" in pem:
            place = place_of(root, "customizations", "cacerts", "pem_certs", index)
            hint = "write the PEM text as a block after '|', from -----BEGIN CERTIFICATE----- on, without any key"
            yield InputError("'pem_certs' holds a text that is no certificate", hint=hint, where=place)


CHECKS: tuple[Check, ...] = (
    base,
    packages,
    repositories,
    secrets,
    stages,
    accounts,
    files,
    services,
    settings,
)
"""All checks, in the order of the recipe's keys."""


def _twice(
    noun: str, values: Iterable[object], places: Iterable[Place | None], hint: str = "keep one of the two"
) -> Iterator[InputError]:
    """A problem for each value that stood there before; None counts as no value."""
    first: dict[object, Place | None] = {}
    for value, place in zip(values, places, strict=True):
        if value is not None and value in first:
            earlier = first[value]
            same_file = earlier and place and earlier.file == place.file
            at = f"; the first is at {f'line {earlier.line}' if same_file else earlier}" if earlier else ""
            yield InputError(f"the {noun} {value!r} stands twice{at}", hint=hint, where=place)
        first.setdefault(value, place)
