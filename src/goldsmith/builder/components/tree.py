"""A tree that is being built: commands run in a sandbox, nothing is started, and the network is shut.

Between the steps of one ``TreeHost`` ``/run`` is kept in ``scratch``, and ``/tmp`` is the tree's own, so that a
command finds what a file module or an earlier command put there. Whoever makes the tree empties its ``/tmp``.
"""

import shutil
import stat
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from goldsmith.builder.components.host import Ran, Wanted
from goldsmith.effects.files import BLOCK, write_all
from goldsmith.effects.group import run_group
from goldsmith.effects.process import environment
from goldsmith.effects.root import Root
from goldsmith.effects.sandbox import BASE_ENVIRONMENT, Bind, Sandbox
from goldsmith.effects.web import download
from goldsmith.errors import Unavailable

WRAPPER = Path(__file__).with_name("systemctl.sh")
SYSTEMCTL = "/usr/bin/systemctl"
REAL_SYSTEMCTL = "/run/goldsmith/systemctl"
RECORDED = "/run/goldsmith/recorded"
SCRIPT = "/run/goldsmith/script.sh"


@dataclass(frozen=True, slots=True)
class TreeHost:
    """Steps act on a tree; ``namespace.enter()`` must have been called in this process."""

    root: Root
    """The tree; its directory is the sandbox's root."""
    sandbox: Sandbox
    """How commands see the tree; its ``network`` says whether they, and downloads, may use it."""
    downloads: Mapping[str, Path]
    """The lock's downloads: verified files by address."""
    scratch: Path
    """A directory outside the tree for what lives as long as this host; made by the caller, removed by the caller."""

    @property
    def cwd(self) -> str:
        """The sandbox's directory."""
        return self.sandbox.cwd

    @property
    def search_path(self) -> tuple[str, ...]:
        """The sandbox's PATH."""
        return tuple({**BASE_ENVIRONMENT, **self.sandbox.environment}["PATH"].split(":"))

    def run(self, argv: Sequence[str], *, script: str | None = None, timeout: float | None = None) -> Ran:
        """Run a program in the sandbox; as ``Host.run``."""
        with tempfile.TemporaryDirectory(prefix="step-", dir=self.scratch) as directory:
            records = Path(directory, "recorded")
            records.touch()
            binds = [*self._binds(), Bind(records, RECORDED, writable=True)]
            command = list(argv)
            if script is not None:
                path = Path(directory, "script.sh")
                path.write_text(script, encoding="utf-8", errors="surrogateescape")
                binds.append(Bind(path, SCRIPT))
                command.append(SCRIPT)
            inside = replace(
                self.sandbox,
                binds=tuple(binds),
                tmpfs=tuple(name for name in self.sandbox.tmpfs if name not in {"/tmp", "/run"}),  # noqa: S108 - in the tree
            )
            ended = run_group(inside.argv(command), env=environment(), timeout=timeout)
            recorded = tuple(records.read_text(errors="replace").splitlines())
        code = ended.code if ended.code >= 0 else 128 - ended.code
        return Ran(code, ended.stdout, ended.stderr, ended.timed_out, recorded)

    def _binds(self) -> list[Bind]:
        """``/run``, then what the sandbox already shows, then the wrapper that makes systemctl work offline."""
        kept = self.scratch / "run"
        kept.mkdir(mode=0o755, exist_ok=True)
        binds = [Bind(kept, "/run", writable=True), *self.sandbox.binds]
        if any(bind.target == SYSTEMCTL for bind in binds) or not self._has_systemctl():
            return binds
        wrapper = self.scratch / "systemctl"
        if not wrapper.exists():
            shutil.copyfile(WRAPPER, wrapper)
            wrapper.chmod(0o755)
        return [*binds, Bind(self.sandbox.root / SYSTEMCTL[1:], REAL_SYSTEMCTL), Bind(wrapper, SYSTEMCTL)]

    def _has_systemctl(self) -> bool:
        """Whether the tree has a systemctl that can be bound: a file, at a path without links out of the tree."""
        try:
            directory = self.root.lstat("/usr/bin").st_mode
            return stat.S_ISDIR(directory) and stat.S_ISREG(self.root.lstat(SYSTEMCTL).st_mode)
        except (FileNotFoundError, NotADirectoryError):
            return False

    def download(self, wanted: Wanted, descriptor: int, *, timeout: float | None = None) -> None:
        """Take the file from the lock's downloads, or from the network where that is allowed.

        Raises:
            Unavailable: the file is not in the lock, and there is no network.
        """
        if wanted.checksum and wanted.url in self.downloads:
            with self.downloads[wanted.url].open("rb") as stream:
                while block := stream.read(BLOCK):
                    write_all(descriptor, block)
            return
        if self.sandbox.network:
            download(wanted.url, descriptor, timeout=timeout, verify=wanted.verify)
            return
        if wanted.checksum:
            raise Unavailable(
                f"{wanted.url!r} is not in the lock, and this component has no network",
                hint="renew the lock with 'goldsmith lock'; an address that comes from a step's output needs "
                "'network: true' in the recipe",
            )
        raise Unavailable(
            f"{wanted.url!r} has no checksum, and this component has no network",
            hint="add 'checksum:' and 'algorithm:' so that the lock holds the file, or set 'network: true' in the recipe",
        )

    def update_packages(
        self, include: Sequence[str], exclude: Sequence[str], *, timeout: float | None = None
    ) -> Ran:
        """Nothing is done: the packages are those of the lock, which is how they are updated."""
        del timeout
        names = " ".join([*include, *(f"-{name}" for name in exclude)])
        return Ran(0, recorded=(f"UpdateOS {names}: the lock's versions are installed".replace(" :", ":"),))

    def reboot(self, delay: int) -> str:
        """Not done: nothing has been booted."""
        return f"reboot after {delay} s: the image is not running, so the next step follows"
