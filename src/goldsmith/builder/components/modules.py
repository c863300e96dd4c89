"""The table of action modules: each name with its row and its function."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from goldsmith.builder.components.asserting import assert_all
from goldsmith.builder.components.copy import copy_files, copy_folders
from goldsmith.builder.components.create import append_file, create_file, create_folder, create_symlink
from goldsmith.builder.components.delete import delete_file, delete_folder
from goldsmith.builder.components.encoding import set_file_encoding
from goldsmith.builder.components.execute import execute_bash, execute_binary
from goldsmith.builder.components.fetch import web_download
from goldsmith.builder.components.host import Host, Outcome
from goldsmith.builder.components.look import list_files, read_file
from goldsmith.builder.components.move import move_files, move_folders
from goldsmith.builder.components.owner import set_file_owner, set_folder_owner
from goldsmith.builder.components.permissions import set_file_permissions, set_folder_permissions
from goldsmith.builder.components.system import reboot, update_os
from goldsmith.effects.root import Root
from goldsmith.model.action import ACTIONS, Action
from goldsmith.model.component import Inputs

Run = Callable[[Inputs, Host, float | None], Outcome]
"""Does one set of completed inputs on a host, within some seconds."""


@dataclass(frozen=True, slots=True)
class Module:
    """One action module."""

    action: Action
    """Its name, inputs and outputs."""
    run: Run
    """What it does; it fails by an ``Outcome`` with a failure, a ``GoldsmithError`` or an ``OSError``."""


def _on_files(function: Callable[[Inputs, Root], Mapping[str, str]]) -> Run:
    """A module that needs files only."""

    def run(inputs: Inputs, host: Host, seconds: float | None) -> Outcome:
        del seconds
        return Outcome(function(inputs, host.root))

    return run


_RUNS: Mapping[str, Run] = {
    "ExecuteBash": execute_bash,
    "ExecuteBinary": execute_binary,
    "AppendFile": _on_files(append_file),
    "CopyFile": _on_files(copy_files),
    "CopyFolder": _on_files(copy_folders),
    "CreateFile": _on_files(create_file),
    "CreateFolder": _on_files(create_folder),
    "CreateSymlink": _on_files(create_symlink),
    "DeleteFile": _on_files(delete_file),
    "DeleteFolder": _on_files(delete_folder),
    "ListFiles": list_files,
    "MoveFile": _on_files(move_files),
    "MoveFolder": _on_files(move_folders),
    "ReadFile": read_file,
    "SetFileEncoding": _on_files(set_file_encoding),
    "SetFileOwner": _on_files(set_file_owner),
    "SetFolderOwner": _on_files(set_folder_owner),
    "SetFilePermissions": _on_files(set_file_permissions),
    "SetFolderPermissions": _on_files(set_folder_permissions),
    "WebDownload": web_download,
    "Reboot": reboot,
    "UpdateOS": update_os,
    "Assert": assert_all,
}
MODULES: Mapping[str, Module] = {name: Module(ACTIONS[name], run) for name, run in _RUNS.items()}
"""Every action module by its name."""
