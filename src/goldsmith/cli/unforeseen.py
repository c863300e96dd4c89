"""What the command line says of errors that no part of goldsmith has raised on purpose."""

import errno
import os
import tempfile
import traceback
from collections.abc import Mapping
from pathlib import Path

from goldsmith.errors import GoldsmithError, NoSpace, Unavailable, UsageError

HINTS: Mapping[int, tuple[type[GoldsmithError], str]] = {
    errno.ENOSPC: (NoSpace, "free some space there, or set GOLDSMITH_HOME to a larger file system"),
    errno.EDQUOT: (NoSpace, "free some of your quota there, or set GOLDSMITH_HOME to another file system"),
    errno.EROFS: (Unavailable, "name a place that can be written, or set GOLDSMITH_HOME to one"),
    errno.EACCES: (Unavailable, "give this user the right to it, or name another place"),
    errno.EPERM: (Unavailable, "give this user the right to it, or name another place"),
    errno.ENOTDIR: (UsageError, "a file stands where a directory is needed: move it, or name another place"),
    errno.EEXIST: (UsageError, "something else stands there: move it, or name another place"),
    errno.EISDIR: (UsageError, "a directory stands where a file is needed: name the file"),
    errno.ENOENT: (UsageError, "check the path; if nothing else touches it, run the command again"),
    errno.ELOOP: (UsageError, "symbolic links there lead in a circle: mend them"),
    errno.ENAMETOOLONG: (UsageError, "name a place with a shorter path"),
    errno.EMFILE: (Unavailable, "raise the limit of open files: ulimit -n 4096"),
    errno.ENFILE: (Unavailable, "this host has too many files open: close some programs"),
    errno.ENOMEM: (Unavailable, "this host has too little memory: close some programs, or use fewer --jobs"),
    errno.EAGAIN: (Unavailable, "this host has no more processes to give: close some programs"),
    errno.EIO: (Unavailable, "the device or file system reports errors: look at the kernel's log"),
}
"""By the system's error number: the class, and how to mend it."""
OTHERWISE = (Unavailable, "mend what the system names, and run the command again")


def of_system(error: OSError) -> GoldsmithError:
    """The error that a person can use for one of the system's."""
    kind, hint = HINTS.get(error.errno or 0, OTHERWISE)
    what = os.strerror(error.errno).lower() if error.errno else str(error)
    paths = [repr(os.fsdecode(name)) for name in (error.filename, error.filename2) if _is_path(name)]
    place = f"{' and '.join(paths)}: " if paths else ""
    return kind(f"{place}{what}", hint=hint)


def _is_path(name: object) -> bool:
    return isinstance(name, str | bytes) and bool(name)


def of_mistake(error: BaseException) -> GoldsmithError:
    """The error for a mistake of goldsmith itself; where it happened is written to a file, for a report."""
    lines = "".join(traceback.format_exception(error))
    try:
        descriptor, name = tempfile.mkstemp(prefix="goldsmith-mistake-", suffix=".txt")
        with open(descriptor, "w", encoding="utf-8") as stream:
            stream.write(lines)
    except OSError:
        name = ""
    where = f"report it with {Path(name)}" if name else "report it with the command that you used"
    text = " ".join(str(error).split())[:200]
    return GoldsmithError(f"goldsmith has made a mistake: {type(error).__name__}: {text}", hint=where)
