"""Which files are as their packages ship them."""

import hashlib
import importlib.util
import py_compile
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from goldsmith.assay.leaks.packaged import Packaged, wanted
from goldsmith.builder.debs import unpack_all
from goldsmith.store.home import Home

KEY = b"example key"
SOURCE = b'"""http://user:password@host"""\n'
CONTROL = "Package: shop\nVersion: 1.2-3\nArchitecture: all\nMaintainer: T <t@example.org>\nDescription: x\n"
STATUS = """\
Package: shop
Status: install ok installed
Architecture: all
Version: 1.2-3
Conffiles:
 /etc/shop.conf {md5}
 /etc/old.conf {md5} obsolete

Package: other
Status: install ok installed
Architecture: amd64
Multi-Arch: same
Version: 2.0
"""


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def packaged(files: Mapping[str, bytes], home: Home | None = None) -> Packaged:
    """As if these were the tree's files; ``/lib`` is a link to ``/usr/lib``."""
    sums = {
        "/var/lib/dpkg/info/shop.md5sums": (
            f"{md5(KEY)}  usr/share/doc/shop/key.pem\n"
            f"{md5(KEY)}  lib/shop/key.pem\n"
            f"{md5(SOURCE)}  usr/lib/shop/code.py\n"
        ).encode(),
        "/var/lib/dpkg/info/other:amd64.md5sums": f"{md5(KEY)}  usr/share/other.pem\n".encode(),
        "/var/lib/dpkg/status": STATUS.format(md5=md5(KEY)).encode(),
    }
    assert all(wanted(path) for path in sums)

    def real(path: str) -> str:
        return f"/usr{path}" if path.startswith("/lib/") else path

    return Packaged(sums, lambda path: files[path], real, home)


BY_MD5 = {
    "as it is shipped": ("/usr/share/doc/shop/key.pem", KEY, True),
    "changed": ("/usr/share/doc/shop/key.pem", b"my own key", False),
    "through a merged directory": ("/usr/lib/shop/key.pem", KEY, True),
    "a configuration file": ("/etc/shop.conf", KEY, True),
    "one that is obsolete": ("/etc/old.conf", KEY, True),
    "a changed configuration file": ("/etc/shop.conf", b"my own key", False),
    "of a package for one architecture": ("/usr/share/other.pem", KEY, True),
    "of no package": ("/srv/key.pem", KEY, False),
}


@pytest.mark.parametrize(("path", "data", "expected"), BY_MD5.values(), ids=BY_MD5)
def test_by_the_trees_own_md5_sums(path: str, data: bytes, expected: bool) -> None:
    judge = packaged({path: data})
    assert judge.vouches(path) is expected
    assert judge.believed == ({path} if expected else set())


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A data directory with the package fetched and unpacked."""
    if shutil.which("dpkg-deb") is None:
        pytest.skip("needs dpkg-deb")
    room = tmp_path_factory.mktemp("packaged")
    tree = room / "tree"
    files = {
        "DEBIAN/control": CONTROL.encode(),
        "DEBIAN/postinst": b"#!/bin/sh\n# example key\n",
        "usr/share/doc/shop/key.pem": KEY,
        "lib/shop/key.pem": KEY,
        "usr/lib/shop/code.py": SOURCE,
    }
    for name, data in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(data)
    (tree / "DEBIAN/postinst").chmod(0o755)
    deb = room / "shop.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", tree, deb], check=True, capture_output=True)
    found = Home(room / "home")
    unpack_all({hashlib.sha256(deb.read_bytes()).hexdigest(): deb}, found, jobs=1)
    return found


BY_PACKAGE = {
    "as it is shipped": ("/usr/share/doc/shop/key.pem", KEY, True),
    "changed": ("/usr/share/doc/shop/key.pem", b"my own key", False),
    "through a merged directory": ("/usr/lib/shop/key.pem", KEY, True),
    "a script of the package": ("/var/lib/dpkg/info/shop.postinst", b"#!/bin/sh\n# example key\n", True),
    "a changed script": ("/var/lib/dpkg/info/shop.postinst", b"#!/bin/sh\n# my own key\n", False),
    "what only the image's own lists know": ("/etc/shop.conf", KEY, False),
}


@pytest.mark.parametrize(("path", "data", "expected"), BY_PACKAGE.values(), ids=BY_PACKAGE)
def test_by_the_package_that_was_fetched(home: Home, path: str, data: bytes, expected: bool) -> None:
    judge = packaged({path: data}, home)
    assert judge.vouches(path) is expected
    assert judge.believed == set(), "nobody has to be believed"


@pytest.mark.parametrize("mode", list(py_compile.PycInvalidationMode), ids=lambda mode: mode.name)
def test_byte_code_counts_as_its_source(tmp_path: Path, mode: py_compile.PycInvalidationMode) -> None:
    (tmp_path / "code.py").write_bytes(SOURCE)
    made = py_compile.compile(
        str(tmp_path / "code.py"), cfile=str(tmp_path / "c"), invalidation_mode=mode, doraise=True
    )
    assert made is not None
    compiled = Path(made).read_bytes()
    assert compiled[:4] == importlib.util.MAGIC_NUMBER
    path = "/usr/lib/shop/__pycache__/code.cpython-313.pyc"
    source = "/usr/lib/shop/code.py"
    assert packaged({path: compiled, source: SOURCE}).vouches(path)
    assert not packaged({path: compiled, source: SOURCE + b"changed = 1"}).vouches(path)
    other = bytearray(compiled)
    other[12] ^= 1
    assert not packaged({path: bytes(other), source: SOURCE}).vouches(path)
    assert not packaged({"/srv/__pycache__/code.cpython-313.pyc": compiled, "/srv/code.py": SOURCE}).vouches(
        "/srv/__pycache__/code.cpython-313.pyc"
    )
