"""What scripts of an earlier group of packages have made meets the files of a later one, as dpkg would have it.

The oracle is dpkg itself: a package whose ``preinst`` speaks of diversions is not placed but unpacked by dpkg.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.lock.archive import Signer
from tests.system.conftest import Tiny
from tests.system.driver import goldsmith
from tests.system.inside import index, read
from tests.system.scripted import Scripted, prepare, write_recipe

pytestmark = pytest.mark.image

EARLIER = """\
#!/bin/sh
set -e
mkdir -m 0711 /var/lib/meet-closed
chown mail:mail /var/lib/meet-closed
mkdir -p /srv/meet
ln -s /srv/meet /var/lib/meet-linked
ln -s ../../../srv/meet /usr/share/meet-relative
echo mine >/usr/bin/meet-tool
dpkg-divert --package meet-earlier --add --rename --divert /usr/bin/meet-tool.real /usr/bin/meet-tool
echo earlier >/usr/bin/meet-tool
dpkg-statoverride --add root mail 2750 /usr/bin/meet-special
dpkg-statoverride --add mail root 0750 /var/lib/meet-special
echo earlier >/etc/meet.conf
echo earlier >/etc/meet-plain
"""
LATER_FILES = {
    "var/lib/meet-closed/a": "a\n",
    "var/lib/meet-linked/b": "b\n",
    "var/lib/meet-linked/deeper/b": "b\n",
    "usr/share/meet-relative/c": "c\n",
    "usr/bin/meet-tool": "later\n",
    "usr/bin/meet-special": "special\n",
    "var/lib/meet-special/d": "d\n",
    "etc/meet.conf": "later\n",
    "etc/meet-plain": "later\n",
}
LATER = "#!/bin/sh\nset -e\n{}"
BY_DPKG = "# dpkg-divert --rename\n"


@pytest.fixture(scope="module")
def room(tiny: Tiny) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=tiny.home.parent, prefix="goldsmith-meet-") as name:
        yield Path(name)


def build(room: Path, tiny: Tiny, key: Signer, later: str) -> dict[str, Any]:
    """The lock of the earlier package alone, then both are built: the later one has a group of its own."""
    later_package = Scripted("meet-later", {"preinst": LATER.format(later)}, LATER_FILES, "/etc/meet.conf\n")
    prepare(room, tiny, key, [Scripted("meet-earlier", {"postinst": EARLIER}), later_package])
    write_recipe(room, "meet", ["meet-earlier"])
    assert goldsmith("lock", "recipe.yaml", home=tiny.home, cwd=room).code == 0
    write_recipe(room, "meet", ["meet-earlier", "meet-later"])
    line = ["build", "recipe.yaml", "--update-lock", "--json"]
    return goldsmith(*line, home=tiny.home, cwd=room).json


def found(tree: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """What the two packages have left: without the script that tells them apart, and without times."""
    return {
        path: [*row[1:5], *row[6:9]]
        for path, row in tree.items()
        if path.startswith("/srv")
        or ("meet" in path and not path.startswith("/var/lib/dpkg/info/meet-later."))
    }


@pytest.mark.slow
def test_a_later_package_is_placed_as_dpkg_unpacks_it(room: Path, tiny: Tiny, key: Signer) -> None:
    placed = build(room / "placed", tiny, key, "true\n")
    by_dpkg = build(room / "by-dpkg", tiny, key, BY_DPKG)
    expected = found(index(tiny.home, by_dpkg))
    assert expected["/var/lib/meet-linked"][0] == "symlink", "the oracle is one"
    assert expected["/usr/bin/meet-tool.real"][0] == "file"
    assert found(index(tiny.home, placed)) == expected
    for path in ("/etc/meet.conf", "/usr/bin/meet-tool", "/usr/bin/meet-tool.real"):
        assert read(tiny.home, placed, path) == read(tiny.home, by_dpkg, path)
    assert "meet.conf" in read(tiny.home, placed, "/var/lib/dpkg/status")


def test_packages_that_dpkg_leaves_half_installed_are_named(room: Path, tiny: Tiny, key: Signer) -> None:
    """A script puts a dpkg in place of the real one that does nothing, and says that it went well."""
    script = "#!/bin/sh\nprintf '#!/bin/sh\\n' >/usr/bin/dpkg\n"
    prepare(room / "half", tiny, key, [Scripted("meet-half", {"preinst": script}), Scripted("meet-other")])
    write_recipe(room / "half", "half", ["meet-half", "meet-other"])
    done = goldsmith("build", "recipe.yaml", "--update-lock", home=tiny.home, cwd=room / "half")
    assert done.code == 6
    expected = (
        "goldsmith: dpkg has left packages half-installed: meet-half (unpacked), meet-other (unpacked)\n"
    )
    assert done.complaint.startswith(expected)
    assert "\n  hint: " in done.complaint
