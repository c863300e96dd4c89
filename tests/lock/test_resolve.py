"""What a lock has in it, and what apt cannot do."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.lock.archive import SMALLEST, Archive, Signer, deb
from tests.lock.locking import WEB, lock_of, mirror_of, names, recipe_of, request
from tests.lock.server import Server, serving

from goldsmith.errors import (
    InputError,
    NetworkError,
)
from goldsmith.lock.fetch import Origins, fetch
from goldsmith.lock.mirror import Mirror
from goldsmith.lock.tools import TOOLS, resolve_tools
from goldsmith.model.recipe import Repository, Stage
from goldsmith.store.home import Home

BOOTS = {package.name for package in SMALLEST} - set(TOOLS) - {"apt", "libapt"} | {"zstd", "e2fsprogs"}


def test_a_lock_has_what_boots_and_what_the_recipe_wants(
    archive: Archive, server: Server, key: Signer, home: Home
) -> None:
    archive.publish_trixie(WEB, date=datetime(2026, 1, 2, tzinfo=UTC))
    lock = lock_of(recipe_of("web"), server, key, home)
    assert names(lock, 1) == BOOTS
    assert names(lock, 2) == {"apt", "libapt", "web", "web-data", "libweb"}
    reasons = {package.name: package.reason for package in lock.packages}
    assert reasons["web"] == "recipe"
    assert reasons["libweb"] == "dependency"
    assert reasons["udev"] == reasons["linux-image-cloud-amd64"] == "goldsmith"
    assert reasons["base-files"] == reasons["apt"] == "base"
    assert [repository.id for repository in lock.repositories] == ["base", "base-updates"]
    assert lock.repositories[0].date == int(datetime(2026, 1, 2, tzinfo=UTC).timestamp())
    assert {package.repository for package in lock.packages} == {"base"}
    assert "127.0.0.1" not in repr(lock)
    files = fetch(lock.packages, Origins(mirror_of(server, key)), home=home)
    assert {path.name for path in files.values()} == {package.sha256 for package in lock.packages}


def test_people_can_log_in_at_a_console(archive: Archive, server: Server, key: Signer, home: Home) -> None:
    archive.publish_trixie([*WEB, deb("login", Depends="libpam"), deb("libpam"), deb("jq")])
    stage = Stage("compile", (request("jq"),))
    lock = lock_of(recipe_of("web", stages=(stage,)), server, key, home)
    assert {package.name: package.reason for package in lock.packages}["login"] == "base"
    assert "login" not in {package.name for package in lock.stages[0].packages}
    later = lock_of(recipe_of("web", "jq"), server, key, home, previous=lock, minimal=True)
    assert names(later) - names(lock) == {"jq"}
    assert names(lock) <= names(later), "a renewal keeps it"
    without = lock_of(recipe_of("web", "-login"), server, key, home)
    assert {"login", "libpam"}.isdisjoint(names(without))


def test_recommended_packages_come_only_if_asked(
    archive: Archive, server: Server, key: Signer, home: Home
) -> None:
    archive.publish_trixie(WEB)
    assert "web-doc" in names(lock_of(recipe_of("web", recommends=True), server, key, home))


def test_a_forbidden_package_is_left_out_where_there_is_another(
    archive: Archive, server: Server, key: Signer, home: Home
) -> None:
    archive.publish_trixie([*WEB, deb("libother")])
    lock = lock_of(recipe_of("web", "-libweb", "-apt"), server, key, home)
    assert {"libweb", "apt"}.isdisjoint(names(lock))
    assert "libother" in names(lock)


def test_a_kernel_in_the_recipe_replaces_the_default(
    archive: Archive, server: Server, key: Signer, home: Home
) -> None:
    archive.publish_trixie([deb("linux-image-own", Architecture="amd64", Depends="linux-base")])
    lock = lock_of(recipe_of("linux-image-own"), server, key, home)
    assert "linux-image-own" in names(lock, 1)
    assert "linux-image-cloud-amd64" not in names(lock)


def test_versions_and_suites_can_be_chosen(archive: Archive, server: Server, key: Signer, home: Home) -> None:
    archive.publish_trixie([deb("tool", "1.0"), deb("tool", "1:2.0+x~1"), deb("other", "1")])
    archive.publish("trixie-updates", [deb("other", "2")])
    archive.publish("trixie-security", [deb("tool", "1:3.0")])

    def versions(*packages: str) -> dict[str, str]:
        lock = lock_of(recipe_of(*packages), server, key, home)
        return {package.name: package.version for package in lock.packages}

    assert versions("tool", "other")["tool"] == "1:2.0+x~1"
    assert versions("tool=1.0", "other")["tool"] == "1.0"
    assert versions("tool", "other")["other"] == "2"
    assert versions("tool", "other/trixie")["other"] == "1"


def test_a_stage_has_packages_of_its_own(archive: Archive, server: Server, key: Signer, home: Home) -> None:
    archive.publish_trixie([*WEB, deb("gcc", Depends="binutils"), deb("binutils")])
    stage = Stage("compile", (request("gcc"),))
    lock = lock_of(recipe_of("web", stages=(stage,)), server, key, home)
    assert {package.name for package in lock.stages[0].packages} == {
        "base-files",
        "apt",
        "libapt",
        "gcc",
        "binutils",
    }
    assert "gcc" not in names(lock)


def test_an_extra_repository_with_key_credentials_and_flat_layout(
    archive: Archive, server: Server, key: Signer, other_key: Signer, home: Home, tmp_path: Path
) -> None:
    archive.publish_trixie(WEB)
    (tmp_path / "extra").mkdir()
    (tmp_path / "key.pub").write_bytes(other_key.public.read_bytes())
    Archive(tmp_path / "extra", other_key).publish("./", [deb("extra", "7", Depends="libweb")])
    with serving(tmp_path / "extra") as other:
        other.password = "user:s3cret"
        repository = Repository(other.address, "key.pub", id="mine", credentials="env:PASSWORD")
        recipe = recipe_of("extra", repositories=(repository,), directory=str(tmp_path))
        origins = Origins(mirror_of(server, key), (repository,), tmp_path, {"PASSWORD": "user:s3cret\n"})
        lock = lock_of(recipe, server, key, home, origins=origins)
        entry = next(package for package in lock.packages if package.name == "extra")
        assert (entry.repository, entry.version) == ("mine", "7")
        assert [(source.id, source.uri) for source in lock.repositories][-1] == ("mine", other.address)
        fetch([entry], origins, home=home)
        wrong = replace(origins, environment={"PASSWORD": "user:wr0ng"})
        with pytest.raises(NetworkError) as caught:
            lock_of(recipe, server, key, home, origins=wrong)
        assert caught.value.message.endswith("cannot be used: the server refuses access: 401  Unauthorized")
        with pytest.raises(InputError, match="the environment variable 'PASSWORD' is not set"):
            lock_of(recipe, server, key, home, origins=replace(origins, environment={}))
        assert (
            lock_of(recipe, server, key, home, origins=replace(origins, environment={}), offline=True) == lock
        )
    kept = b"".join(path.read_bytes() for path in (home.path / "cache").rglob("*") if path.is_file())
    assert b"s3cret" not in kept
    assert b"wr0ng" not in kept


@pytest.mark.parametrize(
    ("packages", "message", "hint"),
    [
        pytest.param(["webb"], "there is no package 'webb'", "did you mean web?", id="a name with a slip"),
        pytest.param(
            ["zebra-crossing"],
            "there is no package 'zebra-crossing'",
            "check the name, and whether its repository is in the recipe",
            id="a name that is like no other",
        ),
        pytest.param(
            ["web=9"],
            "the package 'web' has no version '9'",
            "name a version that the mirror has, or leave it out",
            id="a version that is not there",
        ),
        pytest.param(
            ["web/forky"],
            "the package 'web' is not in suite 'forky', or the recipe has no such suite",
            "name one of the recipe's suites, or add it to `repositories`",
            id="a suite that is not there",
        ),
        pytest.param(
            ["mail-agent"],
            "'mail-agent' is a virtual package",
            "name one that provides it: exim, postfix",
            id="a virtual package with two providers",
        ),
        pytest.param(
            ["exim", "postfix"],
            "the packages do not fit together: exim : Conflicts: postfix but 1.0 is to be installed",
            "remove one of them from the recipe, or choose other versions",
            id="two packages that conflict",
        ),
        pytest.param(
            ["broken"],
            "the packages do not fit together: broken : Depends: nothing-has-this but it is not installable",
            "remove one of them from the recipe, or choose other versions",
            id="a dependency that is not there",
        ),
        pytest.param(
            ["newer"],
            "the packages do not fit together: newer : Depends: web (>= 2) but it is not going to be installed",
            "remove one of them from the recipe, or choose other versions",
            id="a dependency that is too old",
        ),
        pytest.param(
            ["web", "-web-data"],
            "the packages do not fit together: web : Depends: web-data (>= 1) but it is not installable",
            "remove one of them from the recipe, or choose other versions",
            id="a forbidden dependency",
        ),
        pytest.param(
            ["web+"],
            "there is no package 'web+'",
            "did you mean web?",
            id="a name with apt's mark for installing",
        ),
        pytest.param(
            ["-linux-image-cloud-amd64"],
            "the recipe forbids 'linux-image-cloud-amd64', which goldsmith needs in every image",
            "leave it out; for another kernel, name that kernel's package",
            id="a forbidden kernel and no other",
        ),
        pytest.param(
            ["-zstd"],
            "the recipe forbids 'zstd', which goldsmith needs in every image",
            "leave it out; for another kernel, name that kernel's package",
            id="a forbidden package that goldsmith needs",
        ),
    ],
)
def test_what_apt_cannot_do_is_said_in_one_line(
    packages: list[str], message: str, hint: str, archive: Archive, server: Server, key: Signer, home: Home
) -> None:
    archive.publish_trixie(
        [
            *WEB,
            deb("exim", Provides="mail-agent", Conflicts="postfix"),
            deb("postfix", Provides="mail-agent"),
            deb("broken", Depends="nothing-has-this"),
            deb("newer", Depends="web (>= 2)"),
        ]
    )
    with pytest.raises(InputError) as caught:
        lock_of(recipe_of(*packages), server, key, home)
    assert caught.value.message == message
    assert caught.value.hint == hint
    assert str(caught.value.where) == "web/recipe.yaml"


def test_a_mirror_of_files(archive: Archive, server: Server, key: Signer, home: Home) -> None:
    archive.publish_trixie(WEB)
    mirror = Mirror(archive.root.as_uri(), "", keyring=key.public)
    by_file = lock_of(recipe_of("web"), server, key, home, origins=Origins(mirror))
    assert server.asked == []
    assert by_file == lock_of(recipe_of("web"), server, key, home)
    fetch(by_file.packages, Origins(mirror), home=home)


def test_a_security_archive_of_its_own(
    archive: Archive, server: Server, key: Signer, home: Home, tmp_path: Path
) -> None:
    archive.publish_trixie(WEB)
    (tmp_path / "security").mkdir()
    Archive(tmp_path / "security", key).publish("trixie-security", [deb("libweb", "1.0.1")])
    with serving(tmp_path / "security") as security:
        origins = Origins(Mirror(server.address, security.address, keyring=key.public))
        lock = lock_of(recipe_of("web"), server, key, home, origins=origins)
        entry = next(package for package in lock.packages if package.name == "libweb")
        assert (entry.version, entry.repository) == ("1.0.1", "base-security")
        fetch(lock.packages, origins, home=home)


def test_the_tools_come_without_the_essential_packages(
    archive: Archive, server: Server, key: Signer, home: Home
) -> None:
    archive.publish_trixie([])
    tools = resolve_tools(home=home, mirror=mirror_of(server, key))
    assert {package.name for package in tools.packages} == set(TOOLS)
    assert {package.reason for package in tools.packages} == {"goldsmith"}
