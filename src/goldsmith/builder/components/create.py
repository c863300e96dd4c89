"""CreateFile, CreateFolder, CreateSymlink and AppendFile."""

from collections.abc import Mapping

from goldsmith.builder.components.encoding import encoded
from goldsmith.builder.components.given import flag, mode, word
from goldsmith.builder.components.owner import ids
from goldsmith.builder.components.paths import (
    NEW_FILE,
    NEW_FOLDER,
    make_folders,
    parent_of,
    refuse_existing,
    refuse_special,
)
from goldsmith.effects.root import Root
from goldsmith.errors import StepFailed
from goldsmith.model.component import Inputs


def create_file(inputs: Inputs, root: Root) -> Mapping[str, str]:
    """A file with its content, owner and mode; one that exists is replaced, its owner and mode too."""
    path = word(inputs, "path")
    if path.endswith("/") or root.is_dir(path):
        raise StepFailed(f"{path!r} is a folder", hint="name a file, or use CreateFolder")
    if not flag(inputs, "overwrite"):
        refuse_existing(root, path)
    refuse_special(root, path)
    uid, gid = ids(root, inputs)
    data = encoded(inputs, word(inputs, "content"))
    make_folders(root, parent_of(path))
    root.write(path, data, mode=mode(inputs, NEW_FILE), uid=uid, gid=gid)
    return {"path": path}


def create_folder(inputs: Inputs, root: Root) -> Mapping[str, str]:
    """A folder and those above it; one that exists keeps what is in it, and gets the owner and mode that are given."""
    path = word(inputs, "path").rstrip("/") or "/"
    if root.exists(path) and not root.is_dir(path):
        raise StepFailed(f"{path!r} is a file", hint="remove it before, or choose another path")
    if not flag(inputs, "overwrite"):
        refuse_existing(root, path)
    uid, gid = ids(root, inputs)
    made = not root.is_dir(path)
    make_folders(root, path)
    if (uid, gid) != (-1, -1):
        root.chown(path, uid, gid)
    if made or word(inputs, "permissions"):
        root.chmod(path, mode(inputs, NEW_FOLDER))
    return {"path": path}


def create_symlink(inputs: Inputs, root: Root) -> Mapping[str, str]:
    """A symbolic link; ``force`` replaces a file or link that is there."""
    path, target = word(inputs, "path").rstrip("/"), word(inputs, "target")
    if root.lexists(path) and not flag(inputs, "force"):
        raise StepFailed(f"{path!r} exists", hint="set 'force: true' to replace it")
    make_folders(root, parent_of(path))
    root.symlink(path, target, force=flag(inputs, "force"))
    return {"path": path}


def append_file(inputs: Inputs, root: Root) -> Mapping[str, str]:
    """Text at the end of a file that exists."""
    path = word(inputs, "path")
    if not root.is_file(path):
        raise StepFailed(f"there is no file {path!r}", hint="make it before, with CreateFile")
    root.append(path, encoded(inputs, word(inputs, "content")))
    return {}
