"""The verbs as a person types them, and Debian's skopeo and podman at the other end."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.store.recording import recorded_image
from tests.store.remote.images import BASE, CHANGED, Maker, files_of
from tests.store.remote.twisted import Answer, twisted

from goldsmith.disk.digest import disk_digest
from goldsmith.disk.stored import place as place_of_disk
from goldsmith.store.check import check
from goldsmith.store.home import Home
from goldsmith.store.images import find, layout_of
from goldsmith.store.layout import Layout

PROGRAM = Path(sys.executable).with_name("goldsmith")
MOST = 250 << 20
"""Bytes of memory, at most."""
OBJECT = bytes(150_000)


def goldsmith(home: Home, *words: str) -> "subprocess.CompletedProcess[str]":
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GOLDSMITH")},
        "GOLDSMITH_HOME": str(home.path),
    }
    return subprocess.run([PROGRAM, *words], env=environment, capture_output=True, text=True, check=False)


@contextmanager
def serving(home: Home, *words: str) -> Iterator[str]:
    """``goldsmith serve`` until the block ends; its address."""
    environment = {**os.environ, "GOLDSMITH_HOME": str(home.path)}
    with subprocess.Popen(
        [PROGRAM, "serve", "--port", "0", "--json", "--quiet", *words],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        text = ""
        while not text.endswith("}\n"):
            line = process.stdout.readline()
            assert line, process.stderr and process.stderr.read()
            text += line
        try:
            yield json.loads(text)["address"]
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(10) == 130


def test_push_pull_and_copy(maker: Maker, there: Home, place: str, tmp_path: Path) -> None:
    image = maker.make("web", "1.0.0", BASE)
    done = goldsmith(maker.home, "push", "web", place)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{place}/web:1.0.0 pushed in ")
    assert f"  digest {image.index.digest}\n" in done.stdout
    assert "uploads: 0 B of 8." in done.stderr
    assert re.search(r"uploads: (8.\d MB) of \1\n", done.stderr)
    done = goldsmith(there, "pull", f"{place}/web:1.0.0", "--json")
    facts = json.loads(done.stdout)
    assert (facts["name"], facts["digest"]) == ("web:1.0.0", image.index.digest)
    assert 0 < facts["size"] - facts["moved"] < 10_000
    assert facts["reused"] == 0
    disk = place_of_disk(there, str(image.facts["disk_digest"]))
    assert disk_digest(disk) == image.facts["disk_digest"]
    done = goldsmith(there, "copy", f"{place}/web:1.0.0", f"{tmp_path}/images")
    assert done.stdout.startswith(f"{tmp_path}/images/web:1.0.0 copied in ")
    done = goldsmith(there, "copy", f"{tmp_path}/images/web:1.0.0", "other:2.0.0")
    assert done.stdout.startswith("other:2.0.0 copied in ")
    assert check(layout_of(there), read=True) == []


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("push", "web:9.0.0", "h.example/x"), 2, "there is no image 'web:9.0.0'"),
        (("push", "web", "nowhere"), 2, "'nowhere'"),
        (("push", "web", "UPPER.example/Team"), 2, "is no place for images"),
        (("push", "web", "http://127.0.0.1:9"), 2, "only gives"),
        (("push", "web", "127.0.0.1:9/x"), 7, "no connection"),
        (("push", "web", "a/b"), 2, "'a' is no host"),
        (("push", "web", "h.example/x", "--ca", "/nonexistent"), 2, "does not exist"),
        (("pull", "web:1.0.0"), 2, "is in the local store"),
        (("pull", "h.example/team"), 2, "names no image"),
        (("pull", "h.example/../x:1"), 2, "is no place for images"),
        (("pull", "s3://bucket/web:1.0.0"), 2, "scheme that is not known"),
        (("pull", "h.example/a\nb:1"), 2, "names no image"),
        (("pull", "http://h.example/../web:1.0.0"), 2, "no address of a web server"),
        (("pull", "http://127.0.0.1:9/web:1.0.0"), 7, "no connection"),
        (("pull", "./nothing/web:1.0.0"), 2, "has no index.json"),
        (("pull", f"h.example/{'x' * 5000}:1"), 2, "names no image"),
        (("copy", "web", "other:1.0.0"), 2, "is in the local store"),
        (("copy", "web", "http://127.0.0.1:9/"), 2, "only gives"),
        (("serve", "--host", "192.0.2.1", "--port", "0"), 7, "cannot listen on 192.0.2.1"),
    ],
    ids=lambda value: " ".join(value)[:50] if isinstance(value, tuple) else "",
)
def test_what_cannot_be_done_is_told(
    words: tuple[str, ...], code: int, says: str, maker: Maker, tmp_path: Path
) -> None:
    maker.make("web", "1.0.0", files_of(1))
    done = goldsmith(maker.home, *words)
    assert (done.returncode, done.stdout) == (code, "")
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("hint:") == 1 or "--ca" in words
    assert not (tmp_path / "nothing").exists()


def test_what_is_changed_on_its_way_is_an_integrity_error(maker: Maker, there: Home) -> None:
    maker.make("web", "1.0.0", files_of(1))

    def flip(answer: Answer) -> None:
        if "/blobs/" in answer.path and (answer.range or len(answer.body) > 100_000):
            answer.body = answer.body[:-1] + b"x"

    with twisted(maker.layout, flip) as server:
        done = goldsmith(there, "pull", f"{server.address}/web:1.0.0", "--json")
    assert done.returncode == 4
    assert json.loads(done.stdout)["error"] == "IntegrityError"


def test_serve(maker: Maker, there: Home) -> None:
    image = maker.make("web", "1.0.0", BASE)
    maker.make("web", "1.0.1", CHANGED)
    with serving(maker.home) as address:
        for version in ("1.0.0", "1.0.1"):
            done = goldsmith(there, "pull", f"{address}/web:{version}", "--json")
            assert done.returncode == 0, done.stderr
        facts = json.loads(done.stdout)
        assert facts["moved"] < 900_000 < facts["size"]
        host = address.removeprefix("http://")
        done = goldsmith(Home(there.path / "second"), "pull", f"{host}/web@{image.index.digest}")
        assert done.returncode == 0, done.stderr
    assert check(layout_of(there), read=True) == []
    assert find(there, "web:1.0.0").index.digest == image.index.digest


@pytest.mark.parametrize(
    ("path", "header", "status", "length"),
    [
        ("/oci-layout", "", 200, 30),
        ("/blobs/sha256/{hex}", "", 200, 150_000),
        ("/blobs/sha256/{hex}", "bytes=10-19", 206, 10),
        ("/blobs/sha256/{hex}", "bytes=-7", 206, 7),
        ("/blobs/sha256/{hex}", "bytes=149990-", 206, 10),
        ("/blobs/sha256/{hex}", "bytes=149990-999999999", 206, 10),
        ("/blobs/sha256/{hex}", "bytes=150000-", 416, 0),
        ("/blobs/sha256/{hex}", "bytes=9-5", 416, 0),
        ("/blobs/sha256/{hex}", "bytes=1-2,5-6", 200, 150_000),
        ("/blobs/sha256/{hex}", "lines=1-2", 200, 150_000),
        ("/v2/", "", 200, 2),
        ("/v2/web/tags/list", "", 200, None),
        ("/v2/web/manifests/1.0.0", "", 200, None),
        ("/v2/web/manifests/9", "", 404, None),
        ("/v2/nobody/tags/list", "", 404, None),
        ("/v2/web/blobs/sha256:{hex}", "bytes=0-0", 206, 1),
        ("/blobs/sha256/../../index.json", "", 404, None),
        ("/blobs/sha256/%2e%2e%2f%2e%2e%2findex.json", "", 404, None),
        ("/.lock", "", 404, None),
        ("//etc/passwd", "", 404, None),
        ("/known/x", "", 404, None),
        ("/v2/web/manifests/sha256:{hex}", "", 404, None),
        ("/v2/web/referrers/sha256:{hex}", "", 200, None),
    ],
)
def test_pages_of_a_store(path: str, header: str, status: int, length: int | None, served: str) -> None:
    path = path.replace("{hex}", hashlib.sha256(OBJECT).hexdigest())
    for method in ("GET", "HEAD"):
        words = ["curl", "-sS", "--path-as-is", "-w", "\n%{http_code}", f"{served}{path}"]
        words += ["--head"] if method == "HEAD" else []
        words += ["-H", f"Range: {header}"] if header else []
        done = subprocess.run(words, capture_output=True, check=True)
        body, _, code = done.stdout.rpartition(b"\n")
        assert int(code) == status
        if method == "GET" and length is not None:
            assert len(body) == length


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a store with an image and an object."""
    room = tmp_path_factory.mktemp("served")
    maker = Maker(Home(room / "home"), room)
    maker.make("web", "1.0.0", files_of(1))
    maker.layout.blobs.put(OBJECT, "x")
    with serving(maker.home) as address:
        yield address


def test_skopeo_takes_from_what_is_served(maker: Maker, tmp_path: Path) -> None:
    image = maker.make("web", "1.0.0", BASE)
    with serving(maker.home) as address:
        host = address.removeprefix("http://")
        told = subprocess.run(
            ["skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{host}/web:1.0.0"],
            capture_output=True, check=True,
        )  # fmt: skip
        assert told.stdout == maker.layout.blobs.read(image.index.digest)
        subprocess.run(
            ["skopeo", "copy", "-q", "--all", "--src-tls-verify=false", f"docker://{host}/web:1.0.0",
             f"oci:{tmp_path}/out:web:1.0.0"],
            check=True,
        )  # fmt: skip
        listed = subprocess.run(
            ["skopeo", "list-tags", "--tls-verify=false", f"docker://{host}/web"],
            capture_output=True,
            check=True,
        )
    assert json.loads(listed.stdout)["Tags"] == ["1.0.0", "1.0.0-b1"]
    # skopeo writes the index anew; what it names stays.
    copied = recorded_image(Layout(tmp_path / "out"), "web:1.0.0")
    assert copied.disk.digest == recorded_image(maker.layout, "web:1.0.0").disk.digest


@pytest.mark.skipif(shutil.which("podman") is None, reason="podman is not installed")
def test_what_goldsmith_pushes_podman_pulls(maker: Maker, place: str) -> None:
    maker.make("web", "1.0.0", {**files_of(1), "/etc/motd": b"hello\n"})
    assert goldsmith(maker.home, "push", "web", place).returncode == 0
    with tempfile.TemporaryDirectory(prefix="pod") as room:  # podman allows 50 letters
        podman = ["podman", f"--root={room}/root", f"--runroot={room}/run", "--storage-driver=vfs"]
        name = f"{place}/web:1.0.0"
        try:
            run(*podman, "pull", "-q", "--tls-verify=false", name)
            assert json.loads(run(*podman, "image", "inspect", name))[0]["Architecture"] == "amd64"
            # Read from the image without starting anything in it.
            made = run(*podman, "create", name, "/x").decode().strip()
            assert b"hello\n" in run(*podman, "cp", f"{made}:/etc/motd", "-")
        finally:
            subprocess.run([*podman, "system", "reset", "--force"], check=False, capture_output=True)


def run(*words: str) -> bytes:
    return subprocess.run(words, check=True, capture_output=True).stdout


def test_what_skopeo_pushes_goldsmith_pulls(maker: Maker, there: Home, place: str) -> None:
    image = maker.make("web", "1.0.0", BASE)
    subprocess.run(
        ["skopeo", "copy", "-q", "--all", "--dest-tls-verify=false", f"oci:{maker.layout.directory}:web:1.0.0",
         f"docker://{place}/web:1.0.0"],
        check=True,
    )  # fmt: skip
    done = goldsmith(there, "pull", f"{place}/web:1.0.0", "--json")
    assert done.returncode == 0, done.stderr
    assert find(there, "web").facts == image.facts


def test_an_interrupted_pull_leaves_nothing_running(maker: Maker, there: Home) -> None:
    maker.make("web", "1.0.0", BASE)

    def slow(answer: Answer) -> None:
        if "/blobs/" in answer.path:
            time.sleep(1)

    with twisted(maker.layout, slow) as server:
        environment = {**os.environ, "GOLDSMITH_HOME": str(there.path)}
        words = [str(PROGRAM), "pull", f"{server.address}/web:1.0.0"]
        with subprocess.Popen(words, env=environment, stderr=subprocess.PIPE, text=True) as child:
            while not any("/blobs/" in path for _, path, _ in server.asked):
                time.sleep(0.02)
            start = time.monotonic()
            child.send_signal(signal.SIGINT)
            _, said = child.communicate(timeout=10)
        assert child.returncode == 130
        assert "interrupted" in said
        assert "Traceback" not in said
        assert time.monotonic() - start < 8
    assert layout_of(there).refs() == {}


LIMITED = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print("peak", resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024, file=sys.stderr)
sys.exit(code)
"""


def many_values(answer: Answer) -> None:
    if answer.path == "/index.json":
        answer.body = b'{"manifests": [' + b"[]," * 499_999 + b"[]]}"
        answer.headers["Content-Length"] = str(len(answer.body))


def long_text(answer: Answer) -> None:
    if answer.path == "/index.json":
        answer.body = b'{"manifests": [], "x": "' + b"\\u20ac" * 3_500_000 + b'"}'
        answer.headers["Content-Length"] = str(len(answer.body))


def honest(answer: Answer) -> None:
    pass


@pytest.mark.parametrize("twist", [many_values, long_text, honest])
def test_memory_is_bounded(twist: Callable[[Answer], None], maker: Maker, there: Home) -> None:
    large = b"".join(b"%064d" % number for number in range(1 << 20))  # 64 MiB
    maker.make("web", "1.0.0", {**files_of(1), "/large": large})
    with twisted(maker.layout, twist) as server:
        words = [str(PROGRAM), "pull", f"{server.address}/web:1.0.0"]
        done = subprocess.run(
            [sys.executable, "-c", LIMITED, *words],
            env={**os.environ, "GOLDSMITH_HOME": str(there.path)}, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert (done.returncode == 0) == (twist is honest), done.stderr
    peak = re.search(r"^peak (\d+)$", done.stderr, re.MULTILINE)
    assert peak is not None
    assert int(peak[1]) < MOST


def test_a_port_that_is_taken_is_told(maker: Maker) -> None:
    maker.make("web", "1.0.0", files_of(1))
    with serving(maker.home) as address:
        taken = address.rpartition(":")[2]
        done = goldsmith(maker.home, "serve", "--port", taken)
    assert done.returncode == 7
    assert "hint: choose another port" in done.stderr
