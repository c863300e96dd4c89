"""Formats where the user wants them: kept while they are what was written, written again when not, whole or not at all."""

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.store.kept import keep

from goldsmith.builder.keep import Digests
from goldsmith.builder.outputs import (
    Artifact,
    Wanted,
    check_formats,
    drafted_outputs,
    place_outputs,
    replace_file,
    write_outputs,
)
from goldsmith.effects.files import sha256_file
from goldsmith.errors import UsageError
from goldsmith.store.archives import WRITERS
from goldsmith.store.home import Home
from goldsmith.store.images import StoredImage, find


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def image(home: Home, content: bytes = b"disk") -> StoredImage:
    home.path.mkdir(exist_ok=True)
    disk = home / "disk.raw"
    disk.write_bytes(content.ljust(1 << 20, b"\0"))
    return keep(home, disk, "web", "1.0.0")


def written(home: Home, directory: Path, formats: tuple[str, ...] = ("raw",)) -> tuple[Artifact, ...]:
    return write_outputs(home, find(home, "web"), directory, formats, jobs=1)


def test_every_format_is_named_by_image_and_version_and_told_by_its_digest(
    home: Home, tmp_path: Path
) -> None:
    image(home)
    made = written(home, tmp_path / "out/deep", ("raw", "qcow2"))
    assert [a.path.name for a in made] == ["web-1.0.0.raw", "web-1.0.0.qcow2"]
    for artifact in made:
        assert artifact.sha256 == sha256_file(artifact.path)
        assert artifact.size == artifact.path.stat().st_size
    assert sorted(p.name for p in (tmp_path / "out/deep").iterdir()) == ["web-1.0.0.qcow2", "web-1.0.0.raw"]


def test_a_build_writes_the_archives_that_export_writes(home: Home, tmp_path: Path) -> None:
    """As a build does it: drafted while the disk is there, written when the image has its name."""
    made = image(home)
    digests = Digests(Future(), Future())
    wanted = Wanted(tmp_path / "out", ("raw", "tar", "oci-archive"))
    with ThreadPoolExecutor() as pool:
        digests.identity.set_result(made.digest)
        digests.plain.set_result(sha256_file(home / "disk.raw"))
        with drafted_outputs(wanted, home / "disk.raw", digests, pool, jobs=1) as drafts:
            found = place_outputs(home, made, drafts.result())
    assert [a.path.name for a in found] == ["web-1.0.0.raw", "web-1.0.0.tar", "web-1.0.0.oci.tar"]
    for artifact in found[1:]:
        assert artifact.sha256 == sha256_file(artifact.path)
        exported = tmp_path / artifact.format
        WRITERS[artifact.format](home, made, exported)
        assert exported.read_bytes() == artifact.path.read_bytes()
    assert written(home, tmp_path / "out", wanted.formats) == found
    assert len(list((tmp_path / "out").iterdir())) == 3


def test_a_second_build_has_its_number_in_the_name(home: Home, tmp_path: Path) -> None:
    image(home)
    image(home, b"other")
    assert written(home, tmp_path / "out")[0].path.name == "web-1.0.0-b2.raw"


def test_what_is_still_what_was_written_is_kept(home: Home, tmp_path: Path) -> None:
    image(home)
    first = written(home, tmp_path / "out")
    inode = first[0].path.stat().st_ino
    assert written(home, tmp_path / "out") == first
    assert first[0].path.stat().st_ino == inode


def in_place(path: Path) -> None:
    with path.open("r+b") as stream:
        stream.write(b"evil")


@pytest.mark.parametrize(
    "harm",
    [
        pytest.param(Path.unlink, id="gone"),
        pytest.param(in_place, id="written to"),
        pytest.param(lambda p: p.write_bytes(b""), id="emptied"),
        pytest.param(lambda p: os.truncate(p, 1 << 21), id="longer"),
        pytest.param(lambda p: (p.rename(f"{p}.old"), p.write_bytes(bytes(1 << 20))), id="replaced"),
    ],
)
def test_what_was_changed_is_written_again(
    home: Home, tmp_path: Path, harm: Callable[[Path], object]
) -> None:
    image(home)
    first = written(home, tmp_path / "out")
    harm(first[0].path)
    again = written(home, tmp_path / "out")
    assert again == first
    assert sha256_file(again[0].path) == first[0].sha256


def test_the_same_image_in_two_directories(home: Home, tmp_path: Path) -> None:
    image(home)
    first, second = written(home, tmp_path / "a")[0], written(home, tmp_path / "b")[0]
    assert first.path.read_bytes() == second.path.read_bytes()
    assert written(home, tmp_path / "a")[0] == first


def test_a_format_that_is_not_known() -> None:
    with pytest.raises(UsageError) as caught:
        check_formats(["raw", "floppy"])
    assert caught.value.message == "there is no format 'floppy' yet"
    assert "raw, " in caught.value.hint


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "web.raw"
    path.write_text("old")

    def fail(target: Path) -> str:
        target.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        replace_file(path, fail)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["web.raw"]
