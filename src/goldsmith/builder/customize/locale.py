"""Languages: what is generated, and which is the default."""

import re
from collections.abc import Mapping, Sequence

from goldsmith.builder.customize.installed import installed_packages
from goldsmith.builder.customize.nearest import did_you_mean
from goldsmith.builder.customize.run_in_tree import RunInTree
from goldsmith.effects.root import Root
from goldsmith.errors import InputError, Place

SUPPORTED = "/usr/share/i18n/SUPPORTED"
TO_GENERATE = "/etc/locale.gen"
DEFAULT = "/etc/locale.conf"
OLD_DEFAULT = "/etc/default/locale"
BUILT_IN = frozenset({"C", "POSIX", "C.UTF-8", "C.utf8"})
"""What the C library has without generating anything."""


def apply(tree: Root, languages: Sequence[str], *, run: RunInTree, where: Place | None) -> None:
    """Generate the languages, and make the first the default.

    Raises:
        InputError: the package locales is missing, or a language is unknown to it.
    """
    wanted = [language for language in languages if language not in BUILT_IN]
    packages = installed_packages(tree)
    if wanted and "locales-all" not in packages:
        if "locales" not in packages:
            raise InputError(
                f"the language {wanted[0]!r} needs the package locales, which is not installed in the image",
                hint="add locales to packages",
                where=where,
            )
        supported = parse_supported(tree.read_text(SUPPORTED))
        charsets = {language: charset(language, supported, where=where) for language in wanted}
        old = tree.read_text(TO_GENERATE) if tree.is_file(TO_GENERATE) else ""
        tree.write(TO_GENERATE, with_languages(old, charsets).encode(errors="surrogateescape"))
        run(["locale-gen"])
    set_default(tree, languages[0])


def set_default(tree: Root, language: str) -> None:
    """Set ``LANG``; trixie has it in ``locale.conf``, to which the older name becomes a link."""
    tree.write(DEFAULT, f"LANG={language}\n".encode())
    tree.mkdir("/etc/default")
    tree.symlink(OLD_DEFAULT, "../locale.conf", force=True)


def parse_supported(text: str) -> dict[str, str]:
    """Locale names and their character sets, from glibc's list."""
    pairs = (line.partition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: charset.strip() for name, _, charset in pairs if charset}


def charset(language: str, supported: Mapping[str, str], *, where: Place | None = None) -> str:
    """The character set of a language.

    Raises:
        InputError: glibc does not know it; the hint has the nearest names.
    """
    if language in supported:
        return supported[language]
    spelled = re.sub(r"\.utf-?8\b", ".UTF-8", language, flags=re.IGNORECASE)
    candidates = [name for name in (spelled, f"{language}.UTF-8") if name in supported]
    raise InputError(
        f"the language {language!r} is unknown to the image's C library",
        hint=f"did you mean {candidates[0]!r}?"
        if candidates
        else did_you_mean(language, supported, "names are as in de_DE.UTF-8"),
        where=where,
    )


def with_languages(text: str, charsets: Mapping[str, str]) -> str:
    """A ``locale.gen`` text that has exactly these languages; comments stay.

    Args:
        text: the file before, in which all that is possible stands as comments.
        charsets: languages and their character sets.
    """
    wanted = {f"{language} {charset}" for language, charset in charsets.items()}
    lines = []
    for line in text.splitlines():
        entry = " ".join(line.lstrip("# ").split())
        if entry in wanted:
            wanted.remove(entry)
            lines.append(entry)
        elif line.strip() and not line.startswith("#"):
            lines.append(f"# {line}")
        else:
            lines.append(line)
    return "\n".join([*lines, *sorted(wanted)]) + "\n"
