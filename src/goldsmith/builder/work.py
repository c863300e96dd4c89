"""Bind the steps of a plan to what they work with: packages, component documents, settings."""

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from goldsmith.builder import actions
from goldsmith.builder.actions import Ground, in_tree
from goldsmith.builder.base import EXTENDED_STATES, automatic_in, take_out
from goldsmith.builder.component_steps import run_phase
from goldsmith.builder.customize.system.apply import apply_system
from goldsmith.builder.customize.table import CUSTOMIZATIONS, Means
from goldsmith.builder.execute import Action
from goldsmith.builder.finish import finish
from goldsmith.builder.inputs import Inputs
from goldsmith.builder.install import mark_automatic
from goldsmith.builder.layers import Layer
from goldsmith.builder.plan import automatic, groups
from goldsmith.builder.remove import remove
from goldsmith.builder.supplies import Supplies
from goldsmith.builder.workshop import Workshop
from goldsmith.disk.bootloader import boot_files, initramfs_files
from goldsmith.disk.layout import plan_layout
from goldsmith.effects.root import Root
from goldsmith.errors import StepFailed
from goldsmith.model.disk import TreeNeed
from goldsmith.model.lock import Lock, LockedPackage
from goldsmith.model.plan import Plan, Step
from goldsmith.model.recipe import ComponentUse

ACCOUNTS = frozenset({"locale", "cacerts", "group", "user", "sshkey"})
"""The customizations that components may need; they come before them."""
ROOMY = TreeNeed(inodes=1000, blocks=1 << 14)
"""Any size does: boot files name identities, and these do not depend on sizes."""


@dataclass(frozen=True, slots=True)
class Material:
    """What the steps of a build are made from."""

    inputs: Inputs
    lock: Lock
    supplies: Supplies
    """Packages, downloads and tools."""
    secrets: Mapping[str, Path]
    """A file for each build secret."""


def _initramfs(_step: Step, shop: Workshop, material: Material) -> Action:
    return actions.make_initramfs(shop, initramfs_files(material.inputs.recipe.disk.root))


def _copy(step: Step, shop: Workshop, material: Material) -> Action:
    wanted = material.inputs.recipe.copy_from[int(step.name.split()[1]) - 1]
    depth = sum(name.startswith(f"stage {wanted.stage}: ") for name in step.below)
    return actions.copy(shop, wanted, depth)


def _accounts(_step: Step, shop: Workshop, material: Material) -> Action:
    return in_tree(shop, lambda ground: _apply(ground, shop, material, accounts=True))


def _customize(_step: Step, shop: Workshop, material: Material) -> Action:
    def work(ground: Ground) -> None:
        recipe, lock = material.inputs.recipe, material.lock
        warnings = apply_system(
            ground.tree,
            name=recipe.name,
            version=recipe.version,
            sources=material.inputs.sources,
            run=ground.sandbox.run,
        )
        ground.notes["warnings"] = list(warnings)
        before = automatic_before(ground, lock)
        mark_automatic(ground.tree, automatic(lock), architecture=lock.architecture)
        if before:
            ground.tree.append(EXTENDED_STATES, f"\n{before}".encode())
        _apply(ground, shop, material, accounts=False)
        check_sources(ground.tree, material.inputs)

    return in_tree(shop, work)


def automatic_before(ground: Ground, lock: Lock) -> str:
    """What the image that a recipe stands on says of packages that came as dependencies; empty without one."""
    if not lock.base or not ground.tree.is_file(EXTENDED_STATES):
        return ""
    chosen = [package.name for package in lock.packages]
    return automatic_in(ground.tree.read_text(EXTENDED_STATES), chosen)


def _base(_step: Step, shop: Workshop, material: Material) -> Action:
    return take_out(shop, material.inputs.recipe)


def _apply(ground: Ground, shop: Workshop, material: Material, *, accounts: bool) -> None:
    recipe = material.inputs.recipe
    # The salt of a password must not change with the version, or every version would differ in /etc/shadow.
    seed = hashlib.sha256(f"goldsmith {recipe.name}".encode()).hexdigest()
    means = Means(ground.tree, ground.sandbox.run, Path(recipe.directory), seed, shop.epoch)
    for row in CUSTOMIZATIONS:
        if (row.name in ACCOUNTS) == accounts and row.applies(recipe.customizations):
            row.apply(recipe.customizations, means)


def check_sources(tree: Root, inputs: Inputs) -> None:
    """Check that files came into the tree with the bytes that the step's key was made from.

    Raises:
        StepFailed: a file was changed while the build ran; the step's result is not kept.
    """
    last = {file.path: file for file in inputs.recipe.customizations.files}
    for path, file in last.items():
        if file.source is None or not tree.is_file(path):
            continue
        with tree.opened(path, os.O_RDONLY) as descriptor, open(descriptor, "rb", closefd=False) as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        if found != inputs.files[file.source]:
            raise StepFailed(
                f"{file.source!r} was changed while the build ran", hint="build again", where=file.where
            )


def _finish(_step: Step, shop: Workshop, material: Material) -> Action:
    recipe = material.inputs.recipe
    layout = plan_layout(recipe.disk, name=recipe.name, architecture=recipe.architecture, need=ROOMY)
    append = recipe.customizations.kernel.append if recipe.customizations.kernel else ""
    boot = boot_files(layout, append=append)
    return in_tree(shop, lambda ground: finish(ground, shop, boot=boot, recipe=recipe))


def _packages(step: Step, lock: Lock) -> Sequence[LockedPackage]:
    """The packages of the set that a step installs from: the image's or a stage's."""
    prefix, colon, _ = step.name.rpartition(": ")
    if not colon:
        return lock.packages
    stage = prefix.removeprefix("stage ")
    return next(s.packages for s in lock.stages if s.name == stage)


def _install(step: Step, shop: Workshop, material: Material) -> Action:
    number = int(step.name.split()[-1])
    grouped = groups(_packages(step, material.lock))
    members = next(packages for n, packages in grouped if n == number)
    earlier = [package for n, packages in grouped if n < number for package in packages]

    def action(key: str, below: Sequence[Layer]) -> Layer:
        unpacked = material.supplies.packages()
        own = [unpacked[package.sha256] for package in members]
        if step.kind == "configure":
            return actions.configure(shop, own)(key, below)
        taken = [unpacked[package.sha256] for package in earlier]
        return actions.place(shop, own, taken, first=not earlier)(key, below)

    return action


def _component(step: Step, shop: Workshop, material: Material) -> Action:
    prefix, _, label = step.name.rpartition(": ")
    recipe = material.inputs.recipe
    uses: Sequence[ComponentUse] = recipe.components
    if prefix:
        uses = next(s.components for s in recipe.stages if f"stage {s.name}" == prefix)
    use = uses[int(label.split()[1]) - 1]
    phase = "build" if step.kind == "component" else "validate"
    document = material.inputs.documents[use.path]
    secrets = {name: material.secrets[name] for name in use.secrets}
    return in_tree(
        shop,
        lambda ground: run_phase(
            ground, shop, document, use, phase=phase, downloads=material.supplies.downloads(), secrets=secrets
        ),
    )


def _remove(_step: Step, shop: Workshop, material: Material) -> Action:
    def work(ground: Ground) -> None:
        recipe = material.inputs.recipe
        languages = recipe.customizations.locale.languages if recipe.customizations.locale else ()
        warnings = remove(ground.tree, recipe.remove, languages=languages, run=ground.sandbox.run)
        ground.notes["warnings"] = list(warnings)

    return in_tree(shop, work)


KINDS: Mapping[str, Callable[[Step, Workshop, Material], Action]] = {
    "base": _base,
    "place": _install,
    "configure": _install,
    "initramfs": _initramfs,
    "copy": _copy,
    "accounts": _accounts,
    "component": _component,
    "customize": _customize,
    "validate": _component,
    "remove": _remove,
    "finish": _finish,
}
"""What makes the action of each kind of step."""


def bind(plan: Plan, shop: Workshop, material: Material) -> dict[str, Action]:
    """An action for each step of the plan."""
    return {step.name: KINDS[step.kind](step, shop, material) for step in plan.steps}
