"""A signed archive of real .debs that a guest can install from."""

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from tests.lock.archive import Signer

from goldsmith.lock.fetch import package_path
from goldsmith.model.lock import LockedPackage
from goldsmith.store.home import Home

FIELDS = ("Size", "SHA256", "Filename")


def publish(packages: Iterable[LockedPackage], home: Home, signer: Signer, root: Path) -> None:
    """Write a flat archive of packages that the store holds."""
    stanzas = []
    for package in packages:
        source = package_path(home, package.sha256)
        shutil.copy(source, root / f"{package.sha256}.deb")
        control = subprocess.run(
            ["dpkg-deb", "-f", source], capture_output=True, text=True, check=True
        ).stdout
        values = (str(package.size), package.sha256, f"./{package.sha256}.deb")
        stanzas.append(
            control + "".join(f"{key}: {value}\n" for key, value in zip(FIELDS, values, strict=True))
        )
    (root / "Packages").write_text("\n".join(stanzas))
    done = subprocess.run(["sha256sum", root / "Packages"], capture_output=True, text=True, check=True)
    digest, size = done.stdout.split()[0], (root / "Packages").stat().st_size
    date = subprocess.run(["date", "-R", "-u"], capture_output=True, text=True, check=True).stdout.strip()
    release = f"Suite: kernels\nDate: {date.replace('+0000', 'UTC')}\nSHA256:\n {digest} {size} Packages\n"
    (root / "InRelease").write_text(signer.clearsign(release))
