"""The tools tree: an extracted, never configured Debian whose programs make the disk, whatever the host has."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from goldsmith.effects.process import Finished
from goldsmith.effects.sandbox import Bind, Sandbox
from goldsmith.errors import Unavailable

PACKAGES = (
    "coreutils",
    "dash",
    "dosfstools",
    "e2fsprogs",
    "erofs-utils",
    "grub-common",
    "grub-efi-amd64-signed",
    "grub-pc-bin",
    "mtools",
    "qemu-utils",
    "shim-signed",
)
"""What a tools lock must hold, with all dependencies; e2fsprogs 1.47.1 or later, which clamps times."""

HINT = "the disk's tools come from the tools lock; report this as a bug of goldsmith, with the lines above"


@dataclass(frozen=True, slots=True)
class Tools:
    """The tools tree; ``namespace.enter()`` must have been called before a program of it runs."""

    root: Path
    """Where the tree lies."""

    def has(self, path: str) -> bool:
        """Whether the tree has a file at an absolute path."""
        return (self.root / path.lstrip("/")).is_file()

    def read(self, path: str) -> bytes:
        """The bytes of one of its files.

        Raises:
            Unavailable: the tree does not have it.
        """
        try:
            return (self.root / path.lstrip("/")).read_bytes()
        except FileNotFoundError as error:
            raise Unavailable(
                f"the tools tree {str(self.root)!r} has no file {path!r}",
                hint=f"make it anew from a tools lock with these packages: {' '.join(PACKAGES)}",
            ) from error

    def run(self, *commands: Sequence[str], binds: tuple[Bind, ...] = (), epoch: int) -> Finished:
        """Run programs of the tree one after the other, in one sandbox, until one fails.

        Args:
            commands: argument lists; a start of the sandbox costs some 30 ms, so related ones go together.
            binds: what they see of the host; targets lie under ``/run``, since the tree cannot be written.
            epoch: the time they believe it is, in seconds since 1970.

        Raises:
            StepFailed: a program failed, or the tree does not have it.
        """
        sandbox = Sandbox(
            root=self.root,
            binds=binds,
            writable=False,
            environment={"SOURCE_DATE_EPOCH": str(epoch), "MTOOLS_SKIP_CHECK": "1"},
        )
        if len(commands) == 1:
            return sandbox.run(commands[0], hint=HINT)
        script = " && ".join(shlex.join(command) for command in commands)
        return sandbox.run(["/bin/sh", "-c", script], hint=HINT)
