"""Which paths of an image a recipe may write."""

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass

from goldsmith.errors import InputError
from goldsmith.model.recipe import Recipe
from goldsmith.recipe.document import Node
from goldsmith.recipe.nodes import place_of


@dataclass(frozen=True, slots=True)
class Reserved:
    """A path that is not the recipe's to write."""

    path: str
    """The path; what is below it is reserved too."""
    reason: str
    """Why."""
    hint: str
    """What to do instead."""


VIRTUAL = "write files that last, in /etc, /usr, /opt, /srv or /var"
ACCOUNTS = "use 'customizations.user' and 'customizations.group'"

RESERVED = (
    Reserved("/proc", "the kernel makes it", VIRTUAL),
    Reserved("/sys", "the kernel makes it", "use 'customizations.sysctl', or a rule in /etc/tmpfiles.d"),
    Reserved("/dev", "the kernel makes it", "use a rule in /etc/udev/rules.d"),
    Reserved("/run", "it is empty at every boot", "use a rule in /etc/tmpfiles.d"),
    Reserved(
        "/var/run", "it is a link to /run, which is empty at every boot", "use a rule in /etc/tmpfiles.d"
    ),
    Reserved("/boot/grub", "the boot loader is goldsmith's", "use 'customizations.kernel.append'"),
    Reserved("/boot/efi", "the boot loader is goldsmith's", "use 'customizations.kernel.append'"),
    Reserved(
        "/etc/fstab", "goldsmith writes it for the disk it makes", "use a .mount unit for further mounts"
    ),
    Reserved("/etc/passwd", "accounts are made by the system's own tools", ACCOUNTS),
    Reserved("/etc/shadow", "accounts are made by the system's own tools", ACCOUNTS),
    Reserved("/etc/group", "accounts are made by the system's own tools", ACCOUNTS),
    Reserved("/etc/gshadow", "accounts are made by the system's own tools", ACCOUNTS),
    Reserved("/etc/machine-id", "each machine makes its own", "leave it out"),
    Reserved("/etc/hostname", "it has a key of its own", "use 'customizations.hostname'"),
)
"""All reserved paths."""


def path_problems(recipe: Recipe, root: Node) -> Iterator[InputError]:
    """A problem for each path that is not clean, or not the recipe's to write."""
    written = [("files", index, row.path) for index, row in enumerate(recipe.customizations.files)]
    written += [
        ("directories", index, row.path) for index, row in enumerate(recipe.customizations.directories)
    ]
    for kind, index, path in written:
        wrong = wrong_path(path, is_directory=kind == "directories") or reserved(path)
        if wrong:
            place = place_of(root, "customizations", kind, index, "path")
            yield InputError(wrong[0], hint=wrong[1], where=place)
    for index, copy in enumerate(recipe.copy_from):
        for key, path in (("source", copy.source), ("destination", copy.destination)):
            wrong = wrong_path(path, is_directory=True) if path else None
            if wrong is None and key == "destination":
                wrong = reserved(path)
            if wrong:
                yield InputError(wrong[0], hint=wrong[1], where=place_of(root, "copy_from", index, key))
    for index, path in enumerate(recipe.remove.paths):
        place = place_of(root, "remove", "paths", index)
        wrong = wrong_path(path, is_directory=True)
        if not path.startswith("/"):
            wrong = f"the path {path!r} is not absolute", f"write {'/' + path!r}"
        if wrong:
            yield InputError(wrong[0], hint=wrong[1], where=place)


def wrong_path(path: str, *, is_directory: bool) -> tuple[str, str] | None:
    """Message and hint if a path is not written in its shortest form, or cannot be a file."""
    if "\0" in path:
        return "a path holds a NUL character", "remove it"
    parts = path.split("/")
    if ".." in parts:
        return f"the path {path!r} holds '..'", f"write {posixpath.normpath(path)!r} if that is meant"
    if path == "/":
        return "the path is '/'", "name something below it"
    if path.endswith("/") and not is_directory:
        return (
            f"the path {path!r} ends in '/', and must name a file",
            f"write {path.rstrip('/')!r}, or a name after it",
        )
    if "." in parts or "//" in path:
        return f"the path {path!r} holds '.' or '//'", f"write {_clean(path)!r}"
    return None


def _clean(path: str) -> str:
    # normpath keeps two leading slashes, since POSIX gives them a meaning of their own.
    return posixpath.normpath("/" + path.lstrip("/"))


def reserved(path: str) -> tuple[str, str] | None:
    """Message and hint if a path is not the recipe's to write."""
    clean = path.rstrip("/") + "/"
    row = next((row for row in RESERVED if clean.startswith(row.path + "/")), None)
    return (f"{path!r} is not for recipes to write: {row.reason}", row.hint) if row else None
