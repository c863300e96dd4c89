"""The formats that a build writes beside the image."""

import hashlib
from pathlib import Path

import pytest
from tests.store.kept import keep

from goldsmith.builder.outputs import check_formats, write_outputs
from goldsmith.disk.formats.table import find_format
from goldsmith.disk.formats.write import export_file
from goldsmith.errors import UsageError
from goldsmith.model.format import NAMES, OUTPUTS
from goldsmith.store.home import Home
from goldsmith.store.images import StoredImage, find


@pytest.fixture
def image(room: Path, mixed: Path) -> StoredImage:
    return keep(Home(room / "home"), mixed)


def test_a_build_writes_what_export_writes_under_the_formats_suffix(
    room: Path, mixed: Path, image: StoredImage
) -> None:
    made = write_outputs(Home(room / "home"), image, room / "out", NAMES, jobs=2)
    assert [artifact.path.name for artifact in made] == [
        f"web-1.2.0.{suffix}" for suffix in ("raw", "qcow2", "vmdk", "vhd", "vhdx", "vdi", "tar.gz")
    ]
    for artifact in made:
        data = artifact.path.read_bytes()
        assert (artifact.size, artifact.sha256) == (len(data), hashlib.sha256(data).hexdigest())
        export_file(mixed, room / "exported", find_format(artifact.format), jobs=1)
        assert (room / "exported").read_bytes() == data


def test_what_is_still_there_is_not_written_again(room: Path, image: StoredImage) -> None:
    first = write_outputs(Home(room / "home"), image, room / "out", ["vmdk"], jobs=2)
    inode = first[0].path.stat().st_ino
    again = find(Home(room / "home"), "web")
    assert write_outputs(Home(room / "home"), again, room / "out", ["vmdk"], jobs=2) == first
    assert first[0].path.stat().st_ino == inode
    first[0].path.write_bytes(b"changed")
    assert write_outputs(Home(room / "home"), again, room / "out", ["vmdk"], jobs=2) == first
    assert first[0].path.stat().st_ino != inode


def test_formats_are_checked_before_a_build() -> None:
    check_formats(OUTPUTS)
    with pytest.raises(UsageError, match="there is no format 'oci' yet"):
        check_formats(["raw", "oci"])
