"""What makes a machine itself: asked inside, compared, and made anew in a clone."""

from collections.abc import Mapping
from pathlib import Path

from goldsmith.machine.channel import Guest

ASK = Path(__file__).with_name("identity.sh")
RENEW = Path(__file__).with_name("renew.sh")
PER_BOOT = frozenset({"boot-id"})
"""What is new at every start, so that it says nothing about a machine's identity."""
MAY_BE_EQUAL = frozenset({"hostname"})
"""What a recipe or a person may have declared."""


def ask_identity(inside: Guest) -> dict[str, str]:
    """A machine's identities by name.

    Raises:
        StepFailed: the machine does not say.
    """
    lines = inside.check(ASK.read_text()).splitlines()
    return {name: value for name, _, value in (line.partition(" ") for line in lines)}


def shared(one: Mapping[str, str], other: Mapping[str, str]) -> tuple[str, ...]:
    """The identities that two machines have in common though no two should."""
    return tuple(name for name, value in one.items() if name not in MAY_BE_EQUAL and other.get(name) == value)
