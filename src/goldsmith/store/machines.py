"""Which local machines were made from an image: it is not deleted while there are any."""

import json
from contextlib import suppress

from goldsmith.errors import UsageError
from goldsmith.store.home import Home


def machines_of(home: Home, digest: str) -> tuple[str, ...]:
    """The names of the machines that were made from the image with this digest, or cloned from such."""
    found = []
    for path in sorted(home.path.glob("vms/*/machine.json")):
        with suppress(OSError, ValueError, KeyError, TypeError):
            if json.loads(path.read_bytes())["origin"]["digest"] == digest:
                found.append(path.parent.name)
    return tuple(found)


def refuse_used(home: Home, digest: str, name: str) -> None:
    """Refuse to delete an image that machines were made from.

    Raises:
        UsageError: there are such.
    """
    machines = machines_of(home, digest)
    if machines:
        raise UsageError(
            f"{name} is in use by the machine{'s' if len(machines) > 1 else ''} {', '.join(machines)}",
            hint=f"delete them first: goldsmith vm delete {machines[0]}",
        )
