"""``goldsmith tree REF [PATH]``: what is in an image's tree."""

import json
import stat
from datetime import UTC, datetime

import click

from goldsmith.cli.diff import entry_object
from goldsmith.cli.units import visible
from goldsmith.model.tree import TreeEntry
from goldsmith.store.contents import below, contents_of
from goldsmith.store.home import find_home
from goldsmith.store.images import find

KINDS = {
    "file": stat.S_IFREG,
    "dir": stat.S_IFDIR,
    "symlink": stat.S_IFLNK,
    "fifo": stat.S_IFIFO,
    "socket": stat.S_IFSOCK,
}


@click.command("tree", short_help="List what is in an image.")
@click.argument("ref")
@click.argument("path", default="/")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(ref: str, path: str, *, as_json: bool) -> None:
    """List PATH of the image REF and all below it: mode, owner, size, time; by default everything."""
    home = find_home()
    image = find(home, ref)
    entries = below(contents_of(home, image).index.entries, path)
    if as_json:
        listed = [{"path": entry.path, **(entry_object(entry) or {})} for entry in entries]
        print(json.dumps({"ref": image.own, "entries": listed}, indent=1))
    else:
        print("\n".join(visible(line(entry)) for entry in entries))


def line(entry: TreeEntry) -> str:
    """One path, as ``ls -l`` shows it."""
    mode = stat.filemode(KINDS.get(entry.kind, 0) | entry.mode)
    time = f"{datetime.fromtimestamp(entry.mtime, UTC):%Y-%m-%d %H:%M}"
    target = f" -> {entry.target}" if entry.kind == "symlink" else ""
    return f"{mode} {entry.uid:>5} {entry.gid:>5} {entry.size:>10} {time} {entry.path}{target}"
