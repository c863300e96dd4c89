"""The seed's image, read back by programs that do not know us."""

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsmith.machine.fat import CLUSTER, CLUSTERS, image

FILES = {
    "meta-data": b"instance-id: x\n",
    "user-data": b"#cloud-config\n" * 1000,
    "network-config": b"",
    "thirteen-char": b"z" * CLUSTER,
}

needs_mtools = pytest.mark.skipif(
    shutil.which("mcopy") is None, reason="mtools is not installed on this host"
)
needs_fsck = pytest.mark.skipif(
    shutil.which("fsck.fat") is None, reason="dosfstools is not installed on this host"
)


def output(*argv: str) -> bytes:
    return subprocess.run(
        argv, check=True, capture_output=True, env={"PATH": "/usr/sbin:/usr/bin", "MTOOLSRC": "/dev/null"}
    ).stdout


@needs_mtools
@pytest.mark.parametrize("name", FILES)
def test_mtools_reads_every_file_back(tmp_path: Path, name: str) -> None:
    disk = tmp_path / "seed.img"
    disk.write_bytes(image("CIDATA", FILES))
    assert output("mcopy", "-i", str(disk), f"::{name}", "-") == FILES[name]


@needs_mtools
def test_mtools_lists_the_long_names_and_the_label(tmp_path: Path) -> None:
    disk = tmp_path / "seed.img"
    disk.write_bytes(image("CIDATA", FILES))
    assert output("mdir", "-b", "-i", str(disk)).decode().split() == [f"::/{name}" for name in sorted(FILES)]
    assert b"Volume label is CIDATA" in output("mlabel", "-s", "-i", str(disk))


@needs_fsck
def test_fsck_finds_nothing_to_mend_and_counts_the_label_as_a_file(tmp_path: Path) -> None:
    disk = tmp_path / "seed.img"
    disk.write_bytes(image("CIDATA", FILES))
    assert f"{len(FILES) + 1} files".encode() in output("fsck.fat", "-n", str(disk))


def test_the_kernel_and_blkid_will_know_it_by_its_label(tmp_path: Path) -> None:
    disk = tmp_path / "seed.img"
    disk.write_bytes(image("CIDATA", FILES))
    found = output("blkid", "-p", "-o", "export", str(disk)).decode().splitlines()
    assert "LABEL=CIDATA" in found
    assert "TYPE=vfat" in found


@settings(deadline=None)
@given(
    st.dictionaries(
        st.from_regex(r"[a-z][a-z0-9-]{0,30}", fullmatch=True), st.binary(max_size=5000), max_size=8
    )
)
def test_the_order_of_the_files_does_not_matter(files: dict[str, bytes]) -> None:
    turned = dict(reversed(list(files.items())))
    assert image("CIDATA", files) == image("CIDATA", turned)


def test_a_label_that_is_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 11 characters: 'TWELVE-CHARS'"):
        image("TWELVE-CHARS", {})


def test_files_that_do_not_fit_are_refused() -> None:
    assert image("X", {"a": bytes(CLUSTER * CLUSTERS)})
    with pytest.raises(ValueError, match="do not fit into a seed image"):
        image("X", {"a": bytes(CLUSTER * CLUSTERS + 1)})
