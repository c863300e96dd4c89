"""CopyFile and CopyFolder."""

from collections.abc import Mapping

from goldsmith.builder.components.given import flag, word
from goldsmith.builder.components.paths import copy_file, copy_folder, pairs, refuse_existing
from goldsmith.effects.root import Root
from goldsmith.model.component import Inputs


def copy_files(inputs: Inputs, root: Root) -> Mapping[str, str]:
    """Files with their permission bits; a symbolic link is followed."""
    for source, destination in pairs(
        root, word(inputs, "source"), word(inputs, "destination"), folders=False
    ):
        if not flag(inputs, "overwrite"):
            refuse_existing(root, destination)
        copy_file(root, source, destination, follow=True)
    return {}


def copy_folders(inputs: Inputs, root: Root) -> Mapping[str, str]:
    """Folders with all that is in them; into a folder that exists, files of the same name are replaced."""
    for source, destination in pairs(root, word(inputs, "source"), word(inputs, "destination"), folders=True):
        if not flag(inputs, "overwrite"):
            refuse_existing(root, destination)
        copy_folder(root, source, destination)
    return {}
