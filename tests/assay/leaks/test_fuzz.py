"""A damaged disk is refused or searched; it never makes goldsmith fail, hang or swell."""

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.assay.leaks import disk

from goldsmith.assay.leaks.foreign import foreign_subject
from goldsmith.assay.leaks.look import look
from goldsmith.errors import InputError
from goldsmith.store.home import Home

pytestmark = pytest.mark.skipif(shutil.which("mke2fs") is None, reason="needs e2fsprogs")
ROUNDS = 150
AREAS = (
    (0, 17 << 10),  # partition table
    (disk.ROOT_AT + 1024, 1024),  # superblock
    (disk.ROOT_AT + 4096, 4096),  # descriptors of groups
    (disk.ROOT_AT + 4096, 2 << 20),  # maps, inodes, directories
    (disk.ESP_AT, 64 << 10),  # FAT
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return disk.make(tmp_path_factory.mktemp("disk")).path


def damage(path: Path, seed: int) -> Iterator[tuple[int, int]]:
    """A few bytes changed; gives what they were."""
    chance = random.Random(seed)
    start, length = AREAS[seed % len(AREAS)]
    with path.open("r+b") as stream:
        for _ in range(chance.choice((1, 1, 4, 64))):
            at = start + chance.randrange(length)
            stream.seek(at)
            before = stream.read(1)[0]
            stream.seek(at)
            stream.write(
                bytes([chance.choice((0, 255, before ^ 1 << chance.randrange(8), chance.randrange(256)))])
            )
            yield at, before


def test_damaged_disks(made: Path, tmp_path: Path) -> None:
    refused = searched = 0
    for seed in range(ROUNDS):
        changed = list(damage(made, seed))
        try:
            with foreign_subject(made, Home(tmp_path)) as subject:
                look(subject, lambda _data: [], jobs=1)
            searched += 1
        except InputError:
            refused += 1
        finally:
            with made.open("r+b") as stream:
                for at, before in reversed(changed):
                    stream.seek(at)
                    stream.write(bytes([before]))
    assert refused > 0
    assert searched > 0
