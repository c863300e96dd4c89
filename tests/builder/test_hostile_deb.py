"""Hostile .debs are refused and touch nothing."""

import lzma
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.builder.byhand import (
    CONTROL,
    Put,
    ar,
    control_tar,
    deb,
    member,
    packed,
    put_dir,
    put_hard,
    put_link,
    taken,
    tar,
)

from goldsmith.builder.debs import unpack_all
from goldsmith.errors import IntegrityError
from goldsmith.store.home import Home

LEADS_OUT = "a path that leads out of the tree"
UNREADABLE = "its data archive cannot be read"
SOUND = tar([put_dir("./"), Put("./one", data=os.urandom(9000)), Put("./two", data=b"2" * 3000)])


def cut(data: bytes, share: float) -> bytes:
    return data[: int(len(data) * share)]


def patched(data: bytes, offset: int, new: bytes) -> bytes:
    return data[:offset] + new + data[offset + len(new) :]


def bomb() -> bytes:
    """Some kilobytes that are 5 GiB of zeros."""
    info = tarfile.TarInfo("./zeros")
    info.size = 5 << 30
    packer = zstandard.ZstdCompressor(level=3).compressobj()
    parts = [packer.compress(info.tobuf(tarfile.GNU_FORMAT))]
    zeros = bytes(16 << 20)
    parts += [packer.compress(zeros) for _ in range(20)]  # a part is enough: it stops long before
    return packed("data.tar.zst", b"".join([*parts, packer.flush()]))


def long_name_bomb() -> bytes:
    """A name of 300 MB, which tar readers hold in memory."""
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 300 << 20
    packer = zstandard.ZstdCompressor(level=3).compressobj()
    parts = [packer.compress(info.tobuf(tarfile.GNU_FORMAT))]
    parts += [packer.compress(b"x" * (16 << 20)) for _ in range(19)]
    return packed("data.tar.zst", b"".join([*parts, packer.flush()]))


HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "a path with dots that climb out": (lambda: deb([Put("../outside")]), LEADS_OUT),
    "a path that climbs from inside": (lambda: deb([put_dir("./a"), Put("./a/../../outside")]), LEADS_OUT),
    "a path that climbs and comes back": (lambda: deb([Put("./a/../b")]), LEADS_OUT),
    "an absolute path": (lambda: deb([Put("/outside")]), LEADS_OUT),
    "a doubly absolute path": (lambda: deb([Put("//outside")]), LEADS_OUT),
    "a directory that climbs": (lambda: deb([put_dir("../outside")]), LEADS_OUT),
    "a link that climbs": (lambda: deb([put_link("../outside", "x")]), LEADS_OUT),
    "the name is just two dots": (lambda: deb([Put("..")]), LEADS_OUT),
    "a file through a link": (lambda: deb([put_link("./l", ".."), Put("./l/outside")]), "is no directory"),
    "a file through an absolute link": (
        lambda: deb([put_link("./l", "/"), Put("./l/outside")]),
        "is no directory",
    ),
    "a directory through a link": (
        lambda: deb([put_link("./l", ".."), put_dir("./l/outside")]),
        "is no directory",
    ),
    "a link in place of a directory with files": (
        lambda: deb([put_dir("./l"), Put("./l/x"), put_link("./l", "..")]),
        "File exists",
    ),
    "a file in place of a link that leads out": (
        lambda: deb([put_link("./l", "../outside"), Put("./l", data=b"bad")]),
        "File exists",
    ),
    "a directory in place of a link": (lambda: deb([put_link("./l", ".."), put_dir("./l")]), "File exists"),
    "a hard link out of the tree": (
        lambda: deb([put_hard("./x", "../sentinel")]),
        "'../sentinel', which is no file before it",
    ),
    "a hard link to the host's files": (
        lambda: deb([put_hard("./x", "/etc/passwd")]),
        "'/etc/passwd', which is no file before it",
    ),
    "a hard link to a symbolic link": (
        lambda: deb([put_link("./l", "/etc/passwd"), put_hard("./x", "./l")]),
        "which is no file before it",
    ),
    "a hard link to what comes later": (
        lambda: deb([put_hard("./x", "./y"), Put("./y")]),
        "which is no file before it",
    ),
    "a character device": (
        lambda: deb([Put("./dev", tarfile.CHRTYPE, more={"devmajor": 1, "devminor": 1})]),
        "a device or another special file: 'dev'",
    ),
    "a block device": (
        lambda: deb([Put("./disk", tarfile.BLKTYPE, more={"devmajor": 8})]),
        "a device or another special file: 'disk'",
    ),
    "a pipe": (lambda: deb([Put("./p", tarfile.FIFOTYPE)]), "a device or another special file: 'p'"),
    "a sparse file of a terabyte": (
        lambda: deb(
            [Put("./s", more={"pax_headers": {"GNU.sparse.size": str(1 << 40), "GNU.sparse.map": "0,0"}})],
            kind=tarfile.PAX_FORMAT,
        ),
        "a device or another special file: 's'",
    ),
    "the same file twice": (lambda: deb([Put("./x"), Put("./x", data=b"2")]), "File exists"),
    "the root as a file": (lambda: deb([Put("./")]), "File exists"),
    "the root as a link": (lambda: deb([put_link("./.", "/")]), "File exists"),
    "a name with NUL": (
        lambda: deb([Put("x", more={"pax_headers": {"path": "a\0b"}})], kind=tarfile.PAX_FORMAT),
        "a name that no package may have",
    ),
    "a name with a line break": (lambda: deb([Put("./a\nb")]), "a name that no package may have: './a\\nb'"),
    "a link's target with a line break": (
        lambda: deb([put_link("./l", "a\nb")]),
        "a name that no package may have",
    ),
    "a name longer than a name may be": (lambda: deb([Put("./" + "x" * 300)]), "File name too long"),
    "a link's target longer than a path may be": (
        lambda: deb([put_link("./l", "x/" * 4000)]),
        "File name too long",
    ),
    "a negative owner": (lambda: deb([Put("./x", more={"uid": -1})]), "an impossible owner"),
    "an owner beyond all ids": (lambda: deb([Put("./x", more={"uid": 1 << 40})]), "cannot be read"),
    "a time beyond all times": (lambda: deb([Put("./x", more={"mtime": 1 << 80})]), "cannot be read"),
    "a bomb of zeros": (bomb, "unpacks to far more than a package of its size can hold"),
    "a bomb of a name": (long_name_bomb, "unpacks to far more than a package of its size can hold"),
    "capabilities that are none": (
        lambda: deb(
            [Put("./x", more={"pax_headers": {"SCHILY.xattr.security.capability": "bad"}})],
            kind=tarfile.PAX_FORMAT,
        ),
        "Invalid argument",
    ),
    "an empty file": (lambda: b"", "does not start as an ar archive"),
    "no ar archive": (lambda: b"PK\3\4" + bytes(600), "does not start as an ar archive"),
    "only the magic of ar": (lambda: b"!<arch>\n", "it has no control.tar*"),
    "an ar header cut short": (lambda: deb()[:100], "an ar header is damaged"),
    "an ar header with a size of letters": (
        lambda: patched(deb(), 8 + 48, b"many      "),
        "an ar header is damaged",
    ),
    "an ar header with a negative size": (
        lambda: patched(deb(), 8 + 48, b"-60       "),
        "an ar header is damaged",
    ),
    "an ar header without its end": (lambda: patched(deb(), 8 + 58, b"xx"), "an ar header is damaged"),
    "no data archive": (
        lambda: ar(member("debian-binary", b"2.0\n"), member("control.tar", control_tar())),
        "it has no data.tar*",
    ),
    "an unknown compression": (
        lambda: packed("data.tar.lz4", SOUND),
        "member 'data.tar.lz4' has an unknown compression",
    ),
    "xz that is none": (lambda: packed("data.tar.xz", b"not xz at all"), UNREADABLE),
    "gzip that is none": (lambda: packed("data.tar.gz", b"not gzip at all"), UNREADABLE),
    "zstd that is none": (lambda: packed("data.tar.zst", b"not zstd at all"), UNREADABLE),
    "xz cut short": (lambda: packed("data.tar.xz", cut(lzma.compress(SOUND), 0.6)), UNREADABLE),
    "gzip with a wrong check sum": (
        lambda: packed(
            "data.tar.gz", patched(deb(SOUND, compression=".gz").rpartition(b"`\n")[2], 40, b"!!")
        ),
        UNREADABLE,
    ),
    "zstd cut short": (
        lambda: packed("data.tar.zst", cut(zstandard.ZstdCompressor().compress(SOUND), 0.6)),
        UNREADABLE,
    ),
    "a tar cut in a file": (lambda: packed("data.tar", cut(SOUND, 0.3)), UNREADABLE),
    "a tar cut between two files": (lambda: packed("data.tar", SOUND[: 512 * 20]), UNREADABLE),
    "a tar whose second header is damaged": (
        lambda: packed("data.tar", patched(SOUND, 512 * 20, b"xx")),
        UNREADABLE,
    ),
    "a member that claims more than there is": (
        lambda: ar(
            member("debian-binary", b"2.0\n"),
            member("control.tar", control_tar()),
            member("data.tar", SOUND[:4096], size=len(SOUND)),
        ),
        UNREADABLE,
    ),
    "no control file": (
        lambda: deb(control=tar([put_dir("./")])),
        "its control archive has no control file",
    ),
    "a control archive cut short": (lambda: deb(control=control_tar()[:700]), "its control archive cannot"),
    "a package's name with a slash": (
        lambda: deb(control=control_tar(CONTROL.replace("odd\n", "../../outside\n", 1))),
        "an impossible Package: '../../outside'",
    ),
    "an architecture that climbs": (
        lambda: deb(control=control_tar(CONTROL.replace("all", "../../x") + "Multi-Arch: same\n")),
        "an impossible Architecture: '../../x'",
    ),
    "a version with a slash": (
        lambda: deb(control=control_tar(CONTROL.replace("1.0", "1/0"))),
        "an impossible Version: '1/0'",
    ),
    "no version": (
        lambda: deb(control=control_tar(CONTROL.replace("Version", "Vision"))),
        "has no field Version",
    ),
    "a second paragraph that is another package": (
        lambda: deb(control=control_tar(CONTROL + "\nPackage: other\n")),
        "more than one paragraph",
    ),
    "a control file that is no text": (
        lambda: deb(control=tar([Put("./control", data=b"Package: \xff\xfe\n")])),
        "its control archive cannot be read",
    ),
    "a script that climbs": (
        lambda: deb(control=control_tar(CONTROL, Put("../outside"))),
        "a member named '../outside'",
    ),
    "a script named by two dots": (
        lambda: deb(control=control_tar(CONTROL, Put(".."))),
        "a member named '..'",
    ),
    "a script with NUL in its name": (
        lambda: deb(
            control=tar(
                [Put("control", data=CONTROL.encode()), Put("x", more={"pax_headers": {"path": "a\0b"}})],
                tarfile.PAX_FORMAT,
            )
        ),
        "a member named 'a\\x00b'",
    ),
}
"""What is wrong with a package: how it is made, and what is said of it."""


@pytest.mark.parametrize("wrong", HOSTILE)
def test_a_hostile_package_is_refused_and_nothing_is_left(tmp_path: Path, wrong: str) -> None:
    make, message = HOSTILE[wrong]
    home = Home(tmp_path / "home")
    sentinel = tmp_path / "home/cache/debs-2/sentinel"
    sentinel.parent.mkdir(parents=True)
    sentinel.write_text("as it was")
    path = tmp_path / "odd.deb"
    path.write_bytes(make())
    before = sorted(str(p) for p in tmp_path.rglob("*"))
    with pytest.raises(IntegrityError) as caught:
        unpack_all({"ab" * 32: path}, home, jobs=2)
    assert f"odd.deb is no sound Debian package: {caught.value.message.partition(': ')[2]}" == (
        caught.value.message
    )
    assert message in caught.value.message
    assert "fetched anew" in caught.value.hint
    assert sorted(str(p) for p in tmp_path.rglob("*")) == before
    assert sentinel.read_text() == "as it was"
    assert not Path("/outside").exists()


def test_the_package_that_hostile_ones_are_made_from_is_sound(tmp_path: Path) -> None:
    package = taken(tmp_path, packed("data.tar.xz", lzma.compress(SOUND)))
    assert [e.path for e in package.entries] == ["", "one", "two"]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_damage_anywhere_is_refused_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    sound = packed("data.tar.xz", lzma.compress(SOUND))
    offset = data.draw(st.integers(0, len(sound) - 1))
    byte = data.draw(st.integers(0, 255))
    room = tmp_path_factory.mktemp("damaged")
    try:
        package = taken(room, patched(sound, offset, bytes([byte])))
    except IntegrityError:
        return
    # The check sums of xz cover all contents; what is left are the fields of ar that nobody reads.
    assert [(e.path, e.size) for e in package.entries] == [("", 0), ("one", 9000), ("two", 3000)]
