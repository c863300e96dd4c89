import hashlib
import os
import ssl
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.lock.server import Server, serving

from goldsmith.effects.access import Access, Proxies
from goldsmith.effects.net import Got, Limits, NotThere, download
from goldsmith.effects.part import Wanted
from goldsmith.errors import InputError, NetworkError, NoSpace

DATA = bytes(range(256)) * 2000
SHA256 = hashlib.sha256(DATA).hexdigest()
QUICK = Limits(backoff=0.01, connect=1, silence=0.5, patience=0.3, body=5_000_000)


@pytest.fixture
def file(server: Server) -> str:
    (server.root / "file").write_bytes(DATA)
    return f"{server.address}/file"


def wanted(url: str, path: Path, **how: object) -> Wanted:
    said = {"digests": {"sha256": SHA256}, "size": len(DATA), **how}
    return Wanted(url, path, **said)  # type: ignore[arg-type]


def leftovers(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()} if directory.exists() else set()


@pytest.mark.parametrize(
    ("lies", "requests"),
    [
        pytest.param([], 1, id="an honest server is asked once"),
        pytest.param(["500"], 2, id="a server that fails once is asked again"),
        pytest.param(["503", "429"], 3, id="a busy server is asked three times"),
        pytest.param(["truncate 1000"], 2, id="a broken connection is resumed"),
        pytest.param(["cut 1000"], 2, id="a body that is too short is resumed"),
        pytest.param(["change"], 2, id="a changed byte is not believed, and the file read again"),
        pytest.param(
            ["cut 1000", "wrong-range"], 3, id="a server that resumes elsewhere is read from the start"
        ),
        pytest.param(["silent"], 2, id="a silent server is given up and asked again"),
        pytest.param(["drip"], 3, id="a dripping server is given up, and what it sent is not believed"),
        pytest.param(["endless"], 2, id="a body that is too long is cut off and asked for again"),
    ],
)
def test_a_file_is_whole_in_the_end(
    lies: list[str], requests: int, server: Server, file: str, tmp_path: Path
) -> None:
    server.lies["/file"] = lies
    got = download([wanted(file, tmp_path / "to/file")], limits=QUICK)
    assert got == (Got(got[0].wanted, len(DATA), SHA256),)
    assert (tmp_path / "to/file").read_bytes() == DATA
    assert leftovers(tmp_path / "to") == {"file"}
    assert len(server.asked) == requests


@pytest.mark.parametrize(
    ("lie", "reason"),
    [
        pytest.param("always 500", "the server answers with status 500 (3 tries)", id="a failing server"),
        pytest.param("403", "the server answers with status 403", id="a server that refuses is asked once"),
        pytest.param(
            "always change", f"its sha256 is {'?'}, and not {SHA256} (3 tries)", id="a lying server"
        ),
        pytest.param("always cut 0", f"the server sent 0 of {len(DATA)} bytes (3 tries)", id="an empty body"),
        pytest.param(
            "always endless", f"the server sends more than {len(DATA)} bytes (3 tries)", id="an endless body"
        ),
        pytest.param("always silent", "the server fell silent (3 tries)", id="silence"),
        pytest.param(
            "always drip", "the server sends less than 1024 bytes per second (3 tries)", id="a slow drip"
        ),
        pytest.param(
            "redirect file:///etc/passwd",
            "the server redirects to 'file:///etc/passwd', which is not followed",
            id="a redirect to a local file",
        ),
        pytest.param(
            "redirect ftp://u:secret@h/x",
            "the server redirects to 'ftp://h/x', which is not followed",
            id="a redirect to another protocol",
        ),
        pytest.param("always redirect /file", "more than 5 redirects", id="a redirect in a circle"),
    ],
)
def test_a_file_that_cannot_be_had_leaves_nothing_that_looks_like_it(
    lie: str, reason: str, server: Server, file: str, tmp_path: Path
) -> None:
    changed = hashlib.sha256(bytes([DATA[0] ^ 1]) + DATA[1:]).hexdigest()
    server.lies["/file"] = [lie]
    with pytest.raises(NetworkError) as caught:
        download([wanted(file, tmp_path / "to/file")], limits=QUICK)
    assert caught.value.message == f"cannot download {file!r}: {reason.replace('?', changed)}"
    remedy = (
        "the file was changed on the server" if "sha256" in reason else "check the network and proxy settings"
    )
    assert caught.value.hint.startswith(remedy)
    assert leftovers(tmp_path / "to") <= {".file.part"}


def test_a_server_without_the_file_says_so_once(server: Server, tmp_path: Path) -> None:
    url = f"{server.address}/none"
    with pytest.raises(NotThere) as caught:
        download([wanted(url, tmp_path / "file")], limits=QUICK)
    assert caught.value.message == f"{url!r} is not there: the server answers with status 404"
    assert caught.value.url == url
    assert len(server.asked) == 1


def test_nobody_listens(tmp_path: Path) -> None:
    with serving(tmp_path) as gone:
        url = f"{gone.address}/file"
    with pytest.raises(NetworkError, match=r"no connection \(3 tries\)"):
        download([wanted(url, tmp_path / "file")], limits=QUICK)


def test_a_later_call_resumes_where_an_earlier_one_stopped(server: Server, file: str, tmp_path: Path) -> None:
    server.lies["/file"] = ["cut 1000", "500", "500"]
    with pytest.raises(NetworkError):
        download([wanted(file, tmp_path / "file")], limits=QUICK)
    download([wanted(file, tmp_path / "file")], limits=QUICK)
    assert server.ranges == ["", "bytes=1000-", "bytes=1000-", "bytes=1000-"]
    assert (tmp_path / "file").read_bytes() == DATA


def test_what_was_left_behind_by_somebody_else_is_not_believed(file: str, tmp_path: Path) -> None:
    (tmp_path / ".file.part").write_bytes(b"x" * 5000)
    download([wanted(file, tmp_path / "file")], limits=QUICK)
    assert (tmp_path / "file").read_bytes() == DATA


def test_without_a_size_an_endless_body_ends_at_the_limit(server: Server, file: str, tmp_path: Path) -> None:
    server.lies["/file"] = ["always endless"]
    with pytest.raises(NetworkError, match=r"the server sends more than 5000000 bytes"):
        download([wanted(file, tmp_path / "file", size=None, digests={})], limits=QUICK)


def test_other_digests_are_compared_too(file: str, tmp_path: Path) -> None:
    digests = {"md5": hashlib.md5(DATA).hexdigest().upper(), "sha512": hashlib.sha512(DATA).hexdigest()}
    got = download([wanted(file, tmp_path / "file", digests=digests, size=None)], limits=QUICK)
    assert (got[0].size, got[0].sha256) == (len(DATA), SHA256)
    with pytest.raises(NetworkError, match=rf"its md5 is {digests['md5'].lower()}, and not {'0' * 32}"):
        download([wanted(file, tmp_path / "other", digests={"md5": "0" * 32})], limits=QUICK)


def test_a_redirect_is_followed_and_credentials_stay_behind(server: Server, tmp_path: Path) -> None:
    server.password = "user:secret"
    with serving(server.root) as other:
        (server.root / "file").write_bytes(DATA)
        server.lies["/file"] = [f"redirect {other.address}/file"]
        access = Access(credentials="user:secret")
        download([wanted(f"{server.address}/file", tmp_path / "file", access=access)], limits=QUICK)
        assert server.authorizations != [""]
        assert other.authorizations == [""]


def test_credentials_are_in_no_message(server: Server, file: str, tmp_path: Path) -> None:
    server.password = "user:secret"
    url = file.replace("http://", "http://user:wr0ng@")
    with pytest.raises(NetworkError) as caught:
        download([wanted(url, tmp_path / "file")], limits=QUICK)
    assert caught.value.message == f"cannot download {file!r}: the server answers with status 401"
    assert "secret" not in repr(Access(credentials="user:secret"))


def test_a_proxy_is_asked_and_can_be_bypassed(server: Server, file: str, tmp_path: Path) -> None:
    address = "http://nowhere.invalid/file"
    through = Proxies(http=server.address)
    download([wanted(address, tmp_path / "a")], limits=QUICK, proxies=through)
    assert server.asked == [address]
    nobody = Proxies(http="http://127.0.0.1:1", bypass="127.0.0.1")
    download([wanted(file, tmp_path / "b")], limits=QUICK, proxies=nobody)
    own = Access(proxy=server.address)
    download([wanted(address, tmp_path / "c", access=own)], limits=QUICK, proxies=nobody)
    assert server.asked == [address, "/file", address]


def test_a_proxy_that_is_not_there_is_named_as_the_reason(tmp_path: Path) -> None:
    proxies = Proxies(http="http://user:secret@127.0.0.1:1")
    with pytest.raises(NetworkError) as caught:
        download([wanted("http://nowhere.invalid/file", tmp_path / "a")], limits=QUICK, proxies=proxies)
    assert caught.value.message == (
        "cannot download 'http://nowhere.invalid/file': the proxy does not answer (3 tries)"
    )


def test_files_of_this_host_are_copied(tmp_path: Path) -> None:
    (tmp_path / "a file").write_bytes(DATA)
    download([wanted((tmp_path / "a file").as_uri(), tmp_path / "copy")])
    assert (tmp_path / "copy").read_bytes() == DATA
    with pytest.raises(NotThere, match="there is no such file"):
        download([wanted((tmp_path / "none").as_uri(), tmp_path / "other")])
    with pytest.raises(NetworkError, match="sends more than 5 bytes"):
        download([wanted((tmp_path / "a file").as_uri(), tmp_path / "other", size=5)], limits=QUICK)


def test_an_authority_that_is_not_there(tmp_path: Path) -> None:
    access = Access(ca=tmp_path / "none.pem")
    with pytest.raises(InputError, match=r"none\.pem' is not there"):
        download([wanted("https://127.0.0.1:1/", tmp_path / "file", access=access)], limits=QUICK)


def test_many_files_at_a_time_with_progress(server: Server, tmp_path: Path) -> None:
    names = [f"f{number}" for number in range(20)]
    for name in names:
        (server.root / name).write_bytes(DATA)
    server.lies["/f3"] = ["change"]
    told: list[tuple[int, int]] = []
    items = [wanted(f"{server.address}/{name}", tmp_path / "to" / name) for name in names]
    got = download(items, limits=QUICK, progress=lambda done, total: told.append((done, total)))
    assert [item.wanted for item in got] == items
    assert told[0] == (0, 20 * len(DATA))
    assert told[-1] == (20 * len(DATA), 20 * len(DATA))
    assert leftovers(tmp_path / "to") == set(names)


def test_one_failure_stops_all(server: Server, tmp_path: Path) -> None:
    (server.root / "file").write_bytes(DATA)
    server.lies["/file"] = ["always drip"]
    items = [
        wanted(f"{server.address}/none", tmp_path / "a"),
        wanted(f"{server.address}/file", tmp_path / "b"),
    ]
    start = time.monotonic()
    with pytest.raises(NotThere):
        download(items, limits=Limits(patience=60))
    assert time.monotonic() - start < 30


def test_who_waits_for_another_takes_what_it_brought(server: Server, file: str, tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        items = [wanted(file, tmp_path / "to/file") for _ in range(4)]
        got = list(pool.map(lambda item: download([item], limits=QUICK), items))
    assert [one[0].sha256 for one in got] == [SHA256] * 4
    assert server.asked == ["/file"]
    assert leftovers(tmp_path / "to") == {"file"}


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for the loopback, with its key, that signs itself."""
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    said = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    key = path.with_suffix(".key")
    command = ["openssl", "req", *kind, *said, "-keyout", str(key), "-out", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, key)
    return path


@pytest.fixture
def secure(server: Server, certificate: Path) -> str:
    (server.root / "file").write_bytes(DATA)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_suffix(".key"))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    return f"{server.address.replace('http', 'https')}/file"


def test_an_authority_of_ones_own(secure: str, certificate: Path, tmp_path: Path) -> None:
    download([wanted(secure, tmp_path / "file", access=Access(ca=certificate))], limits=QUICK)
    assert (tmp_path / "file").read_bytes() == DATA
    with pytest.raises(NetworkError, match="the server's certificate is not trusted"):
        download([wanted(secure, tmp_path / "other")], limits=QUICK)


def test_https_is_not_left_for_http(server: Server, secure: str, certificate: Path, tmp_path: Path) -> None:
    server.lies["/file"] = ["redirect http://plain.invalid/file"]
    with pytest.raises(
        NetworkError, match=r"redirects to 'http://plain\.invalid/file', which is not followed"
    ):
        download([wanted(secure, tmp_path / "file", access=Access(ca=certificate))], limits=QUICK)


def test_a_disk_that_is_too_small_is_seen_before_the_first_byte(
    server: Server, file: str, tmp_path: Path
) -> None:
    facts = os.statvfs(tmp_path)
    size = facts.f_bavail * facts.f_frsize * 2
    with pytest.raises(NoSpace, match=r"the downloads need [\d.]+ MB in .*, and [\d.]+ MB are free"):
        download([wanted(file, tmp_path / "file", size=size)])
    assert server.asked == []
