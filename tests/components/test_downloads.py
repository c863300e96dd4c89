"""Downloads of components, from a real server."""

import http.server
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.components.steps import HELLO, MD5, SHA256, SHA512, Runner, one, outputs, shape


class Server(http.server.BaseHTTPRequestHandler):
    """Serves ``hello``; ``/flaky`` fails twice first."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        flaky = self.path == "/flaky" and self.asked.count("/flaky") < 3
        status = 503 if flaky else 302 if self.path == "/moved" else 404 if self.path == "/none" else 200
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/dir/file%20name.txt")
        self.send_header("Content-Length", "99" if self.path == "/short" else str(len(HELLO)))
        self.end_headers()
        self.wfile.write(HELLO)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def server() -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []
    handler = type("Handler", (Server,), {"asked": asked})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}", asked
        listening.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("inputs", "path", "tries"),
    [
        pytest.param("source: URL/f, destination: /new/f", "new/f", 1, id="a file without a checksum"),
        pytest.param(f"source: URL/f, destination: /opt/f, checksum: {SHA256}", "opt/f", 1, id="SHA256 is the default"),
        pytest.param(f"source: URL/f, destination: /opt/f, checksum: {MD5.upper()}, algorithm: MD5", "opt/f", 1, id="MD5 in capitals"),
        pytest.param(f"source: URL/f, destination: /opt/f, checksum: {SHA512}, algorithm: SHA512", "opt/f", 1, id="SHA512"),
        pytest.param("source: URL/dir/file%20name.txt, destination: /opt/", "opt/file name.txt", 1, id="into a folder"),
        pytest.param("source: URL/moved, destination: /opt/f", "opt/f", 2, id="redirects are followed"),
        pytest.param("source: URL/flaky, destination: /opt/f", "opt/f", 3, id="failures are tried again"),
    ],
)  # fmt: skip
def test_downloads(
    run: Runner, tree: Path, server: tuple[str, list[str]], inputs: str, path: str, tries: int
) -> None:
    result = run(one("WebDownload", inputs.replace("URL", server[0])))
    assert outputs(result) == {"destination": f"/{path}"}
    assert shape(tree / path) == "0644 0:0 'hello\\n'"
    assert len(server[1]) == tries
    assert not [name for _, _, names in os.walk(tree) for name in names if "part" in name]


@pytest.mark.parametrize(
    ("inputs", "failure", "tries"),
    [
        pytest.param(f"checksum: {'0' * 64}", f"'URL/f' has the SHA256 digest {SHA256}, not {'0' * 64}", 1, id="wrong checksum"),
        pytest.param("overwrite: false", "'/opt/f' exists, and 'overwrite' is false", 0, id="overwrite is false"),
        pytest.param("checksum: '{{ Sum }}'", "'beef' is no SHA256 digest", 0, id="a checksum from a variable"),
    ],
)  # fmt: skip
def test_a_download_that_fails_leaves_what_was_there(
    run: Runner, tree: Path, server: tuple[str, list[str]], inputs: str, failure: str, tries: int
) -> None:
    (tree / "opt/f").write_text("old")
    result = run(
        one("WebDownload", f"source: {server[0]}/f, destination: /opt/f, {inputs}"),
        head="constants: [{Sum: {type: string, value: beef}}]\n",
    )
    assert result.failures[0][1].failure.split("\n")[0] == failure.replace("URL", server[0])
    assert os.listdir(tree / "opt") == ["f"]
    assert (tree / "opt/f").read_text() == "old"
    assert len(server[1]) == tries


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        pytest.param("/none", "the server answered 404 Not Found", id="any status but 200"),
        pytest.param("/short", "IncompleteRead", id="a body that ends early"),
    ],
)
def test_a_server_gets_five_attempts(
    run: Runner, server: tuple[str, list[str]], path: str, reason: str
) -> None:
    result = run(one("WebDownload", f"source: {server[0]}{path}, destination: /opt/f"))
    assert reason in result.failures[0][1].failure
    assert f"cannot download '{server[0]}{path}'" in result.failures[0][1].failure
    assert len(server[1]) == 5
