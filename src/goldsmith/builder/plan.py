"""Decide the steps of a build. Pure: recipe, lock and digests of files in, a plan out.

The order of a tree: per package group ``place`` and ``configure``; the ``initramfs`` stands on the first group only,
so that it is made while later groups are configured; then what is copied out of stages, accounts (which components
may need), the components, all other customizations (so that the recipe has the last word), removal, and ``finish``
(boot files, seal).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from goldsmith.model.canonical import plain
from goldsmith.model.lock import Lock, LockedPackage
from goldsmith.model.plan import Plan, Step
from goldsmith.model.recipe import ComponentUse, Recipe

VERSIONS = {
    "base": 1,
    "place": 2,
    "configure": 5,
    "initramfs": 1,
    "copy": 1,
    "accounts": 2,
    "component": 3,
    "validate": 1,
    "customize": 5,
    "remove": 1,
    "finish": 5,
}
"""The version of each kind's code; raise it when the same facts give another result."""


@dataclass(frozen=True, slots=True)
class Contents:
    """Digests of everything beside the recipe that decides a result, by path as the recipe names it."""

    files: Mapping[str, str]
    """SHA-256 of each file's bytes."""
    tools: str
    """Digest of the tools lock."""
    sources: Mapping[str, str]
    """SHA-256 of each apt source and key that the image keeps, by path in the image."""
    validating: frozenset[str] = frozenset()
    """The components that have a ``validate`` phase, by path as the recipe names them."""


def groups(packages: Sequence[LockedPackage]) -> list[tuple[int, list[LockedPackage]]]:
    """The packages of each group, groups in order, packages by name."""
    numbers = sorted({package.group for package in packages})
    return [(n, sorted((p for p in packages if p.group == n), key=lambda p: p.name)) for n in numbers]


def plan_build(recipe: Recipe, lock: Lock, contents: Contents) -> Plan:
    """The steps of an image's tree."""
    steps: list[Step] = []
    for stage in recipe.stages:
        locked = next(s for s in lock.stages if s.name == stage.name)
        prefix = f"stage {stage.name}: "
        below = _install(steps, locked.packages, lock, prefix, initramfs=False)
        _components(steps, below, stage.components, lock, contents, prefix)
        _components(steps, below, stage.components, lock, contents, prefix, kind="validate")
    ground: list[str] = []
    if recipe.base.image:
        _add(steps, ground, "base", "base", {"tree": recipe.base.tree})
    below = _install(
        steps, lock.packages, lock, "", initramfs=True, root=recipe.disk.root, ground=tuple(ground)
    )
    _copies(steps, below, recipe)
    _add(steps, below, "accounts", "accounts", _accounts_facts(recipe, lock))
    _components(steps, below, recipe.components, lock, contents, "")
    _add(steps, below, "customize", "customize", _customize_facts(recipe, lock, contents))
    _components(steps, below, recipe.components, lock, contents, "", kind="validate")
    if recipe.remove.packages or recipe.remove.paths or recipe.remove.docs or recipe.remove.locales:
        languages = recipe.customizations.locale.languages if recipe.customizations.locale else ()
        facts = {"epoch": lock.epoch, "remove": plain(recipe.remove), "languages": plain(languages)}
        _add(steps, below, "remove", "remove", facts)
    finish = {
        "name": recipe.name,
        "architecture": recipe.architecture,
        # Its size is nothing to the tree: a larger disk is the last step's work alone.
        "disk": {"root": recipe.disk.root, "boot": recipe.disk.boot},
        "kernel": plain(recipe.customizations.kernel),
        "seal": plain(recipe.seal),
        "epoch": lock.epoch,
    }
    _add(steps, below, "finish", "finish", finish)
    return Plan(tuple(steps), tuple(below))


def automatic(lock: Lock) -> list[str]:
    """``name architecture`` of the packages that nobody asked for by name; apt may remove them once nothing needs them."""
    return [f"{p.name} {p.architecture}" for p in sorted(lock.packages) if p.reason != "recipe"]


def _add(steps: list[Step], below: list[str], name: str, kind: str, facts: Mapping[str, object]) -> None:
    steps.append(Step(name, kind, VERSIONS[kind], facts, tuple(below)))
    below.append(name)


def _install(
    steps: list[Step],
    packages: Sequence[LockedPackage],
    lock: Lock,
    prefix: str,
    *,
    initramfs: bool,
    root: str = "",
    ground: tuple[str, ...] = (),
) -> list[str]:
    below: list[str] = [*ground]
    taken: list[str] = []
    late = ""
    for number, members in groups(packages):
        digests = [f"{p.name} {p.version} {p.sha256}" for p in members]
        place = f"{prefix}place {number}"
        facts: dict[str, object] = {"packages": digests, "epoch": lock.epoch, "taken": list(taken)}
        steps.append(Step(place, "place", VERSIONS["place"], facts, ground))
        below.append(place)
        _add(
            steps,
            below,
            f"{prefix}configure {number}",
            "configure",
            {"epoch": lock.epoch},
        )
        taken += digests
        # An image has its initramfs; the last step makes it anew if need be.
        if initramfs and not late and not ground:
            late = f"{prefix}initramfs"
            facts = {"epoch": lock.epoch, "disk": {"root": root}}
            steps.append(Step(late, "initramfs", VERSIONS["initramfs"], facts, tuple(below)))
    if late:
        below.append(late)
    elif ground and root == "erofs":
        # A root that is read-only wants more in its initramfs than any image brings.
        _add(steps, below, "initramfs", "initramfs", {"epoch": lock.epoch, "disk": {"root": root}})
    return below


def _copies(steps: list[Step], below: list[str], recipe: Recipe) -> None:
    for number, copy in enumerate(recipe.copy_from, start=1):
        stage = [step.name for step in steps if step.name.startswith(f"stage {copy.stage}: ")]
        facts = {"stage": copy.stage, "source": copy.source, "destination": copy.destination or copy.source}
        name = f"copy {number} from {copy.stage}"
        steps.append(Step(name, "copy", VERSIONS["copy"], facts, (*below, *stage)))
        below.append(name)


def _components(
    steps: list[Step],
    below: list[str],
    uses: Sequence[ComponentUse],
    lock: Lock,
    contents: Contents,
    prefix: str,
    *,
    kind: str = "component",
) -> None:
    for number, use in enumerate(uses, start=1):
        if kind == "validate" and use.path not in contents.validating:
            continue
        facts = {
            "path": use.path,
            "content": contents.files[use.path],
            "parameters": dict(use.parameters),
            "network": use.network,
            "secrets": list(use.secrets),
            "downloads": [plain(download) for download in lock.downloads],
            "epoch": lock.epoch,
        }
        _add(steps, below, f"{prefix}{kind} {number} {use.path}", kind, facts)


def _accounts_facts(recipe: Recipe, lock: Lock) -> Mapping[str, object]:
    asked = recipe.customizations
    return {
        "name": recipe.name,
        "user": plain(asked.user),
        "group": plain(asked.group),
        "sshkey": plain(asked.sshkey),
        "cacerts": plain(asked.cacerts),
        "languages": plain(asked.locale.languages if asked.locale else ()),
        "epoch": lock.epoch,
    }


def _customize_facts(recipe: Recipe, lock: Lock, contents: Contents) -> Mapping[str, object]:
    customizations = recipe.customizations
    sources = {
        file.source: contents.files[file.source] for file in customizations.files if file.source is not None
    }
    return {
        "image": {"name": recipe.name, "version": recipe.version},
        "customizations": plain(customizations),
        "content": sources,
        "sources": dict(contents.sources),
        "automatic": automatic(lock),
        "epoch": lock.epoch,
    }
