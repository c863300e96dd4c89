"""The host name, in ``/etc/hostname`` and ``/etc/hosts``."""

from goldsmith.builder.customize.installed import is_installed
from goldsmith.effects.root import Root

PATH = "/etc/hostname"
HOSTS = "/etc/hosts"
CLOUD_INIT = "/etc/cloud/cloud.cfg.d/91_goldsmith_hostname.cfg"


def apply(tree: Root, hostname: str) -> None:
    """Set the host name; cloud-init, where it is installed, is told to leave it."""
    tree.remove(PATH)
    tree.write(PATH, f"{hostname}\n".encode())
    text = tree.read_text(HOSTS) if tree.is_file(HOSTS) else ""
    tree.write(HOSTS, with_host_name(text, hostname).encode(errors="surrogateescape"))
    if is_installed(tree, "cloud-init"):
        tree.mkdir("/etc/cloud/cloud.cfg.d", parents=True)
        tree.write(CLOUD_INIT, b"# The recipe names this host.\npreserve_hostname: true\n")


def with_host_name(hosts: str, hostname: str) -> str:
    """A hosts text in which ``127.0.1.1`` is this host, as Debian's installer writes it."""
    short = hostname.split(".", 1)[0]
    line = f"127.0.1.1\t{hostname}" + (f" {short}" if short != hostname else "")
    lines = [old for old in hosts.splitlines() if old.split()[:1] != ["127.0.1.1"]]
    local = [number for number, old in enumerate(lines) if old.split()[:1] == ["127.0.0.1"]]
    lines.insert(local[-1] + 1 if local else 0, line)
    return "\n".join(lines) + "\n"
