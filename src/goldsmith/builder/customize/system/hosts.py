"""``/etc/hosts``: the names of the machine itself, which no package writes."""

from goldsmith.effects.root import Root

PATH = "/etc/hosts"
LINES = (
    ("127.0.0.1", "127.0.0.1\tlocalhost"),
    ("::1", "::1\t\tlocalhost ip6-localhost ip6-loopback"),
    ("ff02::1", "ff02::1\t\tip6-allnodes"),
    ("ff02::2", "ff02::2\t\tip6-allrouters"),
)


def apply(tree: Root) -> None:
    """Add what is missing."""
    text = tree.read_text(PATH) if tree.is_file(PATH) else ""
    new = with_local_names(text)
    if new != text:
        tree.write(PATH, new.encode(errors="surrogateescape"))


def with_local_names(text: str) -> str:
    """A hosts text in which each local address has a line; existing lines stay as they are."""
    known = {words[0] for line in text.splitlines() if (words := line.split("#", 1)[0].split())}
    missing = [line for address, line in LINES if address not in known]
    ended = text if not text or text.endswith("\n") else text + "\n"
    return ended + "".join(f"{line}\n" for line in missing)
