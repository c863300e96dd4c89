"""How a customization runs a program of the tree; the builder supplies a sandbox."""

from collections.abc import Sequence
from typing import Protocol

from goldsmith.effects.process import Finished


class RunInTree(Protocol):
    """Runs a program with the tree as its ``/``; ``Sandbox.run`` is one."""

    def __call__(self, command: Sequence[str], /) -> Finished:
        """Run ``command`` to its end.

        Raises:
            StepFailed: it failed; ``tail`` has its last lines.
        """
