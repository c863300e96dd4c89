"""Real apt archives: .debs made by dpkg-deb, indices, a Release signed by a throwaway key."""

import gzip
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path


@dataclass(frozen=True)
class Deb:
    """A package to make."""

    name: str
    version: str = "1.0"
    architecture: str = "all"
    fields: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def file_name(self) -> str:
        version = self.version.partition(":")[2] or self.version
        return f"{self.name}_{version}_{self.architecture}.deb"


def deb(name: str, version: str = "1.0", *, files: Mapping[str, str] | None = None, **fields: str) -> Deb:
    """A package; ``Pre_Depends`` stands for ``Pre-Depends``."""
    architecture = fields.pop("Architecture", "all")
    named = {key.replace("_", "-"): value for key, value in fields.items()}
    return Deb(name, version, architecture, named, files or {})


ESSENTIAL = deb("base-files", Essential="yes", files={"etc/issue": "a test\n"})
APT = deb("apt", "2.0", Depends="libapt")
BOOTS = tuple(
    deb(name)
    for name in ("systemd-sysv", "udev", "kmod", "initramfs-tools", "zstd", "e2fsprogs", "systemd-repart")
)
KERNEL = (
    deb("linux-image-cloud-amd64", Architecture="amd64", Depends="linux-image-6.1-cloud-amd64"),
    deb("linux-image-6.1-cloud-amd64", Architecture="amd64", Depends="kmod, linux-base"),
    deb("linux-base"),
)
TOOLS = tuple(
    deb(name)
    for name in [
        "bash",
        "coreutils",
        "cpio",
        "dash",
        "dosfstools",
        "erofs-utils",
        "findutils",
        "grep",
        "grub-efi-amd64-bin",
        "grub-efi-amd64-signed",
        "grub-pc-bin",
        "libarchive13t64",
        "mtools",
        "qemu-utils",
        "sed",
        "shim-signed",
    ]
)
SMALLEST = (ESSENTIAL, APT, deb("libapt"), *BOOTS, *KERNEL, *TOOLS)
"""What every lock of debian:trixie needs to be there."""


def build_deb(package: Deb, directory: Path) -> Path:
    """Make one .deb by ``dpkg-deb``."""
    target = directory / package.file_name
    with tempfile.TemporaryDirectory() as name:
        tree = Path(name)
        tree.chmod(0o755)
        (tree / "DEBIAN").mkdir()
        values = {
            "Package": package.name,
            "Version": package.version,
            "Architecture": package.architecture,
            "Maintainer": "A Test <test@example.invalid>",
            "Description": "a test",
            **package.fields,
        }
        (tree / "DEBIAN/control").write_text("".join(f"{key}: {value}\n" for key, value in values.items()))
        for path, text in package.files.items():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_text(text)
        command = ["dpkg-deb", "-Znone", "--root-owner-group", "--build", str(tree), str(target)]
        subprocess.run(command, check=True, capture_output=True)
    return target


def stanza(package: Deb, path: Path, place: str, *, with_sha256: bool = True) -> str:
    """What ``Packages`` says of a .deb."""
    data = path.read_bytes()
    values = {
        "Package": package.name,
        "Version": package.version,
        "Architecture": package.architecture,
        **package.fields,
        "Filename": place,
        "Size": str(len(data)),
        "MD5sum": hashlib.md5(data).hexdigest(),
        "SHA256": hashlib.sha256(data).hexdigest(),
        "Description": "a test",
    }
    if not with_sha256:
        del values["SHA256"]
    return "".join(f"{key}: {value}\n" for key, value in values.items()) + "\n"


@dataclass(frozen=True)
class Signer:
    """A throwaway OpenPGP key."""

    home: Path
    public: Path
    """The public key, in armour."""

    def clearsign(self, text: str) -> str:
        command = ["gpg", "--homedir", str(self.home), "--batch", "--quiet", "--clearsign"]
        done = subprocess.run(command, input=text.encode(), check=True, capture_output=True)
        return done.stdout.decode()


@contextmanager
def signer(name: str) -> Iterator[Signer]:
    """Make a key; it and its agent are gone afterwards."""
    # Not below tmp_path: the agent's socket wants a short path.
    home = Path(tempfile.mkdtemp(prefix="gs-"))
    gpg = ["gpg", "--homedir", str(home), "--batch", "--quiet"]
    try:
        who = f"{name} <{name}@example.invalid>"
        key = ["--passphrase", "", "--quick-generate-key", who, "ed25519", "sign", "never"]
        subprocess.run([*gpg, *key], check=True, capture_output=True)
        public = home / f"{name}.asc"
        subprocess.run([*gpg, "--armor", "--output", str(public), "--export", who], check=True)
        yield Signer(home, public)
    finally:
        subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False)
        shutil.rmtree(home, ignore_errors=True)


@dataclass
class Archive:
    """An archive below a directory; ``publish`` writes a suite as it is from then on."""

    root: Path
    signer: Signer
    debs: Path | None = None
    """Where .debs are kept from one test to the next: making one takes 20 ms."""

    def _make(self, package: Deb, path: Path) -> None:
        if self.debs is None:
            build_deb(package, path.parent)
            return
        room = self.debs / hashlib.sha256(repr(package).encode()).hexdigest()
        if not room.exists():
            room.mkdir()
            build_deb(package, room)
        os.link(room / package.file_name, path)

    def publish(
        self,
        suite: str,
        packages: Sequence[Deb],
        *,
        date: datetime | None = None,
        valid_for: timedelta | None = None,
        is_signed: bool = True,
        with_sha256: bool = True,
    ) -> None:
        """Write a suite; one that ends in ``/`` is flat."""
        pool = self.root / "pool/main"
        pool.mkdir(parents=True, exist_ok=True)
        entries = []
        for package in packages:
            path = pool / package.file_name
            if not path.exists():
                self._make(package, path)
            entries.append(stanza(package, path, f"pool/main/{package.file_name}", with_sha256=with_sha256))
        is_flat = suite.endswith("/")
        top = self.root / suite if is_flat else self.root / "dists" / suite
        index = "Packages" if is_flat else "main/binary-amd64/Packages"
        texts = {index: "".join(entries).encode()}
        texts[f"{index}.gz"] = gzip.compress(texts[index], mtime=0)
        for name, data in texts.items():
            (top / name).parent.mkdir(parents=True, exist_ok=True)
            (top / name).write_bytes(data)
        release = self._release(suite, texts, date or datetime.now(UTC) - timedelta(hours=1), valid_for)
        for old in ("InRelease", "Release"):
            (top / old).unlink(missing_ok=True)
        if is_signed:
            (top / "InRelease").write_text(self.signer.clearsign(release))
        else:
            (top / "Release").write_text(release)

    @staticmethod
    def _release(suite: str, texts: Mapping[str, bytes], date: datetime, valid_for: timedelta | None) -> str:
        lines = [
            f"Suite: {suite.rstrip('/')}",
            f"Codename: {suite.rstrip('/')}",
            f"Date: {format_datetime(date, usegmt=True)}",
            "Architectures: all amd64",
            "No-Support-for-Architecture-all: Packages",
            "Components: main",
        ]
        if valid_for is not None:
            lines.append(f"Valid-Until: {format_datetime(date + valid_for, usegmt=True)}")
        lines.append("SHA256:")
        lines += [f" {hashlib.sha256(data).hexdigest()} {len(data)} {name}" for name, data in texts.items()]
        return "\n".join(lines) + "\n"

    def publish_trixie(self, packages: Sequence[Deb], **how: object) -> None:
        """Write what ``debian:trixie`` wants of a main archive."""
        self.publish("trixie", [*SMALLEST, *packages], **how)  # type: ignore[arg-type]
        self.publish("trixie-updates", [])
