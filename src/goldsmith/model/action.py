"""What action modules and comparisons are there: their inputs and outputs, as rows of data.

The reader checks documents by these rows, the reference page is made from them, and ``builder/components`` has
the function of each.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "path", "url", "list", "bool", "count", "mode", "encoding", "algorithm"]


@dataclass(frozen=True, slots=True)
class Input:
    """One input of an action module."""

    name: str
    """The key."""
    kind: Kind = "text"
    """What its text must be."""
    required: bool = False
    """Whether a step must give it."""
    default: str = ""
    """The text that stands for a missing one."""


@dataclass(frozen=True, slots=True)
class Action:
    """One action module."""

    name: str
    """The text after ``action:``."""
    does: str
    """One sentence for the reference page."""
    inputs: tuple[Input, ...]
    """Its inputs, required ones first."""
    outputs: tuple[str, ...] = ()
    """What later steps can use of it."""
    listed: bool = True
    """Whether ``inputs`` is a list of sets (file modules), or one set (the others)."""


def _path(name: str = "path") -> Input:
    return Input(name, "path", required=True)


OVERWRITE = Input("overwrite", "bool", default="true")
RECURSIVE = Input("recursive", "bool", default="true")
ENCODING = Input("encoding", "encoding", default="utf8")
OWNER = (Input("owner"), Input("group"))
FROM_TO = (_path("source"), _path("destination"), OVERWRITE)
DELETED = (_path(), Input("force", "bool", default="false"))
SET_OWNER = (_path(), Input("owner", required=True), Input("group"))
SET_MODE = (_path(), Input("permissions", "mode", required=True))

_ACTIONS = (
    Action(
        "ExecuteBash",
        "Runs all commands as one bash script; its exit code is the last command's.",
        (Input("commands", "list", required=True),),
        ("stdout",),
        listed=False,
    ),
    Action(
        "ExecuteBinary",
        "Runs a program, a path or a name on the PATH, with arguments.",
        (Input("path", required=True), Input("arguments", "list")),
        ("stdout",),
        listed=False,
    ),
    Action(
        "AppendFile", "Adds text to the end of a file that exists.", (_path(), Input("content"), ENCODING)
    ),
    Action("CopyFile", "Copies files; `*` in the last part of `source` matches many.", FROM_TO),
    Action("CopyFolder", "Copies folders with all that is in them.", FROM_TO),
    Action(
        "CreateFile",
        "Writes a file, and the folders above it.",
        (_path(), Input("content"), ENCODING, *OWNER, Input("permissions", "mode"), OVERWRITE),
        ("path",),
    ),
    Action(
        "CreateFolder",
        "Makes a folder, and the folders above it.",
        (_path(), *OWNER, Input("permissions", "mode"), OVERWRITE),
        ("path",),
    ),
    Action(
        "CreateSymlink",
        "Makes a symbolic link at `path` that points to `target`.",
        (_path(), Input("target", required=True), Input("force", "bool", default="false")),
        ("path",),
    ),
    Action("DeleteFile", "Deletes files; with `force` a folder too.", DELETED),
    Action("DeleteFolder", "Deletes an empty folder; with `force` a full one.", DELETED),
    Action(
        "ListFiles",
        "Lists the files of a folder, separated by commas.",
        (_path(), Input("fileNamePattern"), Input("recursive", "bool", default="false")),
        ("files",),
    ),
    Action("MoveFile", "Moves files; `*` in the last part of `source` matches many.", FROM_TO),
    Action("MoveFolder", "Moves folders with all that is in them.", FROM_TO),
    Action(
        "ReadFile",
        "Reads a text file.",
        (_path(), ENCODING, Input("printFileContent", "bool", default="false")),
        ("content",),
    ),
    Action("SetFileEncoding", "Writes a text file again in another encoding.", (_path(), ENCODING)),
    Action("SetFileOwner", "Sets the owner and group of a file.", SET_OWNER),
    Action(
        "SetFolderOwner", "Sets the owner and group of a folder and what is in it.", (*SET_OWNER, RECURSIVE)
    ),
    Action("SetFilePermissions", "Sets the permission bits of a file.", SET_MODE),
    Action(
        "SetFolderPermissions",
        "Sets the permission bits of a folder and what is in it.",
        (*SET_MODE, RECURSIVE),
    ),
    Action(
        "WebDownload",
        "Downloads a file over HTTP or HTTPS, and checks it if `checksum` is given.",
        (
            Input("source", "url", required=True),
            _path("destination"),
            OVERWRITE,
            Input("checksum"),
            Input("algorithm", "algorithm", default="SHA256"),
            Input("ignoreCertificateErrors", "bool", default="false"),
        ),
        ("destination",),
    ),
    Action(
        "Reboot",
        "Asks for a reboot before the next step.",
        (Input("delaySeconds", "count", default="0"),),
        listed=False,
    ),
    Action(
        "UpdateOS",
        "Brings installed packages to their newest versions.",
        (Input("include", "list"), Input("exclude", "list")),
        listed=False,
    ),
    Action("Assert", "Fails unless a condition holds.", ()),
)
ACTIONS: Mapping[str, Action] = {action.name: action for action in _ACTIONS}
"""Every action module by its name."""

WINDOWS_ACTIONS = ("ExecutePowerShell", "InstallMSI", "UninstallMSI", "SetRegistry")
LATER_ACTIONS = ("S3Download", "S3Upload", "ExecuteDocument")
OPTIONAL_INPUTS = ("Reboot", "UpdateOS")
"""Actions whose step may have no ``inputs`` at all."""


@dataclass(frozen=True, slots=True)
class Operator:
    """One comparison of a condition."""

    name: str
    """The key."""
    operands: int
    """1: the text beside the operator; 2: that and the text beside ``value``."""
    does: str
    """When it holds."""


COMPARISONS: Mapping[str, Operator] = {
    row.name: row
    for row in (
        Operator("stringIsEmpty", 1, "The text has no character."),
        Operator("stringIsWhitespace", 1, "The text has characters, and all are white space."),
        Operator("stringEquals", 2, "The texts are equal, case and spaces included."),
        Operator("stringLessThan", 2, "The text sorts before `value`, case ignored."),
        Operator("stringLessThanEquals", 2, "The text sorts before `value` or is equal, case ignored."),
        Operator("stringGreaterThan", 2, "The text sorts after `value`, case ignored."),
        Operator("stringGreaterThanEquals", 2, "The text sorts after `value` or is equal, case ignored."),
        Operator("patternMatches", 2, "The regular expression `value` is found in the text."),
        Operator("numberEquals", 2, "Both are numbers, and equal."),
        Operator("numberLessThan", 2, "Both are numbers, and the first is less."),
        Operator("numberLessThanEquals", 2, "Both are numbers, and the first is less or equal."),
        Operator("numberGreaterThan", 2, "Both are numbers, and the first is greater."),
        Operator("numberGreaterThanEquals", 2, "Both are numbers, and the first is greater or equal."),
        Operator("binaryExists", 1, "A program of that name is on the PATH, or at that path."),
        Operator("fileExists", 1, "A file is at the path."),
        Operator("folderExists", 1, "A folder is at the path."),
        Operator("fileMD5Equals", 2, "The MD5 of the file is `value`."),
        Operator("fileSHA1Equals", 2, "The SHA-1 of the file is `value`."),
        Operator("fileSHA256Equals", 2, "The SHA-256 of the file is `value`."),
        Operator("fileSHA512Equals", 2, "The SHA-512 of the file is `value`."),
    )
}
"""Every comparison by its name."""
