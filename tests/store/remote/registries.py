"""Debian's ``docker-registry``, started on the loopback; and a token server for it."""

import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Registry:
    """A registry that runs."""

    host: str
    room: Path
    process: "subprocess.Popen[bytes]"

    def get(self, path: str) -> bytes:
        with urllib.request.urlopen(f"http://{self.host}{path}") as answer:
            body: bytes = answer.read()
            return body

    def log(self) -> list[dict[str, Any]]:
        """The requests so far: method, uri, status, bytes written."""
        lines = (self.room / "log").read_text().splitlines()
        found = [json.loads(line) for line in lines if line.startswith("{")]
        return [line for line in found if line.get("msg") == "response completed"]


def free_port() -> int:
    with socket.create_server((LOOPBACK, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def registry(room: Path, **sections: object) -> Iterator[Registry]:
    """Start a registry that keeps its data in ``room``; further sections of its configuration replace the usual ones."""
    host = f"{LOOPBACK}:{free_port()}"
    config = {
        "version": "0.1",
        "storage": {"filesystem": {"rootdirectory": str(room / "data")}, "delete": {"enabled": True}},
        "log": {"level": "info", "formatter": "json"},
        **sections,
    }
    http = {"addr": host, **(sections.get("http") or {})}  # type: ignore[dict-item] # a mapping if it is there
    (room / "config.yml").write_text(json.dumps({**config, "http": http}))
    with (room / "log").open("wb") as log:
        process = subprocess.Popen(
            ["docker-registry", "serve", str(room / "config.yml")],
            stdout=log,
            stderr=log,
            env={"PATH": os.environ["PATH"], "OTEL_TRACES_EXPORTER": "none"},
        )
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex((LOOPBACK, int(host.rpartition(":")[2]))) == 0:
                    break
            assert process.poll() is None, (room / "log").read_text()
            time.sleep(0.05)
        yield Registry(host, room, process)
    finally:
        process.terminate()
        process.wait()
