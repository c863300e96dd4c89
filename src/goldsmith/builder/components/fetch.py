"""WebDownload."""

import hashlib
import os
import re
from urllib.parse import unquote, urlsplit

from goldsmith.builder.components.given import flag, word
from goldsmith.builder.components.host import Host, Outcome, Wanted
from goldsmith.builder.components.paths import NEW_FILE, make_folders, name_of, parent_of, refuse_existing
from goldsmith.effects.root import Root
from goldsmith.errors import GoldsmithError, StepFailed
from goldsmith.model.component import Inputs
from goldsmith.recipe.component_inputs import ALGORITHMS


def web_download(inputs: Inputs, host: Host, seconds: float | None) -> Outcome:
    """A file that appears at its destination whole and with the right digest, or not at all."""
    url, destination = word(inputs, "source"), word(inputs, "destination")
    checksum, algorithm = word(inputs, "checksum").lower(), word(inputs, "algorithm").lower()
    if checksum and not re.fullmatch(rf"[0-9a-f]{{{ALGORITHMS[algorithm]}}}", checksum):
        raise StepFailed(
            f"{checksum!r} is no {algorithm.upper()} digest", hint="check the variables it is made of"
        )
    if destination.endswith("/") or host.root.is_dir(destination):
        name = unquote(name_of(urlsplit(url).path))
        if not name or "/" in name:
            raise StepFailed(
                f"{url!r} names no file", hint="write the file's name at the end of 'destination'"
            )
        destination = f"{destination.rstrip('/')}/{name}"
    if not flag(inputs, "overwrite"):
        refuse_existing(host.root, destination)
    make_folders(host.root, parent_of(destination))
    wanted = Wanted(url, checksum, verify=not flag(inputs, "ignoreCertificateErrors"))
    part = f"{parent_of(destination).rstrip('/')}/.{name_of(destination)}.goldsmith-part"
    try:
        with host.root.opened(part, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600) as descriptor:
            host.download(wanted, descriptor, timeout=seconds)
            _check(url, descriptor, checksum, algorithm)
        host.root.chmod(part, NEW_FILE)
        host.root.rename(part, destination)
    except (GoldsmithError, OSError):
        host.root.remove(part)
        raise
    return Outcome({"destination": destination})


def _check(url: str, descriptor: int, checksum: str, algorithm: str) -> None:
    if not checksum:
        return
    os.lseek(descriptor, 0, os.SEEK_SET)
    with open(descriptor, "rb", closefd=False) as stream:
        found = hashlib.file_digest(stream, algorithm).hexdigest()
    if found != checksum:
        raise StepFailed(
            f"{url!r} has the {algorithm.upper()} digest {found}, not {checksum}",
            hint="the file was changed, or the checksum is another file's; do not use it before you know which",
        )


def digest(root: Root, path: str, algorithm: str) -> str:
    """The digest of a file in a tree, in hexadecimal."""
    with root.opened(path, os.O_RDONLY) as descriptor, open(descriptor, "rb", closefd=False) as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest()
