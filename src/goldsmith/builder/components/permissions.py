"""SetFilePermissions and SetFolderPermissions."""

from collections.abc import Mapping

from goldsmith.builder.components.given import flag, mode, word
from goldsmith.builder.components.paths import NEW_FILE, NEW_FOLDER, found, is_link
from goldsmith.effects.root import Root
from goldsmith.model.component import Inputs


def set_file_permissions(inputs: Inputs, root: Root) -> Mapping[str, str]:
    """The permission bits of a file."""
    for path in found(root, word(inputs, "path"), folders=False):
        root.chmod(path, mode(inputs, NEW_FILE))
    return {}


def set_folder_permissions(inputs: Inputs, root: Root) -> Mapping[str, str]:
    """The permission bits of a folder and, unless told otherwise, of all in it, deepest first."""
    bits = mode(inputs, NEW_FOLDER)
    for folder in found(root, word(inputs, "path"), folders=True):
        inner = list(root.walk(folder)) if flag(inputs, "recursive") else []
        for path in [*(path for path, facts in reversed(inner) if not is_link(facts)), folder]:
            root.chmod(path, bits)
    return {}
