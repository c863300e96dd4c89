"""dpkg's database as text: what a package that was unpacked by us looks like to dpkg. Pure.

Formats: deb-control(5), deb-triggers(5), and the layout of /var/lib/dpkg that dpkg's ``doc/`` and dpkg-query(1) tell.
"""

from collections.abc import Iterable, Mapping

from goldsmith.model.package import Entry, Package

NOT_IN_STATUS = {"Package", "Status", "Conffiles", "Filename", "Size", "MD5sum", "SHA1", "SHA256", "SHA512"}


def status_entry(package: Package, conffiles: Mapping[str, str]) -> str:
    """A stanza of ``status`` for a package that is unpacked, not configured.

    Args:
        package: the package.
        conffiles: MD5 of each of its configuration files, by path with leading slash. dpkg takes these for what it
            installed itself, and so will ask before it overwrites a changed one.
    """
    lines = [f"Package: {package.name}", "Status: install ok unpacked"]
    lines += [
        f"{name}: {value}".rstrip() for name, value in package.fields.items() if name not in NOT_IN_STATUS
    ]
    if conffiles:
        lines.append("Conffiles:")
        lines += [f" {path} {md5}" for path, md5 in conffiles.items()]
    return "\n".join(lines) + "\n"


def parse_fields(text: str) -> dict[str, str]:
    """One stanza of a control file: field names to values, folded lines kept as they are."""
    fields: dict[str, str] = {}
    last = ""
    for line in text.rstrip("\n").split("\n"):
        if line[:1] in {" ", "\t"} and last:
            fields[last] += "\n" + line
        elif ":" in line:
            last, _, value = line.partition(":")
            fields[last] = value.strip()
    return fields


def parse_stanzas(text: str) -> list[dict[str, str]]:
    """The stanzas of ``status``."""
    return [fields for block in text.split("\n\n") if (fields := parse_fields(block.strip("\n")))]


def render_stanzas(stanzas: Iterable[Mapping[str, str]]) -> str:
    """The inverse of ``parse_stanzas``."""
    texts = []
    for fields in stanzas:
        lines = [
            f"{name}:{value}" if value.startswith("\n") else f"{name}: {value}"
            for name, value in fields.items()
        ]
        texts.append("\n".join(lines) + "\n")
    return "\n".join(texts)


def file_list(entries: Iterable[Entry]) -> str:
    """``info/NAME.list``: every path, the root as ``/.``, each parent before its children as the archive has them."""
    return "".join(f"/{entry.path or '.'}\n" for entry in entries)


def file_triggers(declarations: str) -> list[tuple[str, str]]:
    """The triggers a package is interested in: ``(trigger, how)``; ``how`` is ``await`` or ``noawait``."""
    found = []
    for line in declarations.splitlines():
        words = line.split("#", 1)[0].split()
        if len(words) == 2 and words[0].startswith("interest"):  # noqa: PLR2004 - directive and trigger
            found.append((words[1], "noawait" if words[0] == "interest-noawait" else "await"))
    return found


def interested(name: str, how: str) -> str:
    """A package as the trigger files name it."""
    return f"{name}/noawait" if how == "noawait" else name


def fired(paths: Iterable[str], interests: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    """Which packages' file triggers new paths fire: ``{package: [trigger, ...]}``.

    Args:
        paths: paths that were unpacked, without leading slash.
        interests: file trigger (an absolute path) → packages, as ``triggers/File`` has them, ``/noawait`` and all.
    """
    pending: dict[str, list[str]] = {}
    known = set(paths)
    for trigger, packages in sorted(interests.items()):
        below = trigger.strip("/")
        if any(path == below or path.startswith(below + "/") for path in known):
            for package in packages:
                pending.setdefault(package.removesuffix("/noawait"), []).append(trigger)
    return pending


def dependency_names(value: str) -> list[tuple[str, ...]]:
    """The alternatives of each clause of a dependency field, as bare names."""
    clauses = []
    for clause in value.replace("\n", " ").split(","):
        names = tuple(part.split("(")[0].split("[")[0].strip().split(":")[0] for part in clause.split("|"))
        if any(names):
            clauses.append(tuple(name for name in names if name))
    return clauses


def pre_dependency_order(packages: Iterable[Package]) -> list[Package]:
    """Packages so that each comes after those it pre-depends on (as far as these are here); else by name.

    A cycle, which policy forbids, is cut where it is met.
    """
    by_name = {package.name: package for package in sorted(packages, key=lambda p: p.name)}
    provided: dict[str, str] = {}
    for package in by_name.values():
        for clause in dependency_names(package.fields.get("Provides", "")):
            provided.setdefault(clause[0], package.name)
    order: list[Package] = []
    seen: set[str] = set()

    def visit(name: str) -> None:
        if name in seen:
            return
        seen.add(name)
        for clause in dependency_names(by_name[name].fields.get("Pre-Depends", "")):
            for choice in clause:
                real = choice if choice in by_name else provided.get(choice)
                if real:
                    visit(real)
                    break
        order.append(by_name[name])

    # base-passwd makes /etc/passwd, which every other script may need; nothing says so, because it is essential.
    for name in sorted(by_name, key=lambda n: (n not in {"base-files", "base-passwd"}, n)):
        visit(name)
    return order
