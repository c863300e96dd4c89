"""A tree put together from archives: names are checked, links are never followed, layers lie over each other."""

from collections.abc import Iterable
from dataclasses import replace

from goldsmith.disk.read.area import malformed, refused
from goldsmith.disk.read.limits import PATH, Tally
from goldsmith.disk.read.node import Body, Node, Piece
from goldsmith.disk.read.tar import Member
from goldsmith.model.oci import OPAQUE, WHITEOUT

MERGED = {f"/{name}": f"/usr/{name}" for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32")}
"""Links that a system of today has in its root, and through which older layers still write."""
DEVICES = {"char", "block"}


class Growing:
    """A tree in the making."""

    def __init__(self, tally: Tally) -> None:
        self.nodes: dict[str, Node] = {}
        self.left_out: list[str] = []
        """Device nodes below /dev, which the kernel makes itself."""
        self.covered: list[tuple[int, Node]] = []
        """Files that later members or layers have replaced or removed, and the number of the layer that did."""
        self._layers = 0
        self._tally = tally
        self._children: dict[str, set[str]] = {"": set()}

    def add_layer(self, members: Iterable[Member], descriptor: int, *, layered: bool) -> None:
        """Put the members of an archive over what is there.

        Args:
            members: the archive's.
            descriptor: the file that the members' bytes lie in.
            layered: whether names that begin with ``.wh.`` remove what lies below, as in OCI layers.

        Raises:
            InputError: a name leads out of the tree, or a member is of a kind that has no place in it.
        """
        self._layers += 1
        listed = []
        for member in members:
            path = checked_path(member.name)
            self._tally.entry(len(path) + len(member.target) + sum(len(k) + len(v) for k, v in member.xattrs))
            listed.append((path, member))
        if layered:
            for path, _ in listed:
                self._hide(path)
        for path, member in listed:
            if layered and path.rpartition("/")[2].startswith(WHITEOUT):
                continue
            if path != "/":
                self._put(path, member, descriptor)

    def _hide(self, path: str) -> None:
        above, _, name = path.rpartition("/")
        if name == OPAQUE:
            for child in list(self._children.get(self._real(above, path), ())):
                self._remove(f"{self._real(above, path)}/{child}")
        elif name.startswith(WHITEOUT):
            self._remove(f"{self._real(above, path)}/{name.removeprefix(WHITEOUT)}")

    def _put(self, path: str, member: Member, descriptor: int) -> None:
        above, _, name = path.rpartition("/")
        path = f"{self._real(above, path)}/{name}"
        if member.kind in DEVICES:
            if not path.startswith("/dev/"):
                raise refused(
                    f"the archive holds a device node at {path!r:.200}",
                    "device nodes belong below /dev, where the kernel makes them; make the archive without it",
                )
            self.left_out.append(path)
            return
        self._parents(path)
        known = self.nodes.get(path)
        if known is not None and (known.kind != "dir" or member.kind != "dir") and member.kind != "hardlink":
            self._remove(path)
        if member.kind == "hardlink":
            node = self._linked(path, member)
        else:
            body = None
            if member.kind == "file":
                self._tally.content(member.size)
                pieces = (Piece(0, member.place, member.size),) if member.size else ()
                body = Body(descriptor, member.size, pieces)
            node = Node(path, member.kind, member.mode, member.uid, member.gid, member.mtime,
                        member.target if member.kind == "symlink" else "", member.xattrs, "", body)  # fmt: skip
            if member.kind == "symlink" and not 0 < len(member.target) <= PATH:
                raise malformed(f"the link {path!r:.200} points to {len(member.target)} bytes")
        self._insert(path, replace(node, path=path))

    def _linked(self, path: str, member: Member) -> Node:
        """The node of another name of a file."""
        target = checked_path(member.target)
        above, _, name = target.rpartition("/")
        target = f"{self._real(above, target)}/{name}"
        other = self.nodes.get(target)
        if other is None or other.kind == "dir":
            raise malformed(
                f"{path!r:.200} in the archive is a hard link to {target!r:.200}, which is no file before it"
            )
        if target != path and path in self.nodes:
            self._remove(path)
        if other.kind == "file" and not other.link:
            other.link = f"{other.body.descriptor if other.body else 0}:{target}"
        return other

    def _real(self, directory: str, path: str) -> str:
        """A directory behind the links of a merged /usr; no other link is followed.

        Raises:
            InputError: a part of it is another link, or no directory.
        """
        done = ""
        for part in directory.split("/")[1:]:
            done = f"{done}/{part}"
            node = self.nodes.get(done)
            if node is None or node.kind == "dir":
                continue
            if node.kind == "symlink" and node.target.lstrip("/") == MERGED.get(done, "//").lstrip("/"):
                done = MERGED[done]
                continue
            what = "the symbolic link" if node.kind == "symlink" else "what is no directory:"
            raise malformed(f"{path!r:.200} in the archive lies below {what} {done!r:.200}")
        return done

    def _parents(self, path: str) -> None:
        above = path.rpartition("/")[0]
        if above and above not in self.nodes:
            self._parents(above)
            self._tally.entry(len(above))
            self._insert(above, Node(above, "dir", 0o755, 0, 0, 0))

    def _insert(self, path: str, node: Node) -> None:
        above, _, name = path.rpartition("/")
        self.nodes[path] = node
        self._children.setdefault(above, set()).add(name)

    def _remove(self, path: str) -> None:
        waiting = [path]
        while waiting:
            gone = waiting.pop()
            node = self.nodes.pop(gone, None)
            if node is not None and node.body is not None and node.body.size:
                self.covered.append((self._layers, node))
            waiting += [f"{gone}/{child}" for child in self._children.pop(gone, ())]
        above, _, name = path.rpartition("/")
        self._children.get(above, set()).discard(name)


def checked_path(name: str) -> str:
    """A member's name as a path of the tree.

    Raises:
        InputError: it is absolute, has ``..``, or is too long.
    """
    parts = [part for part in name.split("/") if part not in {"", "."}]
    if name.startswith("/"):
        raise refused(
            f"the archive holds the absolute name {name!r:.200}", "make it without tar's --absolute-names"
        )
    if ".." in parts:
        raise malformed(f"the archive holds {name!r:.200}, which leads out of it")
    path = "/" + "/".join(parts)
    if len(path) > PATH or not name:
        raise malformed(f"the archive holds a name of {len(name)} bytes")
    return path
