"""DeleteFile and DeleteFolder; what is not there is already deleted."""

from collections.abc import Mapping

from goldsmith.builder.components.given import flag, word
from goldsmith.builder.components.paths import found, name_of, parent_of
from goldsmith.effects.root import Root
from goldsmith.errors import StepFailed
from goldsmith.model.component import Inputs


def delete_file(inputs: Inputs, root: Root) -> Mapping[str, str]:
    """Files that a path or its wildcard names; with ``force`` a folder too, as real documents ask for."""
    path = word(inputs, "path")
    if "*" in name_of(path):
        if root.is_dir(parent_of(path)):
            for one in _matched(root, path):
                root.remove(one)
        return {}
    if root.lexists(path) and root.is_dir(path) and not flag(inputs, "force"):
        raise StepFailed(f"{path!r} is a folder", hint="use DeleteFolder, or set 'force: true'")
    _remove(root, path)
    return {}


def _matched(root: Root, path: str) -> list[str]:
    try:
        return found(root, path, folders=False)
    except StepFailed:
        return []


def delete_folder(inputs: Inputs, root: Root) -> Mapping[str, str]:
    """A folder; with ``force`` whatever is in it."""
    path = word(inputs, "path")
    if root.lexists(path) and not root.is_dir(path):
        raise StepFailed(f"{path!r} is no folder", hint="use DeleteFile")
    if root.lexists(path) and not flag(inputs, "force") and root.listdir(path):
        raise StepFailed(
            f"the folder {path!r} is not empty", hint="set 'force: true' to delete what is in it"
        )
    _remove(root, path)
    return {}


def _remove(root: Root, path: str) -> None:
    plain = path.rstrip("/")
    if not plain:
        raise StepFailed("'/' cannot be deleted", hint="name a path in it")
    root.remove(plain)
