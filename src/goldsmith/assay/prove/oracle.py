"""The recipe as its own oracle: everything that it asks for is looked for on the live machine."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from shlex import quote

from goldsmith.assay.prove.judge import failed, passed
from goldsmith.builder.customize.table import expectations
from goldsmith.machine.channel import Guest
from goldsmith.model.proof import Assertion, Expectation, Group
from goldsmith.model.recipe import Recipe

SECONDS = 300.0
MARK = "== expectation "
STATUS = "dpkg-query -W -f '${{db:Status-Status}}\\n' {name} 2>/dev/null | sort -u"


def all_expectations(recipe: Recipe) -> tuple[Expectation, ...]:
    """What must be seen of a recipe on a live machine."""
    return (
        *packages(recipe),
        *expectations(recipe.customizations, Path(recipe.directory)),
        *removed(recipe),
    )


def packages(recipe: Recipe) -> Iterator[Expectation]:
    """Packages that were asked for are installed, those that were forbidden or removed are not."""
    purged = set(recipe.remove.packages)
    for item in recipe.packages:
        if item.name in purged:
            continue
        script = STATUS.format(name=quote(item.name))
        if item.forbidden:
            yield Expectation(f"package {item.name} is not there", f"{script} | grep -x installed", "")
        else:
            yield Expectation(f"package {item.name} is installed", script, "installed")
        if item.version:
            version = f"dpkg-query -W -f '${{Version}}' {quote(item.name)}"
            yield Expectation(f"package {item.name} is {item.version}", version, item.version)
    for name in recipe.remove.packages:
        script = f"{STATUS.format(name=quote(name))} | grep -x installed"
        yield Expectation(f"package {name} is removed", script, "")


def removed(recipe: Recipe) -> Iterator[Expectation]:
    """Paths that were to be removed are not there; those with a wildcard are the build's matter."""
    for path in recipe.remove.paths:
        if not set(path) & set("*?"):
            yield Expectation(f"{path} is removed", f"ls -d {quote(path)} 2>/dev/null", "")


def ask(guest: Guest, expected: Sequence[Expectation]) -> list[Assertion]:
    """Look for all of them, in one script.

    Raises:
        Unavailable: nothing answers.
    """
    if not expected:
        return []
    script = "".join(
        f"echo; echo '{MARK}{number}'\n(\n{item.script}\n) 2>&1 </dev/null\n"
        for number, item in enumerate(expected)
    )
    printed = guest.run(script, timeout=SECONDS).text
    found = {}
    for part in printed.split(f"\n{MARK}")[1:]:
        number, _, text = part.partition("\n")
        found[int(number)] = text.strip()
    return [judged(item, found.get(number)) for number, item in enumerate(expected)]


def judged(item: Expectation, found: str | None) -> Assertion:
    """What was found against what was wanted."""
    if found == item.wanted:
        return passed(Group.RECIPE, item.name)
    if found is None:
        return failed(Group.RECIPE, item.name, "the machine did not say")
    wanted = "" if item.wanted == "yes" else f", and {item.wanted!r} is wanted"
    return failed(
        Group.RECIPE, item.name, f"found {found[:200]!r}{wanted}" if found else f"not found{wanted}"
    )
