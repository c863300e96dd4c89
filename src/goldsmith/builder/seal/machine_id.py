"""machine-id: the file says ``uninitialized``, so that each machine makes its own and knows its first boot."""

from goldsmith.builder.seal.operation import Operation
from goldsmith.effects.root import Root

PATH = "/etc/machine-id"
CONTENT = b"uninitialized\n"
MODE = 0o444


def _has_identity(tree: Root, path: str) -> bool:
    facts = tree.lstat(path)
    return not tree.is_file(path) or tree.read(path) != CONTENT or facts.st_mode & 0o7777 != MODE


def _forget(tree: Root, path: str) -> None:
    tree.remove(path)
    tree.write(path, CONTENT, mode=MODE, uid=0, gid=0)


MACHINE_ID = Operation(
    "machine-id",
    "The machine's identity; DHCP leases, journals and inventories are named by it.",
    (PATH,),
    is_trace=_has_identity,
    remove=_forget,
)
