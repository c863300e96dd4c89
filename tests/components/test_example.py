"""The example component, all three phases, with a small nginx that reads the snippet it is given."""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from goldsmith.builder.components.local import LocalHost
from goldsmith.builder.components.result import DocumentResult
from goldsmith.builder.components.run import run_document
from goldsmith.effects.root import Root
from goldsmith.recipe.component import read_component

EXAMPLE = Path(__file__).parents[2] / "examples/web/components/harden-nginx.yml"
NGINX = """#!/bin/sh
case $1 in
-t) grep -qF 'server_tokens off;' SNIPPET ;;
-T) cat SNIPPET ;;
esac
"""
SERVER = """
import http.server, re, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response_only(200)
        for name, value in re.findall("add_header (\\\\S+) (\\\\S+)", open(sys.argv[1]).read()):
            self.send_header(name, value)
        self.send_header("Server", sys.argv[2])
        self.end_headers()
    def log_message(self, *_): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""


@pytest.fixture
def host(tmp_path: Path) -> Iterator[LocalHost]:
    snippet = tmp_path / "tree/etc/nginx/conf.d/hardening.conf"
    snippet.parent.mkdir(parents=True)
    (tmp_path / "tree/etc/nginx/nginx.conf").write_text("http {\n\tserver_tokens on;\n}\n")
    (tmp_path / "tree/usr/sbin").mkdir(parents=True)
    for folder in (tmp_path / "tree/usr/sbin", tmp_path / "programs"):
        folder.mkdir(exist_ok=True)
        (folder / "nginx").write_text(NGINX.replace("SNIPPET", str(snippet)))
        (folder / "nginx").chmod(0o755)
    with Root(tmp_path / "tree") as root:
        yield LocalHost(root, "/", {"PATH": f"{tmp_path}/programs:/usr/sbin:/usr/bin:/bin"})


def run(host: LocalHost, tmp_path: Path, phases: list[str], **parameters: str) -> DocumentResult:
    text = EXAMPLE.read_text().replace(" /etc/nginx/nginx.conf", f" {tmp_path}/tree/etc/nginx/nginx.conf")
    (tmp_path / "harden.yml").write_text(text)
    document = read_component(tmp_path / "harden.yml")
    return run_document(document, host, log_directory=tmp_path / "log", phases=phases, parameters=parameters)


def test_build_and_validate(host: LocalHost, tmp_path: Path) -> None:
    result = run(host, tmp_path, ["build", "validate"], FrameOptions="SAMEORIGIN")
    assert result.failures == ()
    assert (tmp_path / "tree/etc/nginx/nginx.conf").read_text() == "http {\n\t# server_tokens on;\n}\n"
    snippet = (tmp_path / "tree/etc/nginx/conf.d/hardening.conf").read_text()
    assert "add_header X-Frame-Options SAMEORIGIN always;" in snippet


def test_validate_finds_a_missing_header(host: LocalHost, tmp_path: Path) -> None:
    run(host, tmp_path, ["build"])
    snippet = tmp_path / "tree/etc/nginx/conf.d/hardening.conf"
    snippet.write_text("server_tokens off;\nadd_header X-Content-Type-Options nosniff always;\n")
    result = run(host, tmp_path, ["validate"])
    assert result.failures[0][1].failure == "round 1 ('X-Frame-Options'): exit code 1"


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
@pytest.mark.parametrize(
    ("server", "status"),
    [
        pytest.param("nginx", "Success", id="a server that tells nothing"),
        pytest.param("nginx/1.26.3", "Failed", id="a server that tells its version"),
    ],
)
def test_the_test_phase_asks_the_server(host: LocalHost, tmp_path: Path, server: str, status: str) -> None:
    run(host, tmp_path, ["build"])
    snippet = str(tmp_path / "tree/etc/nginx/conf.d/hardening.conf")
    serving = subprocess.Popen(
        [sys.executable, "-c", SERVER, snippet, server], stdout=subprocess.PIPE, text=True
    )
    try:
        assert serving.stdout is not None
        address = f"http://127.0.0.1:{serving.stdout.readline().strip()}/"
        began = time.monotonic()
        result = run(host, tmp_path, ["test"], Address=address)
    finally:
        serving.kill()
        serving.communicate()
    assert (result.status, time.monotonic() - began < 20) == (status, True)
