"""machine-id: the file says ``uninitialized``, so that each machine makes its own and knows its first boot."""

import stat

from goldsmith.builder.match import Sight, mode_of
from goldsmith.builder.seal.operation import Operation
from goldsmith.effects.root import Root

PATH = "/etc/machine-id"
CONTENT = b"uninitialized\n"
MODE = 0o444


def _has_identity(tree: Sight, path: str) -> bool:
    mode = mode_of(tree, path)
    return not stat.S_ISREG(mode) or stat.S_IMODE(mode) != MODE or tree.read(path) != CONTENT


def _is_initialized(tree: Sight, path: str) -> bool:
    """An empty file and a missing one are none, though they do not make a first boot known as one."""
    regular = stat.S_ISREG(mode_of(tree, path, follow=True))
    return regular and tree.read(path).strip() not in {b"", CONTENT.strip()}


def _forget(tree: Root, path: str) -> None:
    tree.remove(path)
    tree.write(path, CONTENT, mode=MODE, uid=0, gid=0)


MACHINE_ID = Operation(
    "machine-id",
    "The machine's identity; DHCP leases, journals and inventories are named by it.",
    (PATH,),
    is_trace=_has_identity,
    is_leak=_is_initialized,
    remove=_forget,
)
