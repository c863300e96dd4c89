"""SetFileOwner and SetFolderOwner; names are those of the tree's own ``/etc/passwd`` and ``/etc/group``."""

from collections.abc import Mapping

from goldsmith.builder.components.given import flag, word
from goldsmith.builder.components.paths import found, is_link
from goldsmith.effects.root import Root
from goldsmith.errors import StepFailed
from goldsmith.model.component import Inputs
from goldsmith.recipe.component_nodes import nearest


def ids(root: Root, inputs: Inputs) -> tuple[int, int]:
    """The numbers of ``owner`` and ``group``; -1 for what is not given.

    Raises:
        StepFailed: the tree has no such user or group.
    """
    owner, group = word(inputs, "owner"), word(inputs, "group")
    return _number(root, owner, "/etc/passwd", "user"), _number(root, group, "/etc/group", "group")


def _number(root: Root, name: str, table: str, kind: str) -> int:
    if not name:
        return -1
    lines = root.read_text(table).splitlines() if root.is_file(table) else []
    numbers = {fields[0]: fields[2] for fields in (line.split(":") for line in lines) if len(fields) > 2}  # noqa: PLR2004 - name:password:number
    text = numbers.get(name, name)
    if not (text.isascii() and text.isdigit()):
        raise StepFailed(f"there is no {kind} {name!r} in {table}", hint=nearest(name, numbers))
    return int(text)


def set_file_owner(inputs: Inputs, root: Root) -> Mapping[str, str]:
    """Owner and group of a file."""
    uid, gid = ids(root, inputs)
    for path in found(root, word(inputs, "path"), folders=False):
        root.chown(path, uid, gid)
    return {}


def set_folder_owner(inputs: Inputs, root: Root) -> Mapping[str, str]:
    """Owner and group of a folder and, unless told otherwise, of all in it; symbolic links are left as they are."""
    uid, gid = ids(root, inputs)
    for folder in found(root, word(inputs, "path"), folders=True):
        inner = list(root.walk(folder)) if flag(inputs, "recursive") else []
        for path in [*(path for path, facts in reversed(inner) if not is_link(facts)), folder]:
            root.chown(path, uid, gid)
    return {}
