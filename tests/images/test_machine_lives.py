"""A machine launched from an image lives: it grows, installs another kernel by apt, boots it, and loses the old one."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.images.archive import publish
from tests.images.guest import Disk
from tests.lock.archive import Signer, signer
from tests.lock.server import Server, serving
from tests.system.driver import goldsmith
from tests.system.inside import disk_of

from goldsmith.lock.file import lock_path, read_lock
from goldsmith.model.lock import LockedPackage
from goldsmith.model.machine import Firmware
from goldsmith.store.home import Home

pytestmark = [
    pytest.mark.image,
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("qemu-system-x86_64") is None, reason="needs qemu-system-x86"),
]
RECIPE = "name: living\nversion: 1.0.0\nfrom: debian:trixie\npackages: [{}]\n"
OLDER = ("linux-image-cloud-amd64/trixie",)
"""The kernel of the last point release; security support has newer ones most of the time."""
OTHERS = ("linux-image-cloud-amd64", "linux-image-amd64")
"""What the machine may install: the newest of the same flavour, or, where that is the same, the other flavour."""
SIZE = 4 << 30

# An emulated CPU is slow: hence a quick compressor.
UPDATE = """\
echo COMPRESSLEVEL=1 >/etc/initramfs-tools/conf.d/quick
echo force-unsafe-io >/etc/dpkg/dpkg.cfg.d/quick
mkdir -p /etc/apt/keyrings
install -m 644 /run/credentials/@system/goldsmith.key /etc/apt/keyrings/test.asc
echo "deb [signed-by=/etc/apt/keyrings/test.asc] http://10.0.2.2:{port} ./" >/etc/apt/test.list
ours="-o Dir::Etc::SourceList=/etc/apt/test.list -o Dir::Etc::SourceParts=/dev/null -o Acquire::Retries=5"
apt-get $ours update >/run/printed 2>&1 || fail "update: $(tail -n 3 /run/printed)"
apt-get $ours install --yes --no-install-recommends {package} >/run/printed 2>&1 \\
  || fail "install: $(tail -n 25 /run/printed)"
say "installed $(readlink /vmlinuz)"
"""
REMOVE = """\
apt-get purge --yes {packages} >/run/printed 2>&1 || fail "purge: $(tail -n 25 /run/printed)"
say "left $(ls /boot | tr '\\n' ' ')"
"""


@pytest.fixture(scope="module")
def kernel_signer() -> Iterator[Signer]:
    with signer("kernels") as made:
        yield made


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    root = tmp_path / "served"
    root.mkdir()
    with serving(root) as made:
        yield made


def kernels(lock: Path) -> dict[str, LockedPackage]:
    """The kernel packages of a lock by name."""
    found = read_lock(lock)
    assert found is not None
    return {package.name: package for package in found.packages if package.name.startswith("linux-image-")}


def release_of(found: dict[str, LockedPackage]) -> str:
    """What ``uname -r`` says of the kernel among them."""
    (name,) = (name for name in found if name.removeprefix("linux-image-")[0].isdigit())
    return name.removeprefix("linux-image-")


def recipe(room: Path, package: str) -> Path:
    room.mkdir(parents=True)
    (room / "recipe.yaml").write_text(RECIPE.format(package))
    return room / "recipe.yaml"


def another_kernel(room: Path, home: Home, old: str) -> tuple[str, dict[str, LockedPackage]]:
    """A package by which the machine gets another kernel, and all kernel packages that it needs; they are fetched."""
    for number, package in enumerate(OTHERS):
        path = recipe(room / str(number), package)
        # A build fetches what its lock names; the image itself is not wanted, but costs little.
        goldsmith("build", path, "--json", home=home.path, cwd=path.parent)
        found = kernels(lock_path(path))
        if release_of(found) != old:
            return package, found
    raise AssertionError(f"there is no other kernel than {old}")


def test_a_machine_installs_another_kernel_boots_it_and_loses_the_old_one(
    shared_home: Home, tmp_path: Path, kernel_signer: Signer, server: Server
) -> None:
    """By both firmwares at every state; one disk all along."""
    path = recipe(tmp_path / "image", OLDER[0])
    facts = goldsmith("build", path, "--json", home=shared_home.path, cwd=path.parent).json
    old = release_of(kernels(lock_path(path)))
    package, found = another_kernel(tmp_path / "others", shared_home, old)
    new = release_of(found)
    publish(found.values(), shared_home, kernel_signer, server.root)

    disk = Disk(disk_of(shared_home.path, facts), tmp_path, size=SIZE)
    update = UPDATE.format(port=server.server_address[1], package=package)
    first = disk.start(Firmware.UEFI, update, {"goldsmith.key": kernel_signer.public.read_bytes()})
    assert (first["state"], first["kernel"], first["firmware"]) == ("running", old, "uefi")
    assert int(first["root"]) > SIZE * 0.9, "the root file system has not grown to the larger disk"
    assert first["installed"] == f"boot/vmlinuz-{new}"

    for firmware, work in (
        (Firmware.BIOS, ""),
        (Firmware.UEFI, REMOVE.format(packages=f"linux-image-{old}")),
    ):
        start = disk.start(firmware, work)
        assert (start["state"], start["kernel"], start["firmware"]) == ("running", new, firmware)
        assert start["vmlinuz"] == f"boot/vmlinuz-{new} boot/initrd.img-{new}"
        assert start["vmlinuz.old"] == f"boot/vmlinuz-{old} boot/initrd.img-{old}"
        assert start["menu"] == first["menu"], "the menu is static"
    assert set(start["left"].split()) >= {f"vmlinuz-{new}", f"initrd.img-{new}"}
    assert old not in start["left"].replace(new, "")

    for firmware in (Firmware.BIOS, Firmware.UEFI):
        start = disk.start(firmware)
        assert (start["state"], start["kernel"], start["firmware"]) == ("running", new, firmware)
        assert start["vmlinuz"] == f"boot/vmlinuz-{new} boot/initrd.img-{new}"
