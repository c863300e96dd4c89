"""A plugin for pytest that gives pytest-testinfra's ``host`` fixture a guest reached by its agent."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import testinfra.backend.base
import testinfra.host

from goldsmith.machine.channel import Guest, guest, quoted


class AgentBackend(testinfra.backend.base.BaseBackend):  # type: ignore[misc]
    """Runs testinfra's commands by way of the agent."""

    NAME = "goldsmith"

    def __init__(self, inside: Guest, *args: Any, **kwargs: Any) -> None:
        super().__init__("goldsmith", *args, **kwargs)
        self._inside = inside

    def run(self, command: str, *args: str, **_: Any) -> Any:
        """Run one command inside, as root."""
        text = command % tuple(quoted(word) for word in args) if args else command
        done = self._inside.run(text)
        return self.result(done.code, self.encode(text), done.stdout, done.stderr)


@pytest.fixture(scope="session")
def host() -> Iterator[Any]:
    """The machine under test."""
    with guest(Path(os.environ["GOLDSMITH_MACHINE"]), os.environ["GOLDSMITH_NONCE"]) as inside:
        yield testinfra.host.Host(AgentBackend(inside))
