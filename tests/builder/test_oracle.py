"""The oracle: the example's packages as goldsmith installs them and as dpkg itself does, compared path by path."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.fixtures_images import Goldsmith

from goldsmith.builder import layers
from goldsmith.effects.files import locked
from goldsmith.lock.fetch import package_path
from goldsmith.store.home import Home

pytestmark = [pytest.mark.image, pytest.mark.slow]

PROGRAM = Path(__file__).with_name("sealed_tree.py")
STEPS = ("configure 2", "place 2", "configure 1", "place 1")
"""The layers that installing makes, topmost first."""
Sealed = Mapping[str, list[Any]]

MADE_BY_OTHERS = {
    "/boot/initrd.img-": "a step of its own makes the initramfs",
    "/etc/apt/apt.conf.d/": "mmdebstrap configures its apt here",
    "/etc/apt/sources.list": "mmdebstrap writes it; goldsmith's customizations write sources",
    "/etc/fstab": "mmdebstrap writes one; goldsmith's last step writes the image's",
    "/var/lib/apt/extended_states": "apt's own marks; goldsmith's customizations write them",
    "/var/lib/apt/lists/auxfiles": "apt downloaded indices; goldsmith runs no apt in the tree",
    "/var/lib/dpkg/arch": "mmdebstrap writes it",
}
"""Paths that only dpkg's tree may have, by how they begin, and why."""

ALLOWED = {
    "/etc/systemd/system/timers.target.wants/dpkg-db-backup.timer": "/lib is /usr/lib: systemd was not there yet",
    "/etc/systemd/system/timers.target.wants/fstrim.timer": "/lib is /usr/lib: systemd was not there yet",
    "/usr/share/python3/debpython/__pycache__/": "py3compile's own modules: compiled by being imported, or by it",
    "/var/cache/apt/archives/partial": "apt ran and made it its own",
    "/var/lib/apt/lists/partial": "apt ran and made it its own",
}
"""Paths that may differ, by how they begin, and why."""


def run(*command: str | Path, cwd: Path | None = None, stdout: Any = subprocess.PIPE, epoch: int = 0) -> str:
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch)} if epoch else None
    done = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env=environment,
        check=False,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout or ""


def make_reference(lock: Mapping[str, Any], home: Home, place: Path) -> None:
    """Install the lock's packages with apt and dpkg, by mmdebstrap, from an archive that has these only."""
    archive = place / "archive"
    archive.mkdir(parents=True)
    for package in lock["packages"]:
        name = f"{package['name']}_{package['sha256'][:12]}.deb"
        os.link(package_path(home, package["sha256"]), archive / name)
    with (archive / "Packages").open("w") as stream:
        run("apt-ftparchive", "packages", ".", cwd=archive, stdout=stream)
    about = ("Suite=trixie", "Codename=trixie")
    options = [word for fact in about for word in ("-o", f"APT::FTPArchive::Release::{fact}")]
    release = run("apt-ftparchive", *options, "release", ".", cwd=archive)
    (archive / "Release").write_text(release)
    names = ",".join(package["name"] for package in lock["packages"])
    run(
        "mmdebstrap",
        "--variant=essential",
        "--mode=root",
        f"--include={names}",
        "--skip=cleanup,check/empty",
        "--aptopt=APT::Install-Recommends false",
        "trixie",
        place / "tree",
        f"deb [trusted=yes] copy:{archive} ./",
        epoch=lock["epoch"],  # Python's byte code has another form with it
    )
    (place / "complete").touch()


@pytest.fixture(scope="module")
def reference(web_build: dict[str, Any], web_recipe: Path, shared_home: Home) -> Path:
    """dpkg's tree; made once for a lock."""
    assert web_build["name"] == "web"  # its packages are there
    for tool in ("mmdebstrap", "apt-ftparchive"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed on this host")
    text = web_recipe.with_suffix(".lock").read_bytes()
    place = shared_home / f"oracle/{hashlib.sha256(text).hexdigest()[:16]}"
    with locked(shared_home / "oracle/.lock"):
        if not (place / "complete").exists():
            shutil.rmtree(place, ignore_errors=True)
            make_reference(json.loads(text), shared_home, place)
    return place / "tree"


def sealed(room: Path, *lower: Path) -> Sealed:
    found = json.loads(run(sys.executable, PROGRAM, room, *lower))
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="module")
def stack(web_build: dict[str, Any], web_recipe: Path, shared_home: Home, goldsmith: Goldsmith) -> list[Path]:
    keys = {step["name"]: step["key"] for step in web_build["steps"]}
    trees = [layers.place(shared_home, keys[name]) / "tree" for name in STEPS]
    if not all(tree.exists() for tree in trees):  # the image is known, and its steps' results have expired
        assert goldsmith("build", web_recipe, "--no-cache").returncode == 0
    return trees


@pytest.fixture(scope="module")
def ours(stack: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Sealed:
    return sealed(tmp_path_factory.mktemp("ours") / "room", *stack)


@pytest.fixture(scope="module")
def theirs(reference: Path, tmp_path_factory: pytest.TempPathFactory) -> Sealed:
    return sealed(tmp_path_factory.mktemp("theirs") / "room", reference)


def text_in(stack: list[Path], path: str) -> list[str]:
    for layer in stack:
        if (layer / path.lstrip("/")).exists():
            return (layer / path.lstrip("/")).read_text().splitlines()
    raise AssertionError(path)


def is_explained(path: str, why: Mapping[str, str]) -> bool:
    return path.startswith(tuple(why))


def test_there_is_something_to_compare(ours: Sealed, theirs: Sealed) -> None:
    assert min(len(ours), len(theirs)) > 10_000
    assert "/usr/sbin/nginx" in set(ours) & set(theirs)


def test_goldsmith_makes_nothing_that_dpkg_does_not(ours: Sealed, theirs: Sealed) -> None:
    assert sorted(set(ours) - set(theirs)) == []


def test_goldsmith_leaves_nothing_out(ours: Sealed, theirs: Sealed) -> None:
    left_out = sorted(set(theirs) - set(ours))
    assert [path for path in left_out if not is_explained(path, MADE_BY_OTHERS)] == []
    assert {prefix for prefix in MADE_BY_OTHERS if any(p.startswith(prefix) for p in left_out)} == set(
        MADE_BY_OTHERS
    ), "an explanation explains nothing any more"


ACCOUNTS = ("/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow")


def owners(stack: list[Path]) -> tuple[dict[str, str], dict[str, str]]:
    """Names of users and groups by id: system ids are handed out in the order of configuring."""
    users, groups = (
        {words[2]: words[0] for words in (line.split(":") for line in text_in(stack, path))}
        for path in ("/etc/passwd", "/etc/group")
    )
    return users, groups


def test_all_other_paths_are_equal_in_kind_mode_owner_and_content(
    ours: Sealed, theirs: Sealed, stack: list[Path], reference: Path
) -> None:
    def named(entry: list[Any], names: tuple[dict[str, str], dict[str, str]]) -> list[Any]:
        kind, mode, uid, gid, content = entry
        return [kind, mode, names[0][str(uid)], names[1][str(gid)], content]

    mine, other = owners(stack), owners([reference])
    lines_only = {*ACCOUNTS, "/var/lib/dpkg/triggers/File"}
    different = {
        path: (named(ours[path], mine), named(theirs[path], other))
        for path in set(ours) & set(theirs)
        if named(ours[path], mine) != named(theirs[path], other)
        if path not in lines_only and not is_explained(path, ALLOWED)
    }
    assert different == {}
    for path in lines_only:
        assert named(ours[path], mine)[:4] == named(theirs[path], other)[:4], path


def without_ids(lines: list[str], field: int) -> list[str]:
    rows = [line.split(":") for line in lines]
    return sorted(":".join(word for n, word in enumerate(row) if n not in {2, field}) for row in rows)


@pytest.mark.parametrize(
    ("path", "plain"),
    [
        pytest.param("/etc/passwd", lambda lines: without_ids(lines, 3), id="users but for their numbers"),
        pytest.param("/etc/group", lambda lines: without_ids(lines, 2), id="groups but for their numbers"),
        pytest.param("/etc/shadow", lambda lines: without_ids(lines, 2), id="passwords but for their day"),
        pytest.param("/etc/gshadow", sorted, id="group passwords"),
        pytest.param("/var/lib/dpkg/triggers/File", sorted, id="interests, whose order means nothing"),
    ],
)
def test_files_whose_lines_come_in_another_order(
    stack: list[Path], reference: Path, path: str, plain: Callable[[list[str]], list[str]]
) -> None:
    assert plain(text_in(stack, path)) == plain(text_in([reference], path))


def test_every_package_is_installed_and_nothing_is_pending(stack: list[Path]) -> None:
    status = [line for line in text_in(stack, "/var/lib/dpkg/status") if line.startswith("Status: ")]
    assert set(status) == {"Status: install ok installed"}
    assert text_in(stack, "/var/lib/dpkg/triggers/Unincorp") == []
