"""Install a group of packages: their files by hard links, their scripts by dpkg, once.

A package's files are put in place without dpkg, and dpkg is told of them as *unpacked*; then its ``preinst`` runs,
and one ``dpkg --configure`` does the rest. This saves dpkg's own unpacking, and changes one order: a ``preinst`` sees
its package's files. Packages for which that matters (they divert files, or overlap with others: ``merge.py``) are
unpacked by dpkg itself.
"""

import hashlib
import os
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from goldsmith.builder import dpkg, layers
from goldsmith.builder.debs import Unpacked
from goldsmith.builder.deferred import INITRAMFS, TOOLS, asked, catch_up, deferring
from goldsmith.builder.layers import Layer
from goldsmith.builder.merge import ALIASES, Merge, make_aliases, make_tree, plan_merge, real_path
from goldsmith.effects.root import Root
from goldsmith.effects.sandbox import Bind, Sandbox
from goldsmith.errors import StepFailed
from goldsmith.model.package import Entry, Package
from goldsmith.model.tree import Changes, TreeEntry

ADMIN = "/var/lib/dpkg"
SKIPPED_CONTROL = frozenset({"control", "conffiles.dpkg-new", "list"})
"""Members of a control archive that dpkg does not keep; the list of files is its own."""
ALWAYS_LINKED = ("bin", "sbin", "lib", "lib64")
SETTLED = frozenset({"installed", "config-files", "not-installed"})
"""The states of packages with which dpkg has nothing to do any more."""
SHOWN = 8
"""How many packages a message names."""
ENVIRONMENT = {
    "DEBIAN_FRONTEND": "noninteractive",
    "DEBCONF_NONINTERACTIVE_SEEN": "true",
    "SYSTEMD_OFFLINE": "1",
    "PYTHONHASHSEED": "0",
}
"""What maintainer scripts see."""

DRIVER = """
set -e
umask 022
export DPKG_ADMINDIR=/var/lib/dpkg DPKG_ROOT= DPKG_RUNNING_VERSION=1.22 DPKG_MAINTSCRIPT_NAME=preinst
export DPKG_MAINTSCRIPT_PACKAGE_REFCOUNT=1
ci=/var/lib/dpkg/tmp.ci
while read -r name arch info; do
  export DPKG_MAINTSCRIPT_PACKAGE=$name DPKG_MAINTSCRIPT_ARCH=$arch
  mkdir $ci
  printf 'Package: %s\nArchitecture: %s\n' "$name" "$arch" >$ci/control
  for part in preinst config templates; do
    if [ -e "/var/lib/dpkg/info/$info.$part" ]; then cp -p "/var/lib/dpkg/info/$info.$part" $ci/$part; fi
  done
  $ci/preinst install </dev/null || { echo "goldsmith: the preinst script of $name failed"; exit 1; }
  rm -r $ci
done </run/goldsmith/preinst
unset DPKG_ADMINDIR DPKG_ROOT DPKG_RUNNING_VERSION DPKG_MAINTSCRIPT_NAME DPKG_MAINTSCRIPT_PACKAGE_REFCOUNT
unset DPKG_MAINTSCRIPT_PACKAGE DPKG_MAINTSCRIPT_ARCH
if [ -s /run/goldsmith/unpack ]; then
  xargs -r -a /run/goldsmith/first dpkg --force-unsafe-io --force-confold --configure
  xargs -a /run/goldsmith/unpack dpkg --force-unsafe-io --force-confold --unpack
fi
exec dpkg --force-unsafe-io --force-confold --configure --pending
"""
"""Runs in the tree: the preinst scripts, then what dpkg must unpack itself, then one configure.

A preinst script runs from where dpkg runs it: debconf finds out there whose questions are asked.
"""


def place_files(
    packages: Sequence[Unpacked],
    target: Path,
    *,
    epoch: int,
    first: bool,
    taken: Sequence[Unpacked] = (),
    held: Mapping[str, str] = MappingProxyType({}),
    apart: Container[str] = (),
) -> tuple[Merge, Changes]:
    """Make the tree of a group's files, and dpkg's file lists, at ``target`` (an empty directory).

    Args:
        packages: the group, in the order that decides overlaps (by name).
        target: on the file system of the cache.
        epoch: the time that directories and lists get.
        first: whether this is the first group of a tree, which then gets the links of a merged /usr.
        taken: packages of earlier groups, whose files stay theirs.
        held: the kind of each path of the image that the tree stands on.
        apart: names of the packages that it has.
    """
    owned = {**held, **{real_path(e.path): e.kind for u in taken for e in u.package.entries}}
    merge = plan_merge(packages, owned, apart)
    directories = make_tree(merge, target)
    aliased = make_aliases(target, ALWAYS_LINKED) if first else []
    info = target / ADMIN.lstrip("/") / "info"
    info.mkdir(parents=True, exist_ok=True)
    refused = {unpacked.sha256 for unpacked in merge.refused}
    for unpacked in packages:
        if unpacked.sha256 in refused:
            continue
        name = unpacked.package.info_name
        for member in unpacked.package.scripts - SKIPPED_CONTROL:
            os.link(unpacked.control / member, info / f"{name}.{member}")
        (info / f"{name}.list").write_text(dpkg.file_list(unpacked.package.entries))
    entries = [
        *_packaged(merge, epoch),
        *_directories(directories, epoch),
        *_own(directories, aliased, target, info, epoch),
    ]
    for entry in sorted(entries, key=lambda e: e.path, reverse=True):
        if entry.kind == "dir":
            os.utime(f"{target}{entry.path}", (epoch, epoch))
    return merge, Changes((), tuple(sorted(entries, key=lambda e: e.path)))


def _directories(directories: Mapping[str, Entry], epoch: int) -> Iterable[TreeEntry]:
    return [
        TreeEntry(f"/{path}", "dir", e.mode, e.uid, e.gid, epoch) for path, e in directories.items() if path
    ]


def _own(
    directories: Container[str], aliased: Iterable[str], target: Path, info: Path, epoch: int
) -> Iterable[TreeEntry]:
    """What is in the tree besides packages' files: dpkg's files about them, the directories of these, and aliases."""
    paths = [*sorted(info.iterdir()), *(target / path for path in aliased)]
    paths += [
        parent for parent in [info, *info.parents] if parent.is_relative_to(target) and parent != target
    ]
    paths += [target / name for name in ALIASES if os.path.islink(target / name)]
    for path in paths:
        where = f"/{path.relative_to(target)}"
        if where.lstrip("/") in directories:
            continue
        # Members of control archives are hard links into the cache, which other images' layers share: read only.
        own = path.suffix == ".list" or path.is_symlink() or path.is_dir()
        if own:
            os.utime(path, (epoch, epoch), follow_symlinks=False)
        found = layers.tell(where, path, path.lstat())
        yield replace(found, link="", mtime=min(found.mtime, epoch))


def _packaged(merge: Merge, epoch: int) -> Iterable[TreeEntry]:
    """The packages' files as entries: all is known from when they were unpacked. The disk clamps times to the epoch."""
    shared: dict[str, dict[str, Entry]] = {}
    for unpacked, _ in merge.files.values():
        if unpacked.sha256 not in shared:
            by_path = {e.path: e for e in unpacked.package.entries if e.kind == "file"}
            shared[unpacked.sha256] = {
                e.target: by_path[e.target] for e in unpacked.package.entries if e.kind == "hardlink"
            }
    for path, (unpacked, entry) in merge.files.items():
        if entry.kind == "symlink":
            yield TreeEntry(
                f"/{path}",
                "symlink",
                0o777,
                entry.uid,
                entry.gid,
                min(entry.mtime, epoch),
                target=entry.target,
            )
            continue
        source = shared[unpacked.sha256][entry.target] if entry.kind == "hardlink" else entry
        yield TreeEntry(
            path=f"/{path}",
            kind="file",
            mode=source.mode,
            uid=source.uid,
            gid=source.gid,
            mtime=min(source.mtime, epoch),
            size=source.size,
            sha256=source.sha256,
            xattrs=(("security.capability", source.capability),) if source.capability else (),
            link=f"{unpacked.sha256}:{source.path}" if source.path in shared[unpacked.sha256] else "",
        )


def restore_directories(tree: Root, below: Sequence[Layer]) -> None:
    """Give directories back the mode and owner that scripts of earlier groups gave them.

    A group's layer of files brings its directories as its packages have them; dpkg leaves a directory that exists
    as it is.
    """
    earlier: dict[str, TreeEntry] = {}
    for layer in below[:-1]:
        earlier.update({entry.path: entry for entry in layer.changes.entries if entry.kind == "dir"})
    for entry in below[-1].changes.entries:
        old = earlier.get(entry.path)
        if old is None or entry.kind != "dir":
            continue
        if (old.uid, old.gid) != (entry.uid, entry.gid):
            tree.chown(entry.path, old.uid, old.gid)
        if old.mode != entry.mode:
            tree.chmod(entry.path, old.mode)


def conffiles(unpacked: Unpacked) -> dict[str, str]:
    """What ``status`` says of each configuration file, by path: its MD5, dpkg's own measure; only own files count."""
    if "conffiles" not in unpacked.package.scripts:
        return {}
    own = {f"/{e.path}" for e in unpacked.package.entries if e.kind in {"file", "hardlink"}}
    found = {}
    for line in (unpacked.control / "conffiles").read_text().splitlines():
        flag, _, path = line.strip().rpartition(" ")
        if path in own:
            data = (unpacked.root / path.lstrip("/")).read_bytes()
            found[path] = hashlib.md5(data, usedforsecurity=False).hexdigest()
        elif flag == "remove-on-upgrade":
            found[path] = f"newconffile {flag}"
    return found


def write_database(tree: Root, packages: Sequence[Unpacked]) -> None:
    """Tell dpkg of packages whose files are in place.

    Packages that were there before and have an interest in a new path get that trigger pending.

    Args:
        tree: the tree, mounted to be changed.
        packages: those that were placed, not those that dpkg unpacks.
    """
    first = not tree.exists(f"{ADMIN}/status")
    if first:
        _write_empty_database(tree)
    stanzas = dpkg.parse_stanzas(tree.read_text(f"{ADMIN}/status"))
    interests = _read_interests(tree)
    # As the packages have them: dpkg compares triggers with these too, not with where /lib leads.
    paths = [e.path for u in packages for e in u.package.entries if e.kind != "dir"]
    pending = dpkg.fired(paths, interests)
    for fields in stanzas:
        names = pending.get(fields["Package"], [])
        if names and fields["Status"] in {"install ok installed", "install ok triggers-pending"}:
            fields["Status"] = "install ok triggers-pending"
            old = fields.get("Triggers-Pending", "").split()
            fields["Triggers-Pending"] = " ".join([*old, *(name for name in names if name not in old)])
    text = dpkg.render_stanzas(stanzas)
    new = "\n".join(dpkg.status_entry(u.package, conffiles(u)) for u in packages)
    tree.write(
        f"{ADMIN}/status", (text + ("\n" if text and new else "") + new).encode(errors="surrogateescape")
    )
    _write_interests(tree, packages, interests)


def _write_empty_database(tree: Root) -> None:
    for name in ("info", "triggers", "updates", "alternatives", "parts"):
        tree.mkdir(f"{ADMIN}/{name}", parents=True)
    for name in ("status", "available", "diversions", "statoverride", "triggers/File", "triggers/Unincorp"):
        tree.write(f"{ADMIN}/{name}", b"")
    tree.write(f"{ADMIN}/info/format", b"1\n")


def _read_interests(tree: Root) -> dict[str, list[str]]:
    interests: dict[str, list[str]] = {}
    for line in tree.read_text(f"{ADMIN}/triggers/File").splitlines():
        path, _, package = line.rpartition(" ")
        interests.setdefault(path, []).append(package)
    return interests


def _write_interests(tree: Root, packages: Sequence[Unpacked], files: dict[str, list[str]]) -> None:
    explicit: dict[str, list[str]] = {}
    for unpacked in packages:
        if "triggers" not in unpacked.package.scripts:
            continue
        for trigger, how in dpkg.file_triggers((unpacked.control / "triggers").read_text()):
            name = dpkg.interested(unpacked.package.info_name, how)
            room = files if trigger.startswith("/") else explicit
            if name not in room.setdefault(trigger, []):
                room[trigger].append(name)
    lines = [f"{path} {package}\n" for path in sorted(files) for package in files[path]]
    tree.write(f"{ADMIN}/triggers/File", "".join(lines).encode())
    for trigger, names in explicit.items():
        tree.append(f"{ADMIN}/triggers/{trigger}", "".join(f"{name}\n" for name in names).encode())


def mark_automatic(tree: Root, packages: Iterable[str], *, architecture: str) -> None:
    """Tell apt which packages came as dependencies.

    Args:
        tree: the tree.
        packages: ``name architecture`` of each.
        architecture: the image's; apt files packages of architecture ``all`` under it.
    """
    stanzas = []
    for package in packages:
        name, own = package.split()
        stanzas.append(
            f"Package: {name}\nArchitecture: {architecture if own == 'all' else own}\nAuto-Installed: 1\n"
        )
    tree.mkdir("/var/lib/apt", parents=True)
    tree.write("/var/lib/apt/extended_states", ("\n".join(stanzas) + "\n").encode())


def configure(
    tree: Root,
    sandbox: Sandbox,
    placed: Sequence[Unpacked],
    refused: Sequence[Unpacked],
    *,
    log: Path,
    scratch: Path,
) -> bool:
    """Run the maintainer scripts of a group: ``preinst`` of what was placed, then dpkg for the rest.

    Args:
        tree: the tree, its database written.
        sandbox: where commands run in the tree.
        placed: packages whose files are in place.
        refused: packages that dpkg must unpack itself; their .debs are shown to it.
        log: takes all that is printed.
        scratch: a directory outside the tree for the driver's lists.

    Returns:
        Whether a package asked for a new initramfs.

    Raises:
        StepFailed: a script failed, and the log says which; or packages are left half-installed.
    """
    scripts = [p for p in dpkg.pre_dependency_order(u.package for u in placed) if "preinst" in p.scripts]
    lines = "".join(f"{p.name} {p.fields['Architecture']} {p.info_name}\n" for p in scripts)
    waiting = dependents([u.package for u in placed], [u.package for u in refused])
    order = {p.name: number for number, p in enumerate(dpkg.pre_dependency_order(u.package for u in refused))}
    lists = {
        "preinst": lines,
        "first": "".join(f"{u.package.info_name}\n" for u in placed if u.package.name not in waiting),
        "unpack": "".join(
            f"/run/goldsmith/debs/{u.sha256}.deb\n"
            for u in sorted(refused, key=lambda u: order[u.package.name])
        ),
    }
    scratch.mkdir(parents=True, exist_ok=True)
    binds = list(sandbox.binds)
    for name, text in lists.items():
        (scratch / name).write_text(text)
        binds.append(Bind(scratch / name, f"/run/goldsmith/{name}"))
    binds += [Bind(u.deb, f"/run/goldsmith/debs/{u.sha256}.deb") for u in refused]
    tree.write("/usr/sbin/policy-rc.d", b"#!/bin/sh\nexit 101\n", mode=0o755)
    bare = Sandbox(root=sandbox.root, binds=tuple(binds), environment={**sandbox.environment, **ENVIRONMENT})
    inside = deferring(bare, tree, scratch, TOOLS)
    hint = "the last lines name the package; its script decides what is missing"
    inside.run(["/bin/sh", "-c", DRIVER], log=log, hint=hint)
    catch_up(inside, scratch, TOOLS, log=log)
    tree.remove("/usr/sbin/policy-rc.d")
    need_installed(tree, log=log)
    return asked(scratch, INITRAMFS)


def dependents(placed: Sequence[Package], refused: Sequence[Package]) -> set[str]:
    """Names of placed packages that cannot be configured before the refused ones are: they depend on them."""
    late = {package.name for package in refused}
    for package in refused:
        late |= {clause[0] for clause in dpkg.dependency_names(package.fields.get("Provides", ""))}
    waiting: set[str] = set()
    names = {package.name for package in placed}
    changed = True
    while changed:
        changed = False
        for package in placed:
            if package.name in waiting:
                continue
            needs = dpkg.dependency_names(package.fields.get("Depends", "")) + dpkg.dependency_names(
                package.fields.get("Pre-Depends", "")
            )
            if any(
                set(clause) & (late | waiting) and not set(clause) & (names - waiting) for clause in needs
            ):
                waiting.add(package.name)
                changed = True
    return waiting


def need_installed(tree: Root, *, log: Path) -> None:
    """Check that dpkg has finished with every package.

    Raises:
        StepFailed: some are left half-way, though dpkg did not fail; they are named.
    """
    stanzas = dpkg.parse_stanzas(tree.read_text(f"{ADMIN}/status"))
    states = {fields["Package"]: fields["Status"].split()[-1] for fields in stanzas}
    left = [f"{name} ({state})" for name, state in states.items() if state not in SETTLED]
    if left:
        more = f" and {len(left) - SHOWN} more" if len(left) > SHOWN else ""
        raise StepFailed(
            f"dpkg has left packages half-installed: {', '.join(left[:SHOWN])}{more}",
            hint="the log has what their scripts printed; leave the package out, or report it to its maintainers",
            log=str(log),
        )
