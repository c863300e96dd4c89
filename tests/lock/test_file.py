from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldsmith.errors import InputError, StaleLock
from goldsmith.lock.changes import changes
from goldsmith.lock.file import (
    TOOLS_NAME,
    lock_path,
    lock_text,
    parse_lock,
    read_lock,
    read_tools,
    write_lock,
    write_tools,
)
from goldsmith.model.canonical import digest
from goldsmith.model.lock import Lock, LockedDownload, LockedPackage, LockedRepository, LockedStage, ToolsLock
from goldsmith.store.home import Home


def package(name: str, version: str = "1", group: int = 1) -> LockedPackage:
    return LockedPackage(name, version, "all", "base", f"pool/{name}.deb", 12, "ab" * 32, group)


TOOLS = ToolsLock("debian", "trixie", "amd64", (), (package("mtools"),))
LOCK = Lock(
    inputs=f"sha256:{'1' * 64}",
    distribution="debian",
    suite="trixie",
    architecture="amd64",
    epoch=1_700_000_000,
    tools=digest(TOOLS),
    repositories=(LockedRepository("base", "trixie", ("main",), 1_700_000_000, "cd" * 32),),
    packages=(package("bash"), package("web", "1:2~ü", 2)),
    stages=(LockedStage("compile", (package("gcc"),)), LockedStage("empty", ())),
    downloads=(LockedDownload("http://files.invalid/a", 3, "ef" * 32),),
)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = lock_path(tmp_path / "web.recipe.yaml")
    assert path.name == "web.recipe.lock"
    assert read_lock(path) is None
    write_lock(path, LOCK)
    assert read_lock(path) == LOCK
    assert path.read_text().endswith("}\n")


def test_a_package_is_one_line_so_that_a_diff_reads_well() -> None:
    before = lock_text(LOCK).splitlines()
    after = lock_text(
        replace(LOCK, packages=(LOCK.packages[0], package("jq"), LOCK.packages[1]))
    ).splitlines()
    assert set(before) - set(after) == set()
    assert [line for line in after if line not in before] == [
        (
            '    {"name": "jq", "version": "1", "architecture": "all", "repository": "base", '
            f'"path": "pool/jq.deb", "size": 12, "sha256": "{"ab" * 32}", "group": 1, "reason": "dependency"}},'
        )
    ]


def test_a_lock_that_stands_so_already_is_not_written(tmp_path: Path) -> None:
    write_lock(tmp_path / "a.lock", LOCK)
    before = (tmp_path / "a.lock").stat()
    write_lock(tmp_path / "a.lock", LOCK)
    assert (tmp_path / "a.lock").stat() == before


TEXT = lock_text(LOCK)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        pytest.param(
            "{\n", "[\n", "web.lock:2:11: the lock is no JSON: Expecting ',' delimiter", id="no JSON"
        ),
        pytest.param(TEXT, "", "web.lock:1:1: the lock is no JSON: Expecting value", id="an empty file"),
        pytest.param(TEXT, "[]", "web.lock:1:1: a lock is a JSON object", id="a list"),
        pytest.param(
            '"format": 1',
            '"format": 2',
            "web.lock:2:13: this goldsmith reads locks of format 1, and this one has 2",
            id="a format of later",
        ),
        pytest.param(
            '  "format": 1,\n',
            "",
            "web.lock:1:1: this goldsmith reads locks of format 1, and this one has None",
            id="no format",
        ),
        pytest.param('  "suite": "trixie",\n', "", "web.lock:1:1: 'suite' is missing", id="a missing key"),
        pytest.param(
            '"suite": "trixie",\n',
            '"suite": "trixie",\n  "colour": "red",\n',
            "web.lock:6:13: 'colour' is no key of a lock",
            id="an unknown key",
        ),
        pytest.param(
            '"epoch": 1700000000',
            '"epoch": "now"',
            "web.lock:7:12: 'epoch' must be a whole number, and is 'now'",
            id="a text for a number",
        ),
        pytest.param(
            '"epoch": 1700000000',
            '"epoch": true',
            "web.lock:7:12: 'epoch' must be a whole number, and is True",
            id="a truth value for a number",
        ),
        pytest.param(
            '"packages": [\n    {"name": "bash"',
            '"packages": [\n    {"name": 7',
            "web.lock:13:14: 'packages[0].name' must be a text, and is 7",
            id="a number for a name",
        ),
        pytest.param(
            '"packages": [\n    {"name": "bash"',
            '"packages": [\n    {"name": "../bash"',
            "web.lock:13:14: 'packages[0].name' must be the name of a package, and is '../bash'",
            id="a name that is a path",
        ),
        pytest.param(
            '"path": "pool/bash.deb"',
            '"path": "../bash.deb"',
            "web.lock:13:91: 'packages[0].path' must be a path below the repository's address, and is '../bash.deb'",
            id="a path that leads out",
        ),
        pytest.param(
            "ab" * 32,
            "AB" * 32,
            f"web.lock:13:130: 'packages[0].sha256' must be 64 hexadecimal digits, and is '{'AB' * 32}'",
            id="a digest in capitals",
        ),
        pytest.param(
            '"size": 12',
            '"size": -12',
            "web.lock:13:116: 'packages[0].size' must be at least 0, and is -12",
            id="a negative size",
        ),
        pytest.param(
            '"reason": "dependency"}',
            '"reason": "fun"}',
            "web.lock:13:220: 'packages[0].reason' must be one of recipe, dependency, goldsmith, base, and is 'fun'",
            id="a reason that is none",
        ),
        pytest.param(
            '"components": ["main"]',
            '"components": "main"',
            "web.lock:10:53: 'repositories[0].components' must be a list, and is 'main'",
            id="a text for a list",
        ),
        pytest.param(
            '"name": "web"',
            '"name": "bash"',
            "web.lock:14:5: 'packages[1]' is the second 'bash'",
            id="a package twice",
        ),
        pytest.param(
            '"downloads": [\n    {',
            '"downloads": [\n    7, {',
            "web.lock:23:5: 'downloads[0]' must be an object, and is 7",
            id="a number for an object",
        ),
    ],
)
def test_a_damaged_lock_is_told_at_its_place(old: str, new: str, message: str) -> None:
    assert old in TEXT
    with pytest.raises(InputError) as caught:
        parse_lock(TEXT.replace(old, new, 1), "web.lock", Lock)
    assert str(caught.value) == f"{message}\n  hint: run `goldsmith lock RECIPE` to make it anew"


def test_a_lock_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "web.lock").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="the lock is no UTF-8 text"):
        read_lock(tmp_path / "web.lock")


def test_the_tools_lock_is_found_beside_the_recipe_or_in_the_data_directory(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    assert write_tools(tmp_path, TOOLS, home) == digest(TOOLS)
    assert read_tools(LOCK, tmp_path, Home(tmp_path / "another")) == TOOLS
    (tmp_path / TOOLS_NAME).unlink()
    assert read_tools(LOCK, tmp_path, home) == TOOLS


def test_a_tools_lock_that_is_nowhere(tmp_path: Path) -> None:
    with pytest.raises(StaleLock) as caught:
        read_tools(LOCK, tmp_path, Home(tmp_path / "home"))
    assert caught.value.message == f"the tools lock '{tmp_path}/goldsmith-tools.lock' is missing"
    assert caught.value.hint == (
        "take both lock files from the same commit, or renew them: goldsmith lock RECIPE"
    )


def test_a_tools_lock_of_another_digest(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    other = replace(TOOLS, packages=())
    write_tools(tmp_path, other, home)
    with pytest.raises(StaleLock) as caught:
        read_tools(LOCK, tmp_path, home)
    assert caught.value.message == (
        f"the tools lock '{tmp_path}/goldsmith-tools.lock' has the digest {digest(other)}, "
        f"and the lock names {digest(TOOLS)}"
    )


def test_a_tools_lock_in_the_data_directory_that_was_changed_is_not_believed(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    write_tools(tmp_path, TOOLS, home)
    (tmp_path / TOOLS_NAME).unlink()
    kept = next((home / "locks").iterdir())
    kept.write_text(kept.read_text().replace("mtools", "ntools"))
    with pytest.raises(StaleLock, match="is missing"):
        read_tools(LOCK, tmp_path, home)


NAMES = st.from_regex(r"[a-z0-9][a-z0-9+.-]{1,10}", fullmatch=True)
PACKAGES = st.lists(
    st.builds(
        LockedPackage,
        name=NAMES,
        version=st.text(min_size=1, max_size=8),
        architecture=st.sampled_from(["all", "amd64"]),
        repository=NAMES,
        path=st.from_regex(r"[a-z]{1,5}/[a-z~+]{1,5}", fullmatch=True),
        size=st.integers(0, 1 << 40),
        sha256=st.from_regex(r"[0-9a-f]{64}", fullmatch=True),
        group=st.integers(1, 6),
        reason=st.sampled_from(["recipe", "dependency", "goldsmith", "base"]),
    ),
    max_size=4,
    unique_by=lambda entry: entry.name,
).map(tuple)


@given(PACKAGES, PACKAGES)
def test_any_lock_is_read_back_as_it_was(
    packages: tuple[LockedPackage, ...], staged: tuple[LockedPackage, ...]
) -> None:
    lock = replace(LOCK, packages=packages, stages=(LockedStage("x", staged),))
    assert parse_lock(lock_text(lock), "x", Lock) == lock


def test_changes_are_told_by_name_and_version() -> None:
    new = replace(
        LOCK,
        packages=(package("bash", "2"), package("jq")),
        stages=(LockedStage("compile", (package("gcc", "14"),)),),
        downloads=(),
        epoch=1,
        tools=f"sha256:{'9' * 64}",
    )
    assert [str(change) for change in changes(LOCK, new)] == [
        "bash 1 → 2",
        "compile/gcc 1 → 14",
        f"- http://files.invalid/a {'ef' * 6}",
        "+ jq 1",
        f"the tools {LOCK.tools[7:19]} → 999999999999",
        "- web 1:2~ü",
    ]
    again = replace(LOCK, packages=(replace(LOCK.packages[0], sha256="00" * 32), LOCK.packages[1]))
    assert [str(change) for change in changes(LOCK, again)] == ["bash 1 (abababababab) → 1 (000000000000)"]
    assert changes(LOCK, replace(LOCK, epoch=5, repositories=())) == ()
