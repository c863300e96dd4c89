"""Where goldsmith keeps its data: ``$GOLDSMITH_HOME``, else the XDG data directory."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Home:
    """The data directory and the rooms in it; a room is made by whoever first writes there.

    ::

        packages/sha256/ab/abcd…      every .deb and download, by digest: what a lock needs to be rebuilt offline
        locks/sha256-….json           tools locks by digest
        cache/apt/…                   private apt roots: sources, lists and state of one resolution
        cache/debs/SHA256/            extracted .debs
        cache/layers/KEY/             results of build steps
        cache/tools/DIGEST/           extracted tools trees
        cache/disks/HEX.raw           raw disks of images, by digest; made again from the store when they are wanted
        cache/written/HEX.json        which files were written of an image, and where
        store/                        built images: an OCI image layout
        machines/                     throwaway machines and their logs
        vms/NAME/                     machines that stay (goldsmith vm)
        work/PID-…/                   what a running build needs; swept by the next run if its process is gone
        logs/                         logs of builds
    """

    path: Path

    def __truediv__(self, name: str) -> Path:
        return self.path / name


def find_home() -> Home:
    """The data directory of this user."""
    named = os.environ.get("GOLDSMITH_HOME")
    if named:
        return Home(Path(named).absolute())
    data = os.environ.get("XDG_DATA_HOME", "")
    if not data.startswith("/"):  # the base directory specification: a relative path is to be ignored
        data = str(Path.home() / ".local/share")
    return Home(Path(data) / "goldsmith")
