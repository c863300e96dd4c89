"""No package mirror and no registry is named anywhere in the repository: where bytes come from is configuration."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parent.parent.parent
DOT = "."
OWN = {"127.0.0.1", "localhost", "example.invalid", "example.com", "example.org", ""}
TEXT_LIMIT = 4_000_000

# The names are put together here, so that this file has none of them.
KNOWN = [
    DOT.join(words)
    for words in (
        ("deb", "debian", "org"),
        ("ftp", "debian", "org"),
        ("security", "debian", "org"),
        ("snapshot", "debian", "org"),
        ("cdn-fastly", "deb", "debian", "org"),
        ("archive", "ubuntu", "com"),
        ("security", "ubuntu", "com"),
        ("ports", "ubuntu", "com"),
        ("azure", "archive", "ubuntu", "com"),
        ("pypi", "org"),
        ("files", "pythonhosted", "org"),
        ("registry", "npmjs", "org"),
        ("mirror", "yandex", "ru"),
        ("mirrors", "kernel", "org"),
        ("mirrors", "aliyun", "com"),
        ("proxy", "golang", "org"),
    )
]
COUNTRY_MIRROR = re.compile(r"\bftp\d?\.[a-z]{2}\." + re.escape(DOT.join(("debian", "org"))))


def tracked() -> list[Path]:
    """The files that are in the repository, or would be with the next commit."""
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("this is no git repository, so its files cannot be told from others")
    paths = (ROOT / name.decode() for name in listed.stdout.split(b"\0") if name)
    return [path for path in paths if path.is_file() and not path.is_symlink()]


def configured() -> set[str]:
    """The hosts that this machine's apt and pip are configured to use."""
    places = [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*")]
    texts = [place.read_text(errors="replace") for place in places if place.is_file()]
    commands = (["apt-config", "dump"], ["python3", "-m", "pip", "config", "list"])
    texts += [subprocess.run(words, capture_output=True, text=True, check=False).stdout for words in commands]
    return set(hosts_in("\n".join(texts))) - OWN


def hosts_in(text: str) -> Iterator[str]:
    """The hosts of the addresses in a text."""
    for match in re.finditer(r"\b(?:https?|ftp)://[^\s'\"\]>)]+", text):
        try:
            yield urlsplit(match[0]).hostname or ""
        except ValueError:
            continue


def mentions(text: str, hosts: set[str]) -> list[str]:
    """Which hosts a text names."""
    lower = text.lower()
    found = [host for host in sorted(hosts) if host.lower() in lower]
    return found + COUNTRY_MIRROR.findall(lower)


def test_no_mirror_is_named() -> None:
    hosts = configured() | set(KNOWN)
    found = [
        f"{path.relative_to(ROOT)}: {host}"
        for path in tracked()
        if path.stat().st_size < TEXT_LIMIT
        for host in mentions(path.read_text(errors="replace"), hosts)
    ]
    assert found == []


def test_locks_of_python_name_no_address() -> None:
    for path in sorted(ROOT.glob("requirements*.lock")):
        assert list(hosts_in(path.read_text())) == [], path.name


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"deb http://{KNOWN[0]}/debian trixie main", [KNOWN[0]]),
        (f"fetch {KNOWN[9].upper()}/simple", [KNOWN[9]]),
        (
            "http://ftp.de." + DOT.join(("debian", "org")) + "/debian",
            ["ftp.de." + DOT.join(("debian", "org"))],
        ),
        ("http://127.0.0.1:8000/debian and http://example.invalid/", []),
    ],
    ids=["a known mirror", "a registry in capitals", "a country's mirror", "hosts of our own"],
)
def test_the_check_finds(text: str, expected: list[str]) -> None:
    assert mentions(text, set(KNOWN)) == expected
