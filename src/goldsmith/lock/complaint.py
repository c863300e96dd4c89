"""What apt complains of, as errors that say what to do. Pure."""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from goldsmith.effects.access import shown
from goldsmith.errors import (
    GoldsmithError,
    InputError,
    IntegrityError,
    NetworkError,
    NoSpace,
    Place,
    StepFailed,
    TrustError,
    UsageError,
)
from goldsmith.lock.source import Source

NEAREST = 3
UNMET_LINES = 12


def complaints(printed: str) -> tuple[str, ...]:
    """Apt's errors and warnings, each one line, without the mark in front and without repetition."""
    lines: list[str] = []
    for line in printed.splitlines():
        if re.match(r"[EW]: ", line):
            lines.append(line[3:].strip())
        elif line.startswith("   ") and lines:
            lines[-1] += f" {line.strip()}"
    return tuple(dict.fromkeys(lines))


@dataclass(frozen=True, slots=True)
class Kind:
    """One way in which reading an index fails."""

    pattern: str
    """What apt's line has in it, a regular expression."""
    error: Callable[..., GoldsmithError]
    """The class of the error."""
    words: str
    """What is wrong."""
    hint: str
    """What to do."""


KINDS = (
    Kind(
        r"NO_PUBKEY|Missing key|no public key|public key is not available",
        TrustError,
        "its index is signed with a key that is not in the keyring {keyring}",
        "check that the address is right and the keyring is current; nothing of it was used",
    ),
    Kind(
        r"BADSIG|EXPKEYSIG|REVKEYSIG|EXPSIG|invalid signature|signatures were invalid|Clearsigned file isn't valid"
        r"|signature verification failed|Sub-process \S+ (?:returned|reports)",
        TrustError,
        "the signature of its index is not valid (keyring {keyring})",
        "the mirror or somebody on the way changed the index; use another mirror. Nothing of it was used",
    ),
    Kind(
        r"\b40[13]\b",
        NetworkError,
        "the server refuses access",
        "check the repository's `credentials`",
    ),
    Kind(
        r"is not signed|no longer signed",
        TrustError,
        "it has no signed index (keyring {keyring})",
        "check address and suite; an archive without a signature is not used",
    ),
    Kind(
        r"does not have a Release file",
        NetworkError,
        "the server has no index there",
        "check address and suite",
    ),
    Kind(
        r"is expired|expired \(invalid since",
        TrustError,
        "its index has expired",
        'the mirror is stale: use another one, or set Acquire::Check-Valid-Until "false"; in this host\'s '
        "/etc/apt/apt.conf.d if it is old on purpose",
    ),
    Kind(
        r"is not valid yet",
        TrustError,
        "its index is dated in the future",
        "correct this host's clock",
    ),
    Kind(
        r"Hash Sum mismatch|unexpected size|Writing more data than expected|No Hash entry|Insufficient information",
        IntegrityError,
        "its index is not what the signature says",
        "the mirror is being changed or is broken: try again later, or use another one",
    ),
    Kind(
        r"No space left",
        NoSpace,
        "no space is left for its index",
        "free some space under GOLDSMITH_HOME, or set it to a directory on a larger disk",
    ),
    Kind(
        r"\b404\b|File not found",
        NetworkError,
        "the server does not have it",
        "check address, suite and components",
    ),
    Kind(
        r"[Cc]ertificate",
        NetworkError,
        "the server's certificate is not trusted",
        "name the authority in the repository's `ca`, or install it on this host",
    ),
    Kind(
        r"",
        NetworkError,
        "it cannot be read",
        "check the network and proxy settings, or use another mirror",
    ),
)
"""Ways of failing, the gravest first; the last one fits always."""

DETAIL = (
    r"(Could not connect[^,]*|Unable to connect to \S+(?=:)|Could not resolve '[^']*'|Connection (?:failed|timed out|refused)[^,]*"
    r"|Connection closed prematurely|connection timed out|\b[45]\d\d\b  [\w -]+|Undetermined Error)"
)


def update_error(printed: str, sources: Sequence[Source]) -> GoldsmithError:
    """The error for an ``apt-get update`` that failed; it names the archive that is worst off."""
    lines = complaints(printed) or (printed.strip()[-300:],)
    for kind in KINDS:
        for line in lines:
            if re.search(kind.pattern, line):
                source = _source_of(line, sources) or _source_of(printed, sources) or sources[0]
                name = f"the repository {source.id!r} ({shown(source.uri)} {source.suite})"
                words = kind.words.format(keyring=repr(str(source.keyring)))
                detail = re.search(DETAIL, line) or re.search(DETAIL, "\n".join(lines))
                because = f": {detail[1].strip()}" if detail and kind.error is NetworkError else ""
                return kind.error(f"{name} cannot be used: {words}{because}", hint=kind.hint)
    raise AssertionError("the last kind fits always")


def may_pass(error: GoldsmithError) -> bool:
    """Whether it is worth asking again: a mirror that is being changed is whole again a moment later."""
    return isinstance(error, IntegrityError)


def _source_of(line: str, sources: Iterable[Source]) -> Source | None:
    fits = [
        source
        for source in sources
        if f"{source.uri.replace('file:///', 'file:/')}/" in line.replace("file:///", "file:/")
        and re.search(rf"[ /]{re.escape(source.suite.strip('./') or '.')}[ /]", line)
    ]
    near = [source for source in sources if source.uri in line]
    return fits[0] if fits else near[0] if near else None


def solve_error(
    printed: str, names: Iterable[str], places: Mapping[str, Place], where: Place | None = None
) -> GoldsmithError:
    """The error for an ``apt-get install`` that found no solution.

    Args:
        printed: what apt printed.
        names: the names of all packages in the lists.
        places: where packages are asked for, by name.
        where: the recipe.
    """
    for pattern, message, hint in NOT_FOUND:
        if found := re.search(pattern, printed, re.MULTILINE):
            named = found.groupdict()
            return _failed(message.format(**named), hint, places.get(named["name"], where))
    if found := re.search(r"^E: Unable to locate package (\S+)", printed, re.MULTILINE):
        return _unknown(found[1], names, places.get(found[1], where))
    if found := re.search(r"^E: Package '(.+)' has no installation candidate", printed, re.MULTILINE):
        return _no_candidate(found[1], printed, places.get(found[1], where))
    unmet = re.search(r"have unmet dependencies:\n(.*?)(?=^E: |\Z)", printed, re.MULTILINE | re.DOTALL)
    if unmet:
        lines = [" ".join(line.split()) for line in unmet[1].splitlines() if line.startswith(" ")]
        more = f"; and {len(lines) - UNMET_LINES} more" if len(lines) > UNMET_LINES else ""
        return _failed(
            f"the packages do not fit together: {'; '.join(lines[:UNMET_LINES])}{more}",
            "remove one of them from the recipe, or choose other versions",
            where,
        )
    reasons = complaints(printed)
    return StepFailed(
        f"apt found no solution: {'; '.join(reasons) or 'it gives no reason'}",
        hint="look at the recipe's packages and repositories",
        tail="" if reasons else printed[-2000:],
    )


NOT_FOUND = (
    (
        r"^E: Version '(?P<version>.+)' for '(?P<name>.+)' was not found",
        "the package {name!r} has no version {version!r}",
        "name a version that the mirror has, or leave it out",
    ),
    (
        r"^E: Release '(?P<suite>.+)' for '(?P<name>.+)' was not found",
        "the package {name!r} is not in suite {suite!r}, or the recipe has no such suite",
        "name one of the recipe's suites, or add it to `repositories`",
    ),
)
"""What apt says of a choice that is not there, and how goldsmith says it."""


def _failed(message: str, hint: str, where: Place | None) -> GoldsmithError:
    return InputError(message, hint=hint, where=where) if where else UsageError(message, hint=hint)


def _unknown(name: str, names: Iterable[str], where: Place | None) -> GoldsmithError:
    near = nearest(name, names)
    hint = (
        f"did you mean {', '.join(near)}?"
        if near
        else "check the name, and whether its repository is in the recipe"
    )
    return _failed(f"there is no package {name!r}", hint, where)


def _no_candidate(name: str, printed: str, where: Place | None) -> GoldsmithError:
    provided = re.search(r"is a virtual package provided by:\n((?:  .*\n)+)", printed)
    if provided:
        providers = sorted({line.split()[0] for line in provided[1].splitlines() if line.strip()})
        return _failed(
            f"{name!r} is a virtual package",
            f"name one that provides it: {', '.join(providers[:8])}",
            where,
        )
    return _failed(
        f"the package {name!r} cannot be installed: no version of it may be used",
        "it is forbidden (-name), or other packages only mention it",
        where,
    )


def nearest(name: str, names: Iterable[str]) -> tuple[str, ...]:
    """The names that look most like ``name``.

    difflib alone needs seconds for a whole archive; names of another length or beginning are left out first.
    """
    spread = 3
    plausible = {
        other
        for other in names
        if abs(len(other) - len(name)) <= spread and (other[:1] == name[:1] or other[-4:] == name[-4:])
    }
    return tuple(difflib.get_close_matches(name, sorted(plausible), n=NEAREST, cutoff=0.6))
