"""A plugin for pytest that gives pytest-testinfra one more kind of host: a guest reached by its agent.

``--hosts=goldsmith://machine`` chooses it; where the machine is, and its start's number, stand in the environment.
"""

import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import testinfra.backend
import testinfra.backend.base

from goldsmith.machine.channel import guest, quoted


class AgentBackend(testinfra.backend.base.BaseBackend):  # type: ignore[misc]
    """Runs testinfra's commands by way of the agent."""

    NAME = "goldsmith"

    def __init__(self, name: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(name, *args, **kwargs)
        self._stack = ExitStack()  # closed with this process
        self._inside = self._stack.enter_context(
            guest(Path(os.environ["GOLDSMITH_MACHINE"]), os.environ["GOLDSMITH_NONCE"])
        )

    def run(self, command: str, *args: str, **_: Any) -> Any:
        """Run one command inside, as root."""
        text = command % tuple(quoted(word) for word in args) if args else command
        done = self._inside.run(text)
        return self.result(done.code, self.encode(text), done.stdout, done.stderr)


testinfra.backend.BACKENDS["goldsmith"] = f"{__name__}.AgentBackend"
