"""Every distribution and every kind of disk: built, booted by each firmware that it promises, and well."""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.system.driver import Said, goldsmith
from tests.system.inside import index

from goldsmith.model.distribution import DISTRIBUTIONS
from goldsmith.model.machine import Firmware
from goldsmith.store.home import Home

BOTH = tuple(Firmware)
SECONDS = 400
"""For a boot on a busy host without KVM."""


@dataclass(frozen=True)
class Kind:
    """An image that must boot."""

    suite: str
    disk: str = "{}"
    packages: str = "[openssh-server]"
    boots: tuple[Firmware, ...] = BOTH
    fails: tuple[Firmware, ...] = ()
    """The firmware by which it must not boot: that the disk is of one kind only is real."""
    distribution: str = "debian"
    kernel: str = "-cloud-amd64"
    """How the kernel's name ends."""
    mirror: str = ""
    """The variable that names the archive, where the host's own apt does not."""

    @property
    def name(self) -> str:
        words = [self.suite, *(word for word in self.disk.strip("{}").replace(":", "").split())]
        return "-".join(words + (["cloud-init"] if "cloud-init" in self.packages else []))


KINDS = (
    Kind("bookworm"),
    Kind("bookworm", packages="[openssh-server, cloud-init]", boots=(Firmware.UEFI,)),
    Kind("trixie"),
    Kind("trixie", "{root: erofs}"),
    Kind("trixie", "{boot: uefi}", boots=(Firmware.UEFI,), fails=(Firmware.BIOS,)),
    Kind("trixie", "{boot: bios}", boots=(Firmware.BIOS,), fails=(Firmware.UEFI,)),
    Kind("forky"),
    Kind("sid"),
    Kind("jammy", distribution="ubuntu", kernel="-generic", mirror="GOLDSMITH_TEST_UBUNTU"),
    Kind("noble", distribution="ubuntu", kernel="-generic", mirror="GOLDSMITH_TEST_UBUNTU"),
)


def boot(home: Home, ref: str, firmware: Firmware, cwd: Path) -> Said:
    words = ["boot", ref, "--firmware", firmware.value, "--timeout", str(SECONDS), "--json"]
    return goldsmith(*words, home=home.path, cwd=cwd, timeout=3 * SECONDS)


@pytest.mark.image
@pytest.mark.slow
@pytest.mark.skipif(shutil.which("qemu-system-x86_64") is None, reason="needs qemu-system-x86")
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_an_image_of_every_kind_boots(kind: Kind, shared_home: Home, tmp_path: Path) -> None:
    if kind.mirror and kind.mirror not in os.environ:
        pytest.skip(f"needs {kind.mirror}, the address of an archive, and its keyring")
    mirror = ["--mirror", os.environ[kind.mirror]] if kind.mirror else []
    words = [f"name: {kind.name}", "version: 1.0.0", f"from: {kind.distribution}:{kind.suite}"]
    words += [f"disk: {kind.disk}", f"packages: {kind.packages}", ""]
    (tmp_path / "recipe.yaml").write_text("\n".join(words))
    built = goldsmith("build", "recipe.yaml", "--json", *mirror, home=shared_home.path, cwd=tmp_path).json
    assert built["reproducible"]
    assert "/usr/sbin/sshd" in index(shared_home.path, built)
    for firmware in kind.boots:
        report = boot(shared_home, kind.name, firmware, tmp_path).json
        assert report["guest"]["state"] == "running"
        assert report["guest"]["failed"] == []
        assert report["guest"]["kernel"].endswith(kind.kernel)
        assert report["firmware"] == firmware
    for firmware in kind.fails:
        done = boot(shared_home, kind.name, firmware, tmp_path)
        assert done.code == 1
        assert "the firmware found nothing to boot" in json.loads(done.stdout)["message"]


def test_every_suite_is_a_kind() -> None:
    known = {(name, suite) for name, row in DISTRIBUTIONS.items() for suite in row.suites}
    assert {(kind.distribution, kind.suite) for kind in KINDS} == known
