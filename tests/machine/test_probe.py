"""The probe believes a guest's word and nothing else."""

import json
from pathlib import Path

import pytest

from goldsmith.machine import probe_rom
from goldsmith.machine.probe import Probe, accelerator, probe
from goldsmith.model.machine import Accelerator
from goldsmith.store.home import Home

pytestmark = pytest.mark.usefixtures("qemu")

EMULATED = ("-accel", "tcg", "-cpu", "max")


def test_a_guest_that_runs_is_believed(home: Home) -> None:
    assert probe(home, deadline=10, options=EMULATED) == Probe(Accelerator.KVM, "a guest ran under it")


def test_a_guest_that_never_says_a_word_is_given_up_at_the_deadline(home: Home) -> None:
    found = probe(home, deadline=0.5, options=(*EMULATED, "-S"))
    assert found == Probe(Accelerator.TCG, "/dev/kvm opens, but a guest said nothing within 0.5 s")


def test_a_qemu_that_ends_by_itself_is_no_proof(home: Home) -> None:
    found = probe(home, deadline=10, options=("-accel", "no-such-accelerator"))
    assert found.accelerator is Accelerator.TCG
    assert "QEMU ended with 1: " in found.reason
    assert "no-such-accelerator" in found.reason


def test_a_cpu_that_cannot_compute_is_no_proof(home: Home) -> None:
    # Without SSE2 the guest faults three times and the machine resets: QEMU ends with 0 by -no-reboot, not with the word.
    found = probe(home, deadline=10, options=("-accel", "tcg", "-cpu", "qemu32"))
    assert found.accelerator is Accelerator.TCG
    assert "QEMU ended with 0" in found.reason


def test_the_probe_leaves_nothing_behind(home: Home) -> None:
    probe(home, deadline=10, options=EMULATED)
    assert [path.name for path in (home / "machines").iterdir()] == [".lock"]


def test_without_kvm_nothing_is_started(home: Home) -> None:
    found = accelerator(home, kvm=Path("/dev/no-such-kvm"))
    assert found == Probe(Accelerator.TCG, "/dev/no-such-kvm does not exist")
    assert not home.path.exists()


def test_an_answer_is_kept_and_asked_for_once(home: Home, tmp_path: Path) -> None:
    openable = tmp_path / "kvm"
    openable.touch()
    first = accelerator(home, kvm=openable, deadline=4)
    kept = home / "cache/accelerator.json"
    words = json.loads(kept.read_text())
    words["reason"] = "as it was kept"
    kept.write_text(json.dumps(words))
    assert accelerator(home, kvm=openable) == Probe(first.accelerator, "as it was kept")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("", id="an empty file"),
        pytest.param("[]", id="another kind of JSON"),
        pytest.param(
            '{"key": "of another boot", "accelerator": "kvm", "reason": "old"}', id="another boot's answer"
        ),
    ],
)
def test_an_answer_that_is_not_for_this_boot_is_not_believed(
    home: Home, tmp_path: Path, content: str
) -> None:
    openable = tmp_path / "kvm"
    openable.touch()
    kept = home / "cache/accelerator.json"
    kept.parent.mkdir(parents=True)
    kept.write_text(content)
    assert accelerator(home, kvm=openable, deadline=4).reason != "old"
    assert json.loads(kept.read_text())["key"].startswith("sha256:")


def test_the_firmware_fills_its_chip_and_starts_where_the_cpu_does() -> None:
    rom = probe_rom.rom()
    assert len(rom) == probe_rom.SIZE
    assert rom[0xFFF0:0xFFF3] == bytes.fromhex("e90d00")
    assert rom.count(probe_rom.WORD) == 1
