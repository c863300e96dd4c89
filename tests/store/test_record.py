import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import pytest
from tests.store.recording import record, recorded_image
from tests.store.trees import EPOCH, file, noise

from goldsmith.disk.digest import disk_digest
from goldsmith.errors import IntegrityError, UsageError
from goldsmith.model import oci
from goldsmith.model.diskmap import Source
from goldsmith.model.tree import TreeEntry, tree_digest
from goldsmith.store.check import check
from goldsmith.store.diskmap import read_map, rebuild
from goldsmith.store.layout import Layout
from goldsmith.store.record import ImageFacts, Recorded
from goldsmith.store.tree import read_index

MIB = 1 << 20
SHELL = "/usr/bin/dash"
CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")
WORDS = {"LC_ALL": "C", "PATH": os.environ["PATH"], "HOME": "/root", "SOURCE_DATE_EPOCH": str(EPOCH)}


def libraries() -> list[str]:
    """What a shell needs to start."""
    told = subprocess.run(["ldd", SHELL], capture_output=True, text=True, check=True).stdout
    return [word for line in told.splitlines() for word in line.split() if word.startswith("/")]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A tree on the disk: a shell with its libraries, small files, large ones, one with a hole, names and links."""
    root = tmp_path / "root"
    (root / "bin").mkdir(parents=True)
    shutil.copy(SHELL, root / "bin/sh")
    for library in libraries():
        (root / library[1:]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, root / library[1:])
    for number in range(300):
        (root / f"etc/d{number % 7}").mkdir(parents=True, exist_ok=True)
        (root / f"etc/d{number % 7}/f{number}").write_bytes(noise(number, number * 37))
    (root / "large").write_bytes(noise(1, 9 * MIB))
    with (root / "holed").open("wb") as stream:
        stream.write(noise(2, 50_000))
        stream.seek(3 * MIB)
        stream.write(noise(3, 50_000))
    (root / "tmp").mkdir(mode=0o1777)
    (root / "tmp").chmod(0o1777)
    os.link(root / "etc/d0/f7", root / "etc/second-name")
    os.symlink("x" * 100, root / "etc/link")
    os.setxattr(root / "bin/sh", "security.capability", CAPABILITY)
    age(root)
    return root


def age(root: Path) -> None:
    for path in sorted(root.rglob("*"), reverse=True):
        os.utime(path, (EPOCH - 9, EPOCH - 9), follow_symlinks=False)


def entries_of(root: Path) -> dict[str, TreeEntry]:
    found: dict[str, TreeEntry] = {}
    for path in sorted(root.rglob("*")):
        name, facts = f"/{path.relative_to(root)}", path.lstat()
        common = {"mode": facts.st_mode & 0o7777, "mtime": int(facts.st_mtime)}
        if path.is_symlink():
            found[name] = TreeEntry(name, "symlink", 0o777, 0, 0, EPOCH - 9, target=os.readlink(path))
        elif path.is_dir():
            found[name] = TreeEntry(name, "dir", common["mode"], 0, 0, common["mtime"])
        else:
            xattrs = tuple((key, os.getxattr(path, key).hex()) for key in sorted(os.listxattr(path)))
            entry = file(name, path.read_bytes(), common["mtime"])
            link = str(facts.st_ino) if facts.st_nlink > 1 else ""
            found[name] = replace(entry, mode=common["mode"], xattrs=xattrs, link=link)
    return found


def opener(root: Path) -> Callable[[str], BinaryIO]:
    return lambda path: (root / path[1:]).open("rb")


def disk_with(root: Path, path: Path, size: int = 96 * MIB) -> Path:
    """A disk with an ext4 partition at 1 MiB that holds a tree."""
    with path.open("wb") as stream:
        stream.write(noise(5, 512))
        stream.truncate(size)
    subprocess.run(
        ["mke2fs", "-q", "-t", "ext4", "-b", "4096", "-d", root, "-E", f"offset={MIB},hash_seed=00000000-0000-4000-8000-000000000001",
         "-U", "00000000-0000-4000-8000-000000000002", path, f"{(size - MIB) >> 10}k"],
        check=True, env=WORDS, capture_output=True,
    )  # fmt: skip
    return path


def recorded(layout: Layout, root: Path, raw: Path, version: str = "1.0.0") -> Recorded:
    entries = entries_of(root)
    facts = ImageFacts(
        "web", version, "amd64", EPOCH, tree_digest(entries.values()), disk_digest(raw), "0" * 64
    )
    owners = {"/large": "big"} | {path: "base" for path in entries if path.startswith("/usr/")}
    return record(layout, facts, entries, opener(root), raw, owners=owners, cuts=(MIB,))


def begin(root: Path) -> None:
    for number in range(40):
        file_in(root / f"usr/share/{number % 3}/{number}", noise(number, 3000))
    for name in ("turns", "goes/deep/file", "goes/other", "room/a", "room/b", "first"):
        file_in(root / "usr/lib" / name, name.encode())
    os.link(root / "usr/lib/first", root / "usr/lib/second")


def change(root: Path) -> None:
    shutil.rmtree(root / "usr/lib/goes")
    (root / "usr/lib/turns").unlink()
    file_in(root / "usr/lib/turns/file", noise(90, 9000))
    shutil.rmtree(root / "usr/lib/room")
    (root / "usr/lib/room").symlink_to("turns")
    (root / "usr/lib/second").unlink()
    os.setxattr(root / "usr/share/1/1", "security.capability", CAPABILITY)


def change_again(root: Path) -> None:
    shutil.rmtree(root / "usr/lib/turns")
    file_in(root / "usr/lib/turns", b"turns")
    (root / "usr/lib/room").unlink()
    file_in(root / "usr/lib/room/b", b"room/b")
    (root / "usr/share/1/1").unlink()
    (root / "usr/share/2").chmod(0o700)


def file_in(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


HISTORIES = {"one version": (), "three versions": (begin, change, change_again)}


def test_an_ext4_disk_comes_back_and_costs_little_beside_its_tree(
    layout: Layout, root: Path, tmp_path: Path
) -> None:
    raw = disk_with(root, tmp_path / "raw")
    image = recorded(layout, root, raw)
    assert recorded_image(layout, "web:1.0.0") == image
    index = read_index(layout, image.tree_index.digest)
    found = read_map(layout, image.disk_map.digest, index)
    output = tmp_path / "rebuilt"
    rebuild(layout, found, [blob.digest for blob in image.literals], index, output, digest=disk_digest)
    subprocess.run(["cmp", raw, output], check=True)
    assert output.stat().st_blocks * 512 < 40 * MIB
    from_files = 4096 * sum(run.blocks for run in found.runs if run.source is Source.FILE)
    assert from_files > 9 * MIB
    assert found.literal_bytes < 2 * MIB
    assert sum(blob.size for blob in image.literals) < 200_000
    assert check(layout, read=True) == []


def test_the_same_image_recorded_again_writes_nothing(layout: Layout, root: Path, tmp_path: Path) -> None:
    raw = disk_with(root, tmp_path / "raw")
    first = recorded(layout, root, raw)
    before = {path.name: path.stat().st_ino for path in layout.blobs.all()}
    assert recorded(layout, root, raw) == first
    assert {path.name: path.stat().st_ino for path in layout.blobs.all()} == before


def test_an_earlier_tree_again_is_cut_as_it_was(layout: Layout, root: Path, tmp_path: Path) -> None:
    begin(root)
    age(root)
    raw = disk_with(root, tmp_path / "raw")
    first = recorded(layout, root, raw)
    subprocess.run(["cp", "-a", root, tmp_path / "before"], check=True)
    change(root)
    recorded(layout, root, disk_with(root, tmp_path / "raw2"), "1.0.1")
    before = {path.name for path in layout.blobs.all()}
    shutil.rmtree(root)
    subprocess.run(["cp", "-a", tmp_path / "before", root], check=True)
    again = recorded(layout, root, raw, "1.0.2")
    assert (again.tree_index, again.disk_map) == (first.tree_index, first.disk_map)
    new = [path for path in layout.blobs.all() if path.name not in before]
    assert sum(path.stat().st_size for path in new) < 5000  # manifests


def test_a_small_change_costs_little(layout: Layout, root: Path, tmp_path: Path) -> None:
    recorded(layout, root, disk_with(root, tmp_path / "raw"))
    before = {path.name for path in layout.blobs.all()}
    (root / "etc/new").write_text("new")
    os.utime(root / "etc/new", (EPOCH, EPOCH))
    second = recorded(layout, root, disk_with(root, tmp_path / "raw2"), "1.0.1")
    new = [path for path in layout.blobs.all() if path.name not in before]
    assert sum(path.stat().st_size for path in new) < 400_000
    assert second.literals[0].digest.removeprefix("sha256:") in before


def test_the_container_image_comes_first_and_the_disk_has_no_platform(
    layout: Layout, root: Path, tmp_path: Path
) -> None:
    image = recorded(layout, root, disk_with(root, tmp_path / "raw"))
    manifests = layout.read(image.index.digest)["manifests"]
    assert isinstance(manifests, list)
    container, disk = manifests
    assert container["platform"] == {"os": "linux", "architecture": "amd64"}
    assert "platform" not in disk
    assert disk["artifactType"] == oci.DISK
    assert layout.read(image.disk.digest)["artifactType"] == oci.DISK
    notes = layout.read(image.disk.digest)["annotations"]
    assert isinstance(notes, dict)
    assert notes["dev.goldsmith.disk.digest"] == disk_digest(tmp_path / "raw")


@pytest.mark.parametrize("all_of_it", [False, True], ids=["the container image", "with the disk"])
def test_skopeo_takes_it_as_it_lies(layout: Layout, root: Path, tmp_path: Path, all_of_it: bool) -> None:
    if shutil.which("skopeo") is None:
        pytest.skip("skopeo is not installed")
    image = recorded(layout, root, disk_with(root, tmp_path / "raw"))
    source = f"oci:{layout.directory}:web:1.0.0"
    if not all_of_it:
        subprocess.run(["skopeo", "copy", "-q", source, f"dir:{tmp_path}/copy"], check=True)
        manifest = json.loads((tmp_path / "copy/manifest.json").read_bytes())
        assert manifest["mediaType"] == oci.MANIFEST
        assert manifest == layout.read(image.container.digest)
        return
    subprocess.run(["skopeo", "copy", "-q", "--all", source, f"oci:{tmp_path}/copy:web:1.0.0"], check=True)
    copy = Layout(tmp_path / "copy")
    copied = recorded_image(copy, "web:1.0.0")
    # A newer skopeo notes in the index that the container's layers are packed by zstd.
    container = replace(copied.container, annotations=image.container.annotations)
    assert replace(copied, index=image.index, container=container) == image
    assert check(copy, read=True) == []


@pytest.fixture
def podman() -> Iterator[list[str]]:
    if shutil.which("podman") is None:
        pytest.skip("podman is not installed")
    with tempfile.TemporaryDirectory(prefix="pod") as room:  # podman allows 50 letters
        place = [f"--root={room}/root", f"--runroot={room}/run", "--storage-driver=vfs"]
        command = ["podman", *place, "--events-backend=none", "--cgroup-manager=cgroupfs"]
        yield command
        subprocess.run([*command, "image", "unmount", "--all"], check=False, capture_output=True)


@pytest.mark.slow
@pytest.mark.parametrize("history", HISTORIES)
def test_podman_shows_owners_modes_times_and_runs_it(
    layout: Layout, root: Path, tmp_path: Path, podman: list[str], history: str
) -> None:
    recorded(layout, root, disk_with(root, tmp_path / "raw"))
    version = "1.0.0"
    for number, step in enumerate(HISTORIES[history], 1):
        step(root)
        age(root)
        version = f"1.0.{number}"
        recorded(layout, root, disk_with(root, tmp_path / "raw"), version)
    if HISTORIES[history]:
        image = recorded_image(layout, f"web:{version}")
        assert read_index(layout, image.tree_index.digest).layers[-1].gone
    source = f"oci:{str(layout.directory).lower()}:web:{version}"
    if not Path(str(layout.directory).lower()).exists():
        os.symlink(layout.directory, tmp_path / "store")
    name = subprocess.run(
        [*podman, "pull", "-q", source], check=True, capture_output=True, text=True
    ).stdout.strip()
    mounted = subprocess.run(
        [*podman, "image", "mount", name], check=True, capture_output=True, text=True
    ).stdout
    there = entries_of(Path(mounted.strip().split()[-1]))
    mine = entries_of(root)
    assert tree_digest(there.values()) == tree_digest(mine.values())
    ran = subprocess.run(
        [
            *podman,
            "run",
            "--rm",
            "--network=none",
            "--cgroups=disabled",
            "--ulimit=nofile=1024:1024",
            "--ulimit=nproc=1024:1024",
            name,
            "/bin/sh",
            "-c",
            "echo golden",
        ],
        check=False,
        capture_output=True,
        text=True,
    )
    if "cgroups in hybrid mode" in ran.stderr:  # the machine's crun starts nothing: run what podman mounted
        place = mounted.strip().split()[-1]
        ran = subprocess.run(
            ["chroot", place, "/bin/sh", "-c", "echo golden"], check=False, capture_output=True, text=True
        )
    assert ran.stdout == "golden\n", ran.stderr


@pytest.mark.parametrize("name", ["Web", "web/../x", ""])
def test_a_name_that_cannot_be_is_refused(layout: Layout, root: Path, tmp_path: Path, name: str) -> None:
    raw = tmp_path / "raw"
    raw.write_bytes(b"")
    facts = ImageFacts(name, "1.0.0", "amd64", EPOCH, "t", "d")
    with pytest.raises(UsageError, match="cannot name an image"):
        record(layout, facts, {}, opener(root), raw, owners={})
    assert layout.refs() == {}


def test_other_images_are_told_apart(layout: Layout) -> None:
    empty = layout.blobs.put(b"{}", oci.EMPTY)
    manifest = layout.blobs.put(oci.manifest(empty, [empty]), oci.MANIFEST)
    layout.tag("other:1", manifest)
    with pytest.raises(UsageError, match=r"'other:1' in .* is a container image without a disk"):
        recorded_image(layout, "other:1")
    disk = layout.blobs.put(oci.manifest(empty, [empty], artifact_type=oci.DISK), oci.MANIFEST)
    layout.tag(
        "odd:1", layout.blobs.put(oci.index([manifest, replace(disk, artifact_type=oci.DISK)]), oci.INDEX)
    )
    with pytest.raises(IntegrityError, match=r"lists application/vnd\.oci\.empty"):
        recorded_image(layout, "odd:1")
