"""Recipes that start from an image, built for real: what comes in, what stays, and what the new image says of it."""

import subprocess
from pathlib import Path

import pytest
from tests.lock.archive import Signer
from tests.system.conftest import Tiny
from tests.system.driver import goldsmith
from tests.system.inside import index, read
from tests.system.scripted import Scripted, prepare, write_recipe

pytestmark = pytest.mark.image
RECIPE = """\
name: standing
version: 1.0.0
from: {base}
packages: [tree, mount]
customizations:
  files:
    - {{path: /etc/motd, data: "on another image\\n"}}
"""


def recipe_on(directory: Path, base: str, tiny: Tiny) -> Path:
    """A recipe that starts from an image, with the tools of the smallest one."""
    directory.mkdir(exist_ok=True)
    (directory / "recipe.yaml").write_text(RECIPE.format(base=base))
    (directory / "goldsmith-tools.lock").write_bytes((tiny.directory / "goldsmith-tools.lock").read_bytes())
    return directory


def reference(tiny: Tiny) -> str:
    """The smallest image, whatever has become the newest of its name."""
    return f"tiny@{tiny.facts['digest']}"


def test_packages_come_into_the_image_and_nothing_else_changes(tiny: Tiny, tmp_path: Path) -> None:
    directory = recipe_on(tmp_path / "a", reference(tiny), tiny)
    facts = goldsmith("build", "recipe.yaml", "--json", home=tiny.home, cwd=directory).json
    before, after = index(tiny.home, tiny.facts), index(tiny.home, facts)
    assert "/usr/bin/tree" in after
    assert "/usr/bin/tree" not in before
    assert read(tiny.home, facts, "/etc/motd") == "on another image\n"
    status = read(tiny.home, facts, "/var/lib/dpkg/status")
    assert status.count("Package: tree\n") == 1
    assert "Status: install ok unpacked" not in status
    gone = {path for path in before.keys() - after.keys() if not path.startswith("/var/")}
    assert gone == set()
    kept = [path for path in before if path.startswith(("/usr/bin/", "/usr/lib/")) and path in after]
    touched = [path for path in kept if before[path][7] != after[path][7]]
    assert touched == ["/usr/lib/os-release"]
    lock = (directory / "recipe.lock").read_text()
    assert tiny.facts["digest"] in lock
    assert '"name": "tree"' in lock
    assert '"name": "mount"' not in lock
    shown = goldsmith("show", "standing", "--json", home=tiny.home, cwd=directory).stdout
    assert tiny.facts["digest"] in shown


def test_a_file_gives_the_same_image_as_the_image_it_came_from(tiny: Tiny, tmp_path: Path) -> None:
    ours = recipe_on(tmp_path / "a", reference(tiny), tiny)
    first = goldsmith("build", "recipe.yaml", "--json", home=tiny.home, cwd=ours).json
    disk = tmp_path / "vendor.qcow2"
    goldsmith("export", reference(tiny), "--format", "qcow2", "--output", disk, home=tiny.home, cwd=tmp_path)
    named = ("--name", "vendor", "--version", "1.0.0", "--json")
    imported = goldsmith("import", disk, *named, home=tiny.home, cwd=tmp_path).json
    assert imported["tree_digest"] == tiny.facts["tree_digest"]
    assert imported["disk_digest"] == tiny.facts["disk_digest"]
    theirs = recipe_on(tmp_path / "b", "../vendor.qcow2", tiny)
    second = goldsmith("build", "recipe.yaml", "--json", home=tiny.home, cwd=theirs).json
    assert second["tree_digest"] == first["tree_digest"]
    assert second["disk_digest"] == first["disk_digest"]


def test_another_image_of_that_name_makes_the_lock_stale(tiny: Tiny, tmp_path: Path) -> None:
    root = tmp_path / "root"
    for name, text in {"etc/os-release": "ID=debian\nVERSION_CODENAME=trixie\n", "usr/bin/x": ""}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "bin").symlink_to("usr/bin")
    status = root / "var/lib/dpkg/status"
    status.parent.mkdir(parents=True)
    status.write_text("Package: dpkg\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n")
    directory = recipe_on(tmp_path / "a", "base:1.0.0", tiny)
    (directory / "recipe.lock").write_bytes((tiny.directory / "recipe.lock").read_bytes())
    subprocess.run(["tar", "-cf", tmp_path / "root.tar", "-C", root, "."], check=True)
    named = ("--name", "base", "--version", "1.0.0")
    said = goldsmith("import", tmp_path / "root.tar", *named, home=tmp_path / "home", cwd=tmp_path)
    assert said.code == 0, said.stderr
    assert goldsmith("build", "recipe.yaml", home=tmp_path / "home", cwd=directory).code == 3


OLD = Scripted(
    "thing",
    {"postinst": "#!/bin/sh\necho configured 1 >>/var/lib/thing.log\n"},
    {"usr/bin/thing": "one\n", "usr/bin/only-old": "x\n", "etc/thing.conf": "one\n"},
    "/etc/thing.conf\n",
)
NEW = Scripted(
    "thing",
    {
        "preinst": "#!/bin/sh\necho preinst $1 $2 >>/var/lib/thing.log\n",
        "postinst": "#!/bin/sh\necho postinst $1 $2 >>/var/lib/thing.log\n",
    },
    {"usr/bin/thing": "two\n", "etc/thing.conf": "two\n"},
    "/etc/thing.conf\n",
    version="2.0",
)


@pytest.mark.slow
def test_a_package_that_is_there_is_upgraded_as_dpkg_does_it(tiny: Tiny, key: Signer, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for room, package in ((first, OLD), (second, NEW)):
        room.mkdir()
        prepare(room, tiny, key, [package])
        write_recipe(room, "upgraded", ["thing=" + package.version])
    base = goldsmith("build", "recipe.yaml", "--update-lock", "--json", home=tiny.home, cwd=first).json
    text = (second / "recipe.yaml").read_text()
    (second / "recipe.yaml").write_text(text.replace("debian:trixie", f"upgraded@{base['digest']}"))
    (second / "recipe.lock").unlink()
    facts = goldsmith("build", "recipe.yaml", "--json", home=tiny.home, cwd=second).json
    tree = index(tiny.home, facts)
    assert read(tiny.home, facts, "/usr/bin/thing") == "two\n"
    assert read(tiny.home, facts, "/etc/thing.conf") == "two\n"
    assert "/usr/bin/only-old" not in tree
    log = read(tiny.home, facts, "/var/lib/thing.log").splitlines()
    assert log == ["configured 1", "preinst upgrade 1.0", "postinst configure 1.0"]
    status = read(tiny.home, facts, "/var/lib/dpkg/status")
    assert status.count("Package: thing\n") == 1
    assert "Version: 2.0\n" in status.split("Package: thing\n")[1].split("\n\n")[0] + "\n"
