import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.lock.archive import SMALLEST, Archive, Signer, deb
from tests.lock.server import Server, serving

from goldsmith.errors import (
    GoldsmithError,
    InputError,
    IntegrityError,
    NetworkError,
    Place,
    TrustError,
    Unavailable,
    UsageError,
)
from goldsmith.lock.fetch import Origins, fetch
from goldsmith.lock.file import lock_text
from goldsmith.lock.mirror import Mirror
from goldsmith.lock.resolve import resolve
from goldsmith.lock.tools import TOOLS, resolve_tools
from goldsmith.model.lock import Lock
from goldsmith.model.recipe import Base, PackageRequest, Recipe, Repository, Stage
from goldsmith.store.home import Home

TOOLS_DIGEST = f"sha256:{'0' * 64}"
WEB = (
    deb("web", "1.0", Depends="web-data (>= 1), libweb | libother", Recommends="web-doc"),
    deb("web-data", "1.0"),
    deb("libweb", "1.0"),
    deb("web-doc", "1.0"),
)


def request(text: str) -> PackageRequest:
    if text.startswith("-"):
        return PackageRequest(text[1:], forbidden=True)
    if "=" in text:
        name, version = text.split("=")
        return PackageRequest(name, version=version)
    name, _, suite = text.partition("/")
    return PackageRequest(name, suite=suite)


def recipe_of(*packages: str, **how: object) -> Recipe:
    where = Place("web/recipe.yaml")
    said = {"packages": tuple(map(request, packages)), "where": where, **how}
    return Recipe("web", "1.0.0", Base("debian", "trixie"), **said)  # type: ignore[arg-type]


def mirror_of(server: Server, key: Signer) -> Mirror:
    return Mirror(f"{server.address}", "", keyring=key.public)


def lock_of(recipe: Recipe, server: Server, key: Signer, home: Home, **how: object) -> Lock:
    origins = Origins(mirror_of(server, key), recipe.repositories, Path(recipe.directory), {})
    said = {"tools": TOOLS_DIGEST, "home": home, "origins": origins, **how}
    return resolve(recipe, (), **said)  # type: ignore[arg-type]


def names(lock: Lock, group: int | None = None) -> set[str]:
    return {package.name for package in lock.packages if group in {None, package.group}}


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


INDEX = "/dists/trixie/main/binary-amd64/Packages"


@pytest.mark.parametrize(
    ("lies", "kind", "reason"),
    [
        pytest.param(
            {"/dists/trixie/InRelease": ["always 404"]},
            NetworkError,
            "the server has no index there",
            id="no index",
        ),
        pytest.param(
            {"/dists/trixie/InRelease": ["always change"]},
            TrustError,
            "the signature of its index is not valid (keyring KEY)",
            id="an index without its first mark",
        ),
        pytest.param(
            {f"{INDEX}.gz": ["always change"], INDEX: ["always change"]},
            IntegrityError,
            "its index is not what the signature says",
            id="a changed list of packages",
        ),
        pytest.param(
            {f"{INDEX}.gz": ["always cut 10"], INDEX: ["always cut 10"]},
            IntegrityError,
            "its index is not what the signature says",
            id="a list of packages that is too short",
        ),
        pytest.param(
            {f"{INDEX}.gz": ["always 404"], INDEX: ["always 404"]},
            NetworkError,
            "the server does not have it: 404  Not Found",
            id="no list of packages",
        ),
    ],
)
def test_a_lying_mirror_is_refused(
    lies: dict[str, list[str]],
    kind: type[GoldsmithError],
    reason: str,
    archive: Archive,
    server: Server,
    key: Signer,
    home: Home,
) -> None:
    archive.publish_trixie(WEB)
    server.lies.update(lies)
    with pytest.raises(kind) as caught:
        lock_of(recipe_of("web"), server, key, home)
    said = reason.replace("KEY", repr(str(key.public)))
    assert caught.value.message == f"the repository 'base' ({server.address} trixie) cannot be used: {said}"


def test_a_list_that_is_wrong_once_is_read_again(
    archive: Archive, server: Server, key: Signer, home: Home
) -> None:
    archive.publish_trixie(WEB)
    server.lies.update({f"{INDEX}.gz": ["change"], INDEX: ["change"]})
    assert "web" in names(lock_of(recipe_of("web"), server, key, home))


def test_an_index_that_was_changed_after_it_was_signed(
    archive: Archive, server: Server, key: Signer, home: Home
) -> None:
    archive.publish_trixie(WEB)
    path = archive.root / "dists/trixie/InRelease"
    path.write_text(path.read_text().replace("Components: main", "Components: mane"))
    with pytest.raises(TrustError) as caught:
        lock_of(recipe_of("web"), server, key, home)
    assert caught.value.message == (
        f"the repository 'base' ({server.address} trixie) cannot be used: "
        f"the signature of its index is not valid (keyring {str(key.public)!r})"
    )


def test_an_index_signed_by_a_stranger(
    archive: Archive, server: Server, key: Signer, other_key: Signer, home: Home
) -> None:
    archive.signer = other_key
    archive.publish_trixie(WEB)
    with pytest.raises(TrustError) as caught:
        lock_of(recipe_of("web"), server, key, home)
    assert caught.value.message == (
        f"the repository 'base' ({server.address} trixie) cannot be used: "
        f"its index is signed with a key that is not in the keyring {str(key.public)!r}"
    )


@pytest.mark.parametrize(
    ("how", "kind", "reason"),
    [
        pytest.param(
            {"is_signed": False}, TrustError, "it has no signed index", id="an index without signature"
        ),
        pytest.param(
            {"date": datetime(2026, 1, 1, tzinfo=UTC), "valid_for": timedelta(days=7)},
            TrustError,
            "its index has expired",
            id="an expired index",
        ),
        pytest.param(
            {"date": datetime.now(UTC) + timedelta(days=30)},
            TrustError,
            "its index is dated in the future",
            id="an index from the future",
        ),
    ],
)
def test_an_index_that_must_not_be_used(
    how: dict[str, object],
    kind: type[GoldsmithError],
    reason: str,
    archive: Archive,
    server: Server,
    key: Signer,
    home: Home,
) -> None:
    archive.publish_trixie(WEB, **how)
    with pytest.raises(kind, match=reason):
        lock_of(recipe_of("web"), server, key, home)


def test_an_expired_index_is_used_if_the_administrator_says_so(
    archive: Archive, server: Server, key: Signer, home: Home
) -> None:
    archive.publish_trixie(WEB, date=datetime(2026, 1, 1, tzinfo=UTC), valid_for=timedelta(days=7))
    mirror = replace(mirror_of(server, key), check_valid_until=False)
    lock = lock_of(recipe_of("web"), server, key, home, origins=Origins(mirror))
    assert "web" in names(lock)


def test_an_archive_without_sha256(archive: Archive, server: Server, key: Signer, home: Home) -> None:
    archive.publish_trixie(WEB, with_sha256=False)
    with pytest.raises(IntegrityError, match=r"the index has no SHA-256 for a package: "):
        lock_of(recipe_of("web"), server, key, home)


def test_nobody_listens(archive: Archive, key: Signer, home: Home) -> None:
    with serving(archive.root) as gone:
        pass
    with pytest.raises(NetworkError) as caught:
        lock_of(recipe_of("web"), gone, key, home)
    start = f"the repository 'base' ({gone.address} trixie) cannot be used: it cannot be read: "
    words = caught.value.message.removeprefix(start)
    # apt 2 and apt 3 say it in different words.
    assert words.startswith(("Could not connect to 127.0.0.1:", "Unable to connect to 127.0.0.1:"))


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


def test_offline_the_lists_of_before_are_enough(
    archive: Archive, server: Server, key: Signer, home: Home
) -> None:
    archive.publish_trixie(WEB)
    recipe = recipe_of("web")
    with pytest.raises(Unavailable, match="the package lists are not in the cache"):
        lock_of(recipe, server, key, home, offline=True)
    first = lock_of(recipe, server, key, home)
    asked = len(server.asked)
    assert lock_of(recipe, server, key, home, offline=True) == first
    assert len(server.asked) == asked


def test_a_minimal_renewal_only_adds(archive: Archive, server: Server, key: Signer, home: Home) -> None:
    archive.publish_trixie(WEB)
    old = lock_of(recipe_of("web"), server, key, home)
    archive.publish_trixie(
        [*WEB, deb("web", "1.1", Depends="web-data"), deb("jq", Depends="libjq"), deb("libjq")]
    )
    new = lock_of(recipe_of("web", "jq"), server, key, home, previous=old, minimal=True)
    assert set(old.packages) < set(new.packages)
    assert names(new, 3) == {"jq", "libjq"}
    assert new.epoch == old.epoch
    fresh = lock_of(recipe_of("web", "jq"), server, key, home, previous=old)
    assert {package.version for package in fresh.packages if package.name == "web"} == {"1.1"}
    assert names(fresh, 3) == set()


def test_a_minimal_renewal_drops_what_nobody_wants_any_more(
    archive: Archive, server: Server, key: Signer, home: Home
) -> None:
    archive.publish_trixie([*WEB, deb("jq", Depends="libjq"), deb("libjq")])
    old = lock_of(recipe_of("web", "jq"), server, key, home)
    new = lock_of(recipe_of("web"), server, key, home, previous=old, minimal=True)
    assert names(old) - names(new) == {"jq", "libjq"}


def test_a_minimal_renewal_chooses_anew_where_versions_must_move(
    archive: Archive, server: Server, key: Signer, home: Home
) -> None:
    archive.publish_trixie(WEB)
    old = lock_of(recipe_of("web"), server, key, home)
    archive.publish_trixie([*WEB, deb("libweb", "2.0"), deb("next", Depends="libweb (>= 2)")])
    new = lock_of(recipe_of("web", "next"), server, key, home, previous=old, minimal=True)
    assert {package.version for package in new.packages if package.name == "libweb"} == {"2.0"}


def test_versions_that_left_the_mirror_are_kept_if_the_store_has_them(
    archive: Archive, server: Server, key: Signer, home: Home
) -> None:
    archive.publish_trixie(WEB)
    old = lock_of(recipe_of("web"), server, key, home)
    fetch(old.packages, Origins(mirror_of(server, key)), home=home)
    newer = [replace(package, version="1.5") for package in WEB]
    archive.publish_trixie([*newer, deb("jq")])
    new = lock_of(recipe_of("web", "jq"), server, key, home, previous=old, minimal=True)
    assert set(old.packages) < set(new.packages)


def test_a_lock_that_is_renewed_to_no_effect_stays(
    archive: Archive, server: Server, key: Signer, home: Home
) -> None:
    archive.publish_trixie(WEB, date=datetime(2026, 1, 2, tzinfo=UTC))
    old = lock_of(recipe_of("web"), server, key, home)
    archive.publish_trixie([*WEB, deb("unrelated")], date=datetime(2026, 1, 3, tzinfo=UTC))
    assert lock_of(recipe_of("web"), server, key, home) != old
    assert lock_of(recipe_of("web"), server, key, home, previous=old) == old


def test_the_tools_come_without_the_essential_packages(
    archive: Archive, server: Server, key: Signer, home: Home
) -> None:
    archive.publish_trixie([])
    tools = resolve_tools(home=home, mirror=mirror_of(server, key))
    assert {package.name for package in tools.packages} == set(TOOLS)
    assert {package.reason for package in tools.packages} == {"goldsmith"}


PROGRAM = f"""\
import os, sys
from pathlib import Path
from goldsmith.effects import net, part  # now: nobody may not be able to read the project's directory
from goldsmith.lock.fetch import Origins
from goldsmith.lock.file import lock_text
from goldsmith.lock.mirror import Mirror
from goldsmith.lock.resolve import resolve
from goldsmith.model.recipe import Base, PackageRequest, Recipe
from goldsmith.store.home import Home
if os.geteuid() == 0 and sys.argv[4:]:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
recipe = Recipe('web', '1.0.0', Base('debian', 'trixie'), packages=(PackageRequest('web'),))
mirror = Mirror(sys.argv[1], '', keyring=Path(sys.argv[2]))
lock = resolve(recipe, (), tools={TOOLS_DIGEST!r}, home=Home(Path(sys.argv[3])), origins=Origins(mirror))
print(lock_text(lock), end='')
"""


def test_nothing_runs_on_after_a_kill(archive: Archive, server: Server, key: Signer, tmp_path: Path) -> None:
    archive.publish_trixie(WEB)
    server.lies["/dists/trixie/InRelease"] = ["always silent"]
    command = [sys.executable, "-c", PROGRAM, server.address, str(key.public), str(tmp_path / "home")]
    ours = f"APT_CONFIG={tmp_path}/home/".encode()

    def running() -> list[Path]:
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if ours in (process / "environ").read_bytes():
                    found.append(process)
        return found

    with subprocess.Popen(command) as program:
        wait_until(lambda: bool(server.asked))
        assert running()
        program.kill()
    wait_until(lambda: not running())
    server.lies.clear()
    assert "web" in names(lock_of(recipe_of("web"), server, key, Home(tmp_path / "home")))


def wait_until(is_so: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.05)


def test_an_ordinary_user_gets_the_same_lock(
    archive: Archive, server: Server, key: Signer, home: Home, tmp_path: Path
) -> None:
    """apt in a private root needs no root; run as nobody where the tests run as root."""
    archive.publish_trixie(WEB)
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    # pytest's directories are for root alone.
    for parent in [tmp_path, *list(tmp_path.parents)[:2]]:
        os.chmod(parent, 0o755)
    public, theirs = tmp_path / "key.asc", tmp_path / "theirs"
    public.write_bytes(key.public.read_bytes())
    theirs.mkdir(mode=0o777)
    theirs.chmod(0o777)
    command = [sys.executable, str(program), server.address, str(public), str(theirs), "nobody"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == lock_text(lock_of(recipe_of("web", where=None), server, key, home))


def test_a_data_directory_with_a_space_in_its_name_is_refused(
    server: Server, key: Signer, tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as caught:
        lock_of(recipe_of("web"), server, key, Home(tmp_path / "my data"))
    assert caught.value.message == (
        f"the data directory '{tmp_path}/my data' has ' ' in its name, which apt cannot read"
    )


@pytest.mark.parametrize("name", ["größe", "it's", "a;b", "{x}#y"])
def test_a_data_directory_with_an_odd_name(
    name: str, archive: Archive, server: Server, key: Signer, tmp_path: Path
) -> None:
    archive.publish_trixie(WEB)
    assert "web" in names(lock_of(recipe_of("web"), server, key, Home(tmp_path / name)))


def test_nothing_of_the_hosts_apt_is_touched(
    archive: Archive, server: Server, key: Signer, home: Home
) -> None:
    archive.publish_trixie(WEB)
    before = {path: path.stat().st_mtime_ns for path in Path("/var/lib/apt/lists").glob("*")}
    lock_of(recipe_of("web"), server, key, home)
    assert before == {path: path.stat().st_mtime_ns for path in Path("/var/lib/apt/lists").glob("*")}
