"""The recipe's ``remove``: packages, paths, documentation and translations, once everything else is set up."""

import re
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from goldsmith.builder.customize.installed import installed_packages
from goldsmith.builder.customize.nearest import did_you_mean
from goldsmith.builder.customize.run_in_tree import RunInTree
from goldsmith.builder.match import Match, find
from goldsmith.effects.root import Root
from goldsmith.errors import InputError, Place, StepFailed
from goldsmith.model.recipe import Remove

PROTECTED = frozenset(
    (
        *(
            "/",
            "/bin",
            "/boot",
            "/dev",
            "/etc",
            "/home",
            "/lib",
            "/lib32",
            "/lib64",
            "/libx32",
            "/opt",
            "/proc",
        ),
        *("/root", "/run", "/sbin", "/srv", "/sys", "/tmp", "/usr", "/var", "/var/tmp"),  # noqa: S108 - the tree's
        *("/usr/bin", "/usr/lib", "/usr/lib64", "/usr/sbin", "/usr/share", "/usr/local", "/usr/lib/systemd"),
        *("/etc/systemd", "/etc/ssh", "/etc/apt", "/etc/passwd", "/etc/shadow", "/etc/group", "/etc/fstab"),
        *("/etc/os-release", "/usr/lib/os-release", "/var/cache", "/var/lib", "/var/log"),
        *("/var/lib/dpkg", "/var/lib/dpkg/info", "/var/lib/dpkg/status"),
    )
)
"""Without these there is no system; to remove what is in a directory, the pattern says so (``/var/log/*``)."""
DOCUMENTATION = (
    "/usr/share/doc/**",
    "/usr/share/man/**",
    "/usr/share/info/**",
    "/usr/share/groff/**",
    "/usr/share/lintian/**",
    "/usr/share/linda/**",
    "/usr/share/doc-base/**",
    "/usr/share/gtk-doc/**",
    "/usr/share/help/**",
)
TRANSLATIONS = "/usr/share/locale"
MANUALS = "/usr/share/man"
DPKG_DOCS = "/etc/dpkg/dpkg.cfg.d/90-goldsmith-docs"
DPKG_LOCALES = "/etc/dpkg/dpkg.cfg.d/90-goldsmith-locales"


def remove(tree: Root, asked: Remove, *, languages: Sequence[str], run: RunInTree) -> tuple[str, ...]:
    """Take out of the tree what the recipe asks for.

    Args:
        tree: everything is set up in it.
        asked: what the recipe says.
        languages: the recipe's languages, whose translations stay.
        run: runs dpkg in the tree.

    Returns:
        Warnings: patterns that matched nothing.

    Raises:
        InputError: a package is not there or others need it; a path is one that no system can do without.
    """
    if asked.packages:
        purge(tree, asked.packages, run=run, where=asked.where)
    if asked.docs:
        remove_documentation(tree)
    if asked.locales:
        remove_translations(tree, languages, manuals=not asked.docs)
    return tuple(
        f"remove.paths: nothing in the image matches {pattern!r}"
        for pattern in asked.paths
        if not remove_paths(tree, pattern, where=asked.where)
    )


def purge(tree: Root, packages: Sequence[str], *, run: RunInTree, where: Place | None) -> None:
    """Purge packages with dpkg, all at once, so that they may need each other."""
    installed = installed_packages(tree)
    for package in packages:
        if package not in installed:
            raise InputError(
                f"the package {package!r} under remove is not installed in the image",
                hint=did_you_mean(package, installed, "leave it out"),
                where=where,
            )
    try:
        run(["dpkg", "--purge", *packages])
    except StepFailed as error:
        needed = needed_by(error.tail)
        if needed:
            raise InputError(
                f"packages under remove are needed by others: {'; '.join(needed)}",
                hint="remove those too, or keep what they need",
                where=where,
            ) from error
        raise


def needed_by(output: str) -> tuple[str, ...]:
    """What dpkg says of dependencies, one ``A depends on B`` each; also that a package is essential."""
    depends = re.findall(r"^ (\S+) ((?:pre-)?depends) on (\S+?)(?: \(.*\))?\.?$", output, re.MULTILINE)
    essential = re.findall(
        r"error processing package (\S+) \(--purge\):\n\s+this is an? (essential|protected)", output
    )
    reasons = [f"{package} {verb} on {other}" for package, verb, other in depends]
    return tuple(dict.fromkeys([*reasons, *(f"{package} is {kind}" for package, kind in essential)]))


def remove_paths(tree: Root, pattern: str, *, where: Place | None = None) -> int:
    """Remove all that a pattern matches.

    Returns:
        How many paths it matched.

    Raises:
        InputError: one of them is protected, or the pattern has ``..``.
    """
    if ".." in PurePosixPath(pattern).parts:
        raise InputError(
            f"the path {pattern!r} under remove contains '..'", hint="write the path out", where=where
        )
    matches = list(find(tree, pattern))
    for path in (str(PurePosixPath(pattern)), *(match.path for match in matches)):
        if path in PROTECTED or not path.strip("/"):
            raise InputError(
                f"remove.paths: {pattern!r} would remove {path!r}, without which there is no system",
                hint="name what is inside it, as in /var/log/*",
                where=where,
            )
    for match in matches:
        tree.remove(match.path)
    return len(matches)


def remove_documentation(tree: Root) -> None:
    """Remove documentation but copyright files, now and when a package is installed later.

    The sections' directories of manuals stay: alternatives of packages installed later link into them.
    """
    for pattern in DOCUMENTATION:
        _remove_documents(tree, list(find(tree, pattern)))
    _write_settings(
        tree,
        DPKG_DOCS,
        [f"path-exclude={pattern.removesuffix('*')}" for pattern in DOCUMENTATION]
        + ["path-include=/usr/share/doc/*/copyright"],
    )


def is_kept_documentation(path: str) -> bool:
    """Whether a path below ``/usr/share`` stays when documentation goes."""
    section = re.fullmatch(rf"{MANUALS}/man\d\w*", path)
    return path.endswith("/copyright") or section is not None


def remove_translations(tree: Root, languages: Sequence[str], *, manuals: bool = True) -> None:
    """Remove translations but those of some languages, now and when a package is installed later.

    Args:
        tree: the tree.
        languages: as in the recipe's ``locale.languages``.
        manuals: whether manuals are there to be sorted out; where documentation is left out, none are.
    """
    kept = kept_translations(languages)
    settings = _keep_some(tree, TRANSLATIONS, kept, r"\Z.")
    settings += [f"path-include={TRANSLATIONS}/locale.alias"]
    if manuals:
        settings += [*_keep_some(tree, MANUALS, kept, r"man\d.*"), f"path-include={MANUALS}/man[0-9]*/*"]
    _write_settings(tree, DPKG_LOCALES, settings)


def _keep_some(tree: Root, directory: str, kept: frozenset[str], also: str) -> list[str]:
    """Remove the directories in ``directory`` that are neither kept nor match ``also``; dpkg's lines for the same."""
    for match in find(tree, f"{directory}/*"):
        name = match.path.rsplit("/", 1)[1]
        if match.is_directory and name not in kept and not re.fullmatch(also, name):
            tree.remove(match.path)
    return [f"path-exclude={directory}/*", *(f"path-include={directory}/{name}/*" for name in sorted(kept))]


def kept_translations(languages: Iterable[str]) -> frozenset[str]:
    """The directory names of languages: ``de_DE.UTF-8`` keeps ``de`` and ``de_DE``; English ``en`` always stays."""
    names = {"en"}
    for language in languages:
        full, _, variant = language.partition("@")
        full = full.split(".", 1)[0]
        short = full.split("_", 1)[0]
        names |= {full, short}
        if variant:
            names |= {f"{full}@{variant}", f"{short}@{variant}"}
    return frozenset(names - {"C", "POSIX"})


def _remove_documents(tree: Root, matches: Sequence[Match]) -> None:
    for match in matches:
        if not match.is_directory and not is_kept_documentation(match.path):
            if match.path.startswith("/usr/share/doc/") and tree.is_file(f"{match.path}/copyright"):
                continue  # a link to another package's directory is how this one states its copyright
            tree.remove(match.path)
    for match in reversed(matches):
        if match.is_directory and not is_kept_documentation(match.path) and not tree.listdir(match.path):
            tree.remove(match.path)


def _write_settings(tree: Root, path: str, lines: list[str]) -> None:
    tree.mkdir("/etc/dpkg/dpkg.cfg.d", parents=True)
    tree.write(path, "\n".join(["# Written by goldsmith from the recipe.", *lines, ""]).encode())
