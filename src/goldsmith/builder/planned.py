"""A build that has been decided, not done; and whether its image is there already."""

from collections.abc import Mapping
from dataclasses import dataclass

from goldsmith.builder.inputs import Inputs
from goldsmith.builder.plan import plan_build
from goldsmith.builder.seal.kept import own_certificate
from goldsmith.errors import InputError
from goldsmith.model.canonical import digest, plain
from goldsmith.model.lock import Lock
from goldsmith.model.plan import Plan, Step, keys
from goldsmith.store.home import Home
from goldsmith.store.images import StoredImage, images_named, layout_of, make_newest, whole

MOST_LAYERS = 150
"""The kernel takes the options of a mount on one page, and each layer is a word of it."""
DISK_VERSION = 4
"""The version of the code that makes disks; raise it when the same tree gives another disk."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A build that has been decided, not done."""

    inputs: Inputs
    lock: Lock
    plan: Plan
    keys: Mapping[str, str]
    """The key of each step."""
    whole: Step
    """The last step: the disk and the image of the finished tree."""
    key: str
    """The key of the whole: finished tree, disk and tools."""

    @property
    def all_keys(self) -> Mapping[str, str]:
        """The key of each step, the last one's too."""
        return {**self.keys, self.whole.name: self.key}


def plan(inputs: Inputs, lock: Lock) -> Planned:
    """Decide a build. Pure, but for the files that ``inputs`` has read already."""
    recipe = inputs.recipe
    steps = plan_build(recipe, lock, inputs.contents(lock.tools))
    if len(steps.tree) > MOST_LAYERS:
        raise InputError(
            f"the recipe makes {len(steps.tree)} steps, and a tree of more than {MOST_LAYERS} layers cannot be mounted",
            hint="put the steps of several components into one document",
            where=recipe.where,
        )
    step_keys = keys(steps.steps)
    facts = {
        "version": DISK_VERSION,
        "name": recipe.name,
        "image version": recipe.version,
        "description": recipe.description,
        "labels": plain(recipe.labels),
        "disk": plain(recipe.disk),
        "tools": lock.tools,
    }
    whole = Step("disk", "disk", DISK_VERSION, facts, steps.tree)
    key = digest({**facts, "tree": [step_keys[name] for name in steps.tree]})
    return Planned(inputs, lock, steps, step_keys, whole, key)


def known_build(home: Home, planned: Planned) -> StoredImage | None:
    """What the same inputs gave before."""
    found = [
        image
        for image in images_named(home, planned.inputs.recipe.name)
        if image.facts.get("key") == planned.key
    ]
    return found[-1] if found else None


def stored(home: Home, planned: Planned) -> StoredImage | None:
    """The image of this very build, if it is in the store with its certificate."""
    image, layout = known_build(home, planned), layout_of(home)
    if image is None or not whole(layout, image.index) or not own_certificate(layout, image):
        return None
    return make_newest(home, image)
