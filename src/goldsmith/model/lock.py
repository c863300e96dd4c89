"""The lock: a recipe's inputs resolved to exact versions, sizes and digests. No host name is in it."""

from dataclasses import dataclass
from typing import Annotated

from goldsmith.model.said import Says

FORMAT = 1
DIGEST = r"sha256:[0-9a-f]{64}"
HEXADECIMAL = r"[0-9a-f]{64}"
HEXADECIMAL_WANTS = "64 hexadecimal digits"
PACKAGE = r"[a-z0-9][a-z0-9+.-]*"
PATH = r"(?!/)(?!(.*/)?\.\.(/|$))[^\0]+"


@dataclass(frozen=True, slots=True, order=True)
class LockedPackage:
    """One .deb."""

    name: Annotated[str, Says("The binary package's name.", pattern=PACKAGE, wants="the name of a package")]
    version: Annotated[str, Says("Its version.")]
    architecture: Annotated[str, Says("Its architecture, `all` among them.")]
    repository: Annotated[str, Says("The id of the repository it comes from.")]
    path: Annotated[
        str,
        Says(
            "Its path below the repository's address.",
            pattern=PATH,
            wants="a path below the repository's address",
        ),
    ]
    size: Annotated[int, Says("Its size in bytes.", minimum=0)]
    sha256: Annotated[
        str,
        Says(
            "The SHA-256 of its bytes, in hexadecimal.",
            pattern=HEXADECIMAL,
            wants=HEXADECIMAL_WANTS,
        ),
    ]
    group: Annotated[
        int,
        Says(
            "Packages are installed group by group: 1 boots, 2 is the rest, later ones were added later.",
            minimum=1,
        ),
    ] = 1
    reason: Annotated[
        str,
        Says(
            "Who wants it: `base` ones are on every system of the distribution.",
            choices=("recipe", "dependency", "goldsmith", "base"),
        ),
    ] = "dependency"


@dataclass(frozen=True, slots=True)
class LockedRepository:
    """What a signed index said when the lock was made."""

    id: Annotated[str, Says("A short name; `base` ones come from the distribution.")]
    suite: Annotated[str, Says("The suite.")]
    components: Annotated[tuple[str, ...], Says("Its components.")]
    date: Annotated[int, Says("The index's own date, in seconds since 1970.")]
    sha256: Annotated[str, Says("The SHA-256 of the signed index.")]
    uri: Annotated[
        str,
        Says(
            "The address of an extra repository; empty for the distribution's, whose mirror is configuration."
        ),
    ] = ""


@dataclass(frozen=True, slots=True, order=True)
class LockedDownload:
    """A file that a component's WebDownload names with its checksum."""

    url: Annotated[str, Says("Where it comes from.")]
    size: Annotated[int, Says("Its size in bytes.", minimum=0)]
    sha256: Annotated[
        str,
        Says("The SHA-256 of its bytes, in hexadecimal.", pattern=HEXADECIMAL, wants=HEXADECIMAL_WANTS),
    ]


@dataclass(frozen=True, slots=True)
class LockedStage:
    """The packages of one build stage."""

    name: Annotated[str, Says("The stage's name.")]
    packages: Annotated[tuple[LockedPackage, ...], Says("All its packages, sorted by name.")]


@dataclass(frozen=True, slots=True)
class Lock:
    """A recipe's inputs, resolved."""

    inputs: Annotated[
        str,
        Says(
            "Digest of what the recipe asks a lock to resolve; another one means the lock is stale.",
            pattern=DIGEST,
        ),
    ]
    distribution: Annotated[str, Says("The distribution's name.")]
    suite: Annotated[str, Says("Its suite.")]
    architecture: Annotated[str, Says("The architecture.")]
    epoch: Annotated[
        int,
        Says(
            "SOURCE_DATE_EPOCH of the build: the newest index's date when its first packages were chosen, "
            "in seconds since 1970."
        ),
    ]
    tools: Annotated[str, Says("Digest of the tools lock.", pattern=DIGEST)]
    repositories: Annotated[tuple[LockedRepository, ...], Says("The indices that were believed.")]
    packages: Annotated[
        tuple[LockedPackage, ...], Says("All packages of the image, sorted by group and name.")
    ]
    stages: Annotated[tuple[LockedStage, ...], Says("The packages of the build stages.")] = ()
    downloads: Annotated[tuple[LockedDownload, ...], Says("Files that components download.")] = ()
    base: Annotated[
        str, Says("The image that it stands on, as `NAME:VERSION-bN sha256:…`; empty for a distribution.")
    ] = ""
    format: Annotated[int, Says("The format's version.")] = FORMAT


@dataclass(frozen=True, slots=True)
class ToolsLock:
    """The programs that make disks, so that a disk does not depend on the host it was made on."""

    distribution: Annotated[str, Says("The distribution the tools come from.")]
    suite: Annotated[str, Says("Its suite.")]
    architecture: Annotated[str, Says("The architecture of the host that runs them.")]
    repositories: Annotated[tuple[LockedRepository, ...], Says("The indices that were believed.")]
    packages: Annotated[tuple[LockedPackage, ...], Says("All packages, sorted by name.")]
    format: Annotated[int, Says("The format's version.")] = FORMAT
