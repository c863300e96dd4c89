"""The same disk gives the same file, wherever, whenever and however it is written."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from goldsmith.disk.digest import disk_digest
from goldsmith.disk.formats.source import Source, derived
from goldsmith.disk.formats.table import WRITERS, find_format
from goldsmith.disk.formats.write import export_file, write_file
from goldsmith.model.format import FORMATS, NAMES, Format

MIB = 1 << 20


def test_every_format_has_its_writer_and_its_own_name_and_suffix() -> None:
    assert tuple(WRITERS) == NAMES
    assert len({row.suffix for row in FORMATS}) == len(set(NAMES)) == len(FORMATS)


@pytest.mark.parametrize("name", NAMES)
def test_jobs_holes_digest_and_durability_make_no_difference(room: Path, mixed: Path, name: str) -> None:
    row = find_format(name)
    dense = room / "dense"
    dense.write_bytes(mixed.read_bytes())
    assert dense.stat().st_blocks > mixed.stat().st_blocks
    files = []
    for jobs, raw in ((1, mixed), (2, dense), (5, mixed)):
        files.append(room / f"{jobs}{row.suffix}")
        write_file(raw, files[-1], row, jobs=jobs)
    files.append(room / f"durable{row.suffix}")
    export_file(mixed, files[-1], row, jobs=2, digest=disk_digest(mixed))
    assert len({path.read_bytes() for path in files}) == 1


@pytest.mark.parametrize("name", NAMES)
def test_another_process_time_zone_and_directory_make_no_difference(
    room: Path, mixed: Path, name: str
) -> None:
    row = find_format(name)
    write_file(mixed, room / "here", row, jobs=2)
    (room / "else").mkdir(mode=0o700)
    script = (
        "import sys; from pathlib import Path\n"
        "from goldsmith.disk.formats.table import find_format\n"
        "from goldsmith.disk.formats.write import write_file\n"
        "write_file(Path(sys.argv[1]), Path('there'), find_format(sys.argv[2]), jobs=3)\n"
    )
    subprocess.run(
        [sys.executable, "-c", script, str(mixed), name],
        cwd=room / "else",
        env={**os.environ, "TZ": "Pacific/Kiritimati", "PYTHONHASHSEED": "9", "LC_ALL": "C"},
        check=True,
        umask=0o077,
    )
    assert (room / "here").read_bytes() == (room / "else/there").read_bytes()


def test_another_disk_and_another_use_have_another_identity(mixed: Path) -> None:
    with mixed.open("rb") as stream:
        one = Source(stream.fileno(), 9 * MIB, "sha256:aa")
        other = Source(stream.fileno(), 9 * MIB, "sha256:ab")
    assert derived(one, "x") == derived(one, "x")
    assert len({derived(one, "x"), derived(other, "x"), derived(one, "y")}) == 3
    assert derived(one, "x").version == 4


@pytest.mark.parametrize("row", FORMATS, ids=lambda row: row.name)
def test_the_digest_is_in_the_file_where_the_format_has_an_identity(
    room: Path, mixed: Path, row: Format
) -> None:
    write_file(mixed, room / "one", row, jobs=2, digest="sha256:aa")
    write_file(mixed, room / "other", row, jobs=2, digest="sha256:ab")
    assert ((room / "one").read_bytes() != (room / "other").read_bytes()) is row.has_identity
