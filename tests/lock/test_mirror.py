from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldsmith.effects.access import Proxies
from goldsmith.errors import InputError, Place, Unavailable, UsageError
from goldsmith.lock.mirror import (
    HostApt,
    find_mirror,
    find_proxies,
    parse_deb822,
    parse_list,
    read_host_apt,
)
from goldsmith.lock.source import base_sources, credentials_of, extra_sources, find_keyring, repository_id
from goldsmith.model.distribution import DISTRIBUTIONS
from goldsmith.model.recipe import Base, Repository

DEBIAN, UBUNTU = DISTRIBUTIONS["debian"], DISTRIBUTIONS["ubuntu"]
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


@pytest.mark.parametrize(
    ("option", "recipe", "variable", "main", "security", "origin"),
    [
        pytest.param(
            "http://o.invalid/debian/",
            "http://r.invalid/debian",
            "http://v.invalid/debian",
            "http://o.invalid/debian",
            "http://o.invalid/debian-security",
            "--mirror",
            id="the option comes first, and the security archive is beside it",
        ),
        pytest.param(
            "",
            "http://r.invalid/debian",
            "http://v.invalid/debian",
            "http://r.invalid/debian",
            "http://r.invalid/debian-security",
            "the recipe",
            id="then the recipe",
        ),
        pytest.param(
            "",
            "",
            "https://v.invalid/a https://w.invalid/b",
            "https://v.invalid/a",
            "https://w.invalid/b",
            "GOLDSMITH_MIRROR",
            id="then the variable, with a security archive of its own",
        ),
        pytest.param(
            "file:///srv/debian -",
            "",
            "",
            "file:///srv/debian",
            "",
            "--mirror",
            id="a directory without a security archive",
        ),
    ],
)
def test_the_mirror_that_is_said_is_used(
    option: str, recipe: str, variable: str, main: str, security: str, origin: str
) -> None:
    mirror = find_mirror(
        DEBIAN,
        option=option,
        recipe=recipe,
        environment={"GOLDSMITH_MIRROR": variable},
        host=HostApt(Path("/nonexistent")),
    )
    assert (mirror.main, mirror.security, mirror.origin) == (main, security, origin)


def test_ubuntus_security_archive_is_its_main_one() -> None:
    mirror = find_mirror(
        UBUNTU, option="http://o.invalid/ubuntu", environment={}, host=HostApt(Path("/nonexistent"))
    )
    assert mirror.security == mirror.main


@pytest.mark.parametrize(
    "text",
    ["ftp://o.invalid/debian", "debian", "http://a.invalid http://b.invalid http://c.invalid", "- http://a"],
)
def test_what_is_no_mirror_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        find_mirror(
            DEBIAN,
            recipe=text,
            where=Place("web.yaml", 3),
            environment={},
            host=HostApt(Path("/nonexistent")),
        )
    assert str(caught.value) == (
        f"web.yaml:3: the recipe says {text!r}, which is no mirror\n"
        "  hint: give one http, https or file address, or two with a space between: main and security archive"
    )


@pytest.mark.parametrize(
    ("files", "main", "security"),
    [
        pytest.param(
            {"sources.list": "deb http://m.invalid/debian bookworm main\n"},
            "http://m.invalid/debian",
            "http://m.invalid/debian-security",
            id="one line, and the security archive beside it",
        ),
        pytest.param(
            {
                "sources.list": "# deb http://no.invalid/debian bookworm main\n"
                "deb-src http://no.invalid/debian bookworm main\n"
                "deb [arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://m.invalid/debian/ "
                "trixie main contrib # a word\n"
                "deb http://s.invalid/sec trixie-security main\n"
            },
            "http://m.invalid/debian",
            "http://s.invalid/sec",
            id="comments, options and a security line",
        ),
        pytest.param(
            {
                "sources.list.d/debian.sources": "Types: deb\n# a comment\nURIs: http://m.invalid/debian\n"
                "Suites: bookworm bookworm-updates\nComponents: main\n"
                f"Signed-By: {KEYRING}\n\n"
                "Types: deb\nURIs: http://s.invalid/debian-security\nSuites: bookworm-security\n"
                "Components: main\n"
            },
            "http://m.invalid/debian",
            "http://s.invalid/debian-security",
            id="the new format",
        ),
        pytest.param(
            {
                "sources.list.d/a.list": "deb [signed-by=/usr/share/keyrings/vendor.gpg] http://v.invalid bookworm main\n"
                "deb http://w.invalid/linux/debian bookworm stable\n"
                "deb http://x.invalid/repo bookworm-tool main\n",
                "sources.list.d/b.sources": "Types: deb deb-src\nURIs: http://m.invalid/debian\nSuites: stable\n"
                "Components: main\n",
            },
            "http://m.invalid/debian",
            "http://m.invalid/debian-security",
            id="other people's archives are left alone",
        ),
        pytest.param(
            {
                "sources.list.d/a.list": "deb http://other.invalid/tools bookworm main\n",
                "sources.list.d/b.sources": "Types: deb\nURIs: http://m.invalid/mirror\nSuites: bookworm\n"
                f"Components: main\nSigned-By: {KEYRING}\n",
            },
            "http://m.invalid/mirror",
            "http://m.invalid/debian-security",
            id="who is signed by the distribution comes before who is not",
        ),
        pytest.param(
            {
                "sources.list.d/a.sources": "Types: deb\nURIs: mirror+file:MIRRORS\nSuites: bookworm\n"
                "Components: main\n",
                "mirrors.list": "# the list\nhttp://m.invalid/debian priority:1\nhttp://n.invalid/debian\n",
            },
            "http://m.invalid/debian",
            "http://m.invalid/debian-security",
            id="a list of mirrors, as cloud images have it",
        ),
        pytest.param(
            {
                "sources.list.d/a.sources": "Types: deb\nEnabled: no\nURIs: http://no.invalid/debian\n"
                "Suites: bookworm\nComponents: main\n",
                "sources.list.d/a.sources.disabled": "Types: deb\nURIs: http://no.invalid/debian\n"
                "Suites: bookworm\nComponents: main\n",
                "sources.list": "deb cdrom:[Debian]/ bookworm main\ndeb http://m.invalid/debian sid main\n",
            },
            "http://m.invalid/debian",
            "http://m.invalid/debian-security",
            id="what is disabled or a CD does not count",
        ),
    ],
)
def test_else_the_hosts_apt_tells(files: Mapping[str, str], main: str, security: str, tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    for name, text in files.items():
        (tmp_path / name).write_text(text.replace("MIRRORS", str(tmp_path / "mirrors.list")))
    mirror = find_mirror(DEBIAN, environment={}, host=HostApt(tmp_path))
    assert (mirror.main, mirror.security) == (main, security)
    assert mirror.origin == "the host's apt"


def test_no_mirror_at_all(tmp_path: Path) -> None:
    (tmp_path / "sources.list").write_text("deb http://m.invalid/debian bookworm main\n")
    with pytest.raises(Unavailable) as caught:
        find_mirror(UBUNTU, environment={}, host=HostApt(tmp_path))
    assert str(caught.value) == (
        "no package mirror for ubuntu is configured\n"
        "  hint: set GOLDSMITH_MIRROR=URI (or 'MAIN-URI SECURITY-URI'), or `mirror:` in the recipe, "
        "or use --mirror URI"
    )


@pytest.mark.parametrize(
    ("environment", "settings", "expected"),
    [
        pytest.param({}, {}, Proxies(), id="none"),
        pytest.param(
            {"http_proxy": "http://p:1", "no_proxy": "a.b"},
            {"acquire::http::proxy": "http://q:1"},
            Proxies("http://p:1", "", "a.b"),
            id="the environment comes first",
        ),
        pytest.param(
            {},
            {"acquire::http::proxy": "http://q:1"},
            Proxies("http://q:1", "http://q:1"),
            id="apt uses its http proxy for https too",
        ),
        pytest.param({}, {"acquire::http::proxy": "DIRECT"}, Proxies(), id="apt is told to use none"),
        pytest.param({"HTTPS_PROXY": "http://p:1"}, {}, Proxies("", "http://p:1"), id="capitals"),
        pytest.param(
            {"HTTP_PROXY": "http://p:1"}, {}, Proxies(), id="HTTP_PROXY is what a web client may set"
        ),
    ],
)
def test_proxies(environment: dict[str, str], settings: dict[str, str], expected: Proxies) -> None:
    assert find_proxies(environment, HostApt(settings=settings)) == expected


def test_the_hosts_settings_are_read() -> None:
    assert read_host_apt().settings["apt::architecture"] == "amd64"


def test_a_stale_mirror_that_the_administrator_accepts() -> None:
    host = HostApt(Path("/nonexistent"), {"acquire::check-valid-until": "false"})
    assert not find_mirror(
        DEBIAN, option="http://m.invalid/debian", environment={}, host=host
    ).check_valid_until


def test_a_keyring_of_the_mirrors_own(tmp_path: Path) -> None:
    host, option = HostApt(Path("/nonexistent")), "http://m.invalid/debian"
    (tmp_path / "keys.asc").write_text("")
    environment = {"GOLDSMITH_MIRROR_KEYRING": str(tmp_path / "keys.asc")}
    mirror = find_mirror(DEBIAN, option=option, environment=environment, host=host)
    assert {source.keyring for source in base_sources(Base("debian", "sid"), mirror)} == {
        tmp_path / "keys.asc"
    }
    with pytest.raises(UsageError, match=r"GOLDSMITH_MIRROR_KEYRING names '/none', which is not there"):
        find_mirror(DEBIAN, option=option, environment={"GOLDSMITH_MIRROR_KEYRING": "/none"}, host=host)


@pytest.mark.parametrize(
    ("base", "suites"),
    [
        ("debian:trixie", ["trixie", "trixie-updates", "trixie-security"]),
        ("debian:bookworm", ["bookworm", "bookworm-updates", "bookworm-security"]),
        ("debian:forky", ["forky", "forky-updates", "forky-security"]),
        ("debian:sid", ["sid"]),
    ],
)
def test_the_suites_of_a_base(base: str, suites: list[str]) -> None:
    host = HostApt(Path("/nonexistent"))
    mirror = find_mirror(DEBIAN, option="http://m.invalid/debian", environment={}, host=host)
    distribution, suite = base.split(":")
    assert [source.suite for source in base_sources(Base(distribution, suite), mirror)] == suites


@pytest.mark.parametrize(
    ("base", "message", "hint"),
    [
        ("fedora:43", "'fedora' is no distribution that goldsmith knows", "one of: debian, ubuntu"),
        (
            "debian:woody",
            "'woody' is no suite of debian that goldsmith knows",
            "one of: trixie, bookworm, forky, sid",
        ),
    ],
)
def test_a_base_that_is_not_known(base: str, message: str, hint: str) -> None:
    host = HostApt(Path("/nonexistent"))
    mirror = find_mirror(DEBIAN, option="http://m.invalid/debian", environment={}, host=host)
    distribution, suite = base.split(":")
    with pytest.raises(UsageError) as caught:
        base_sources(Base(distribution, suite), mirror)
    assert (caught.value.message, caught.value.hint) == (message, hint)


def test_a_keyring_that_is_not_on_this_host() -> None:
    with pytest.raises(Unavailable) as caught:
        find_keyring(replace(UBUNTU, keyrings=("/nowhere/ubuntu.gpg",)))
    assert str(caught.value) == (
        "the keyring of ubuntu is not on this host: '/nowhere/ubuntu.gpg'\n"
        "  hint: install it: apt-get install --no-install-recommends ubuntu-keyring; if this host's distribution lacks"
        " that package, copy the file from a host that has it"
    )


def repository(**how: str) -> Repository:
    said = {"uri": "http://e.invalid/apt/", "key": "key.asc", **how}
    return Repository(**said, where=Place("r.yaml", 4, 2))  # type: ignore[arg-type]


def test_a_repositorys_id_is_made_from_its_address() -> None:
    assert repository_id(repository(uri="https://user@Apt.Example.invalid/tools", suite="trixie")) == (
        "apt-example-invalid-tools-trixie"
    )
    assert repository_id(repository(id="mine")) == "mine"


@pytest.mark.parametrize(
    ("repositories", "message"),
    [
        pytest.param(
            [repository(id="mine", key="none.asc")],
            "repository 'mine': the file 'none.asc' of `key` is not there",
            id="a key that is not there",
        ),
        pytest.param(
            [repository(id="mine", ca="none.pem")],
            "repository 'mine': the file 'none.pem' of `ca` is not there",
            id="an authority that is not there",
        ),
        pytest.param(
            [repository(id="mine"), repository(id="mine")],
            "two repositories are called 'mine'",
            id="two of one name",
        ),
        pytest.param(
            [repository(id="base")], "two repositories are called 'base'", id="the distribution's name"
        ),
    ],
)
def test_a_repository_that_cannot_be_used(
    repositories: list[Repository], message: str, tmp_path: Path
) -> None:
    (tmp_path / "key.asc").write_text("")
    with pytest.raises(InputError) as caught:
        extra_sources(repositories, tmp_path, {})
    assert caught.value.message == message
    assert str(caught.value.where) == "r.yaml:4:2"


def test_credentials_come_from_the_environment_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("user:pass:word\n")
    assert credentials_of(repository(credentials="file:secret"), tmp_path, {}) == "user:pass:word"
    assert credentials_of(repository(credentials="env:X"), tmp_path, {"X": "a:b"}) == "a:b"
    assert credentials_of(repository(), tmp_path, {}) == ""
    with pytest.raises(InputError, match="are not of the form user:password") as caught:
        credentials_of(repository(credentials="env:X"), tmp_path, {"X": "t0ken"})
    assert "t0ken" not in str(caught.value)


@given(st.text(alphabet=st.sampled_from("deb \n\t[]#:=-htp/.URIsTypesSuites"), max_size=200))
def test_any_text_can_stand_in_a_hosts_sources(text: str) -> None:
    for source in (*parse_list(text), *parse_deb822(text)):
        assert source.uri.startswith(("http", "file"))
