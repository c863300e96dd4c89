"""The recipe: what a person writes, read and checked.

Field names are the YAML keys; where the two differ, ``Says(key=...)`` tells.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from goldsmith.errors import Place
from goldsmith.model.customizations import (
    ABSOLUTE,
    ABSOLUTE_WANTS,
    CaCerts,
    Customizations,
    Directory,
    File,
    Firewall,
    FirewallServices,
    Group,
    Kernel,
    Locale,
    Services,
    Sshd,
    SshKey,
    Timezone,
    User,
)
from goldsmith.model.expect import Expect
from goldsmith.model.format import OUTPUTS
from goldsmith.model.said import Says
from goldsmith.model.seal import Seal

__all__ = [
    "ABSOLUTE",
    "ABSOLUTE_WANTS",
    "NAME",
    "NAME_WANTS",
    "Base",
    "CaCerts",
    "ComponentUse",
    "CopyFrom",
    "Customizations",
    "Directory",
    "DiskSpec",
    "Expect",
    "File",
    "Firewall",
    "FirewallServices",
    "Group",
    "Kernel",
    "Locale",
    "PackageRequest",
    "Preamble",
    "Recipe",
    "Remove",
    "Repository",
    "Seal",
    "Secret",
    "Services",
    "SshKey",
    "Sshd",
    "Stage",
    "Timezone",
    "User",
]

NAME = r"[a-z0-9][a-z0-9._-]{0,62}"
NAME_WANTS = "lower-case letters, digits, '.', '_' and '-', starting with a letter or digit"


@dataclass(frozen=True, slots=True)
class Preamble:
    """Keys that are used up while a recipe is read: they say how its text comes together."""

    include: Annotated[
        tuple[str, ...],
        Says(
            "Recipe fragments, by paths from this file: lists are joined, maps merged, and this file wins.",
            example="[common/ssh.yaml]",
        ),
    ] = ()
    variables: Annotated[
        Mapping[str, str],
        Says(
            "Texts for `${name}` in any value, with their defaults; `--set name=value` overrides, `$${` is a plain `${`.",
            example="{port: 8080}",
        ),
    ] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Base:
    """Where an image starts: a distribution and its suite, as in ``debian:trixie``, or another image."""

    distribution: str
    """The distribution's name, a key of ``DISTRIBUTIONS``; of an image, empty until the image is found."""
    suite: str
    """The code name of its release."""
    image: str = ""
    """The image as the recipe names it: ``web:1.2.0``, ``./vendor.qcow2`` or ``oci:HOST/NAME:TAG``; else empty."""
    reference: str = ""
    """The image that was found, as ``NAME:VERSION-bN``."""
    digest: str = ""
    """Its identity."""
    tree: str = ""
    """The identity of its tree, which decides what is built on it."""
    epoch: int = 0
    """The time of its youngest file, in seconds since 1970."""

    def __str__(self) -> str:
        """As it is written in a recipe."""
        return self.image or f"{self.distribution}:{self.suite}"


@dataclass(frozen=True, slots=True)
class PackageRequest:
    """One line of ``packages``: ``name``, ``name=version``, ``name/suite`` or ``-name``."""

    name: str
    """The binary package."""
    version: str = ""
    """The only version that will do; empty for any."""
    suite: str = ""
    """The suite it must come from; empty for any."""
    forbidden: bool = False
    """Whether it must not be in the image."""
    where: Place | None = field(default=None, compare=False)

    def __str__(self) -> str:
        """As it is written in a recipe, and as apt understands it (but for a forbidden one)."""
        if self.forbidden:
            return f"-{self.name}"
        return self.name + (f"={self.version}" if self.version else f"/{self.suite}" if self.suite else "")


@dataclass(frozen=True, slots=True)
class Repository:
    """An extra apt source."""

    uri: Annotated[
        str,
        Says(
            "The archive's address, `http`, `https` or `file`.",
            pattern=r"(https?|file)://?.+",
            wants="an http, https or file address",
        ),
    ]
    key: Annotated[str, Says("Path of the OpenPGP key that signs the archive, beside the recipe.")]
    suite: Annotated[str, Says("The suite; a name that ends in `/` is a flat archive.")] = "./"
    components: Annotated[tuple[str, ...], Says("The archive's components; none for a flat archive.")] = ()
    id: Annotated[
        str,
        Says(
            "A short name for lock and messages; made from the address if left out.",
            pattern=NAME,
            wants=NAME_WANTS,
        ),
    ] = ""
    credentials: Annotated[
        str,
        Says(
            "`env:NAME` or `file:PATH`, holding `user:password`; it never reaches the image.",
            pattern=r"(env|file):.+",
            wants="env:NAME or file:PATH",
        ),
    ] = ""
    proxy: Annotated[str, Says("An HTTP proxy for this archive only.")] = ""
    ca: Annotated[str, Says("Path of a PEM file with the authority that signs the server's certificate.")] = (
        ""
    )
    keep: Annotated[bool, Says("Whether the image keeps this source in `/etc/apt/sources.list.d`.")] = True
    where: Place | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Secret:
    """A build secret: shown to the steps that name it, never kept."""

    name: Annotated[str, Says("The name that steps use.", pattern=NAME, wants=NAME_WANTS)]
    env: Annotated[str, Says("The environment variable that holds it.")] = ""
    file: Annotated[str, Says("The file that holds it.")] = ""
    where: Place | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class ComponentUse:
    """A component document and how the recipe uses it; a bare path is enough."""

    path: Annotated[str, Says("The document's path, beside the recipe.")]
    parameters: Annotated[Mapping[str, str], Says("Values for the document's parameters.")] = field(
        default_factory=dict
    )
    network: Annotated[
        bool, Says("Whether its steps may use the network; the image is then marked not reproducible.")
    ] = False
    secrets: Annotated[
        tuple[str, ...], Says("Names of secrets that its steps find as files in `/run/secrets`.")
    ] = ()
    where: Place | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Stage:
    """A build stage: packages and components that never ship; only what is copied out does."""

    name: Annotated[str, Says("The stage's name, for `copy_from`.", pattern=NAME, wants=NAME_WANTS)]
    packages: Annotated[
        tuple[PackageRequest, ...], Says("Packages of this stage only.", scalar="package")
    ] = ()
    components: Annotated[
        tuple[ComponentUse, ...], Says("Components that run in this stage.", scalar="component")
    ] = ()
    where: Place | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class CopyFrom:
    """Files copied out of a build stage."""

    stage: Annotated[str, Says("The stage's name.", pattern=NAME, wants=NAME_WANTS)]
    source: Annotated[
        str, Says("The file or directory in the stage.", pattern=ABSOLUTE, wants=ABSOLUTE_WANTS)
    ]
    destination: Annotated[
        str,
        Says(
            "Where it goes in the image; the same path if left out.", pattern=ABSOLUTE, wants=ABSOLUTE_WANTS
        ),
    ] = ""
    where: Place | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class DiskSpec:
    """The disk: its size, the root's file system, and how it boots."""

    size: Annotated[
        int | None,
        Says(
            "The size, as in `10 GiB` or in bytes; `minimal` is what the files need, plus the headroom.",
            scalar="size",
            minimum=64 * 1024 * 1024,
            maximum=64 * 1024**4,
            example="10 GiB",
        ),
    ] = None
    headroom: Annotated[
        int,
        Says(
            "Free space on a minimal disk.", scalar="size", minimum=0, maximum=64 * 1024**4, example="512 MiB"
        ),
    ] = 256 * 1024 * 1024
    root: Annotated[str, Says("The root's file system.", choices=("ext4", "erofs"))] = "ext4"
    boot: Annotated[str, Says("How it boots.", choices=("uefi", "bios", "both"))] = "both"
    where: Place | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Remove:
    """What is taken out of the image after all else."""

    packages: Annotated[tuple[str, ...], Says("Packages to purge once everything is set up.")] = ()
    paths: Annotated[
        tuple[str, ...], Says("Paths to delete; `*` and `?` match within a name, `**` across.")
    ] = ()
    docs: Annotated[bool, Says("Whether documentation is left out, but for copyright files.")] = False
    locales: Annotated[
        bool, Says("Whether translations are left out, but for those of the recipe's languages.")
    ] = False
    where: Place | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Recipe:
    """A golden image as code."""

    name: Annotated[str, Says("The image's name.", pattern=NAME, wants=NAME_WANTS, example="web")]
    version: Annotated[
        str,
        Says(
            "The image's version.",
            pattern=r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)",
            wants="three numbers, as in 1.2.0",
            example="1.0.0",
        ),
    ]
    base: Annotated[
        Base,
        Says(
            "The distribution and suite to start from; or an image: `web:1.2.0`, the path of a disk or an archive "
            "(`./vendor.qcow2`), or `oci:HOST/NAME:TAG`.",
            key="from",
            scalar="base",
            example="debian:trixie",
        ),
    ]
    description: Annotated[str, Says("One line about the image.")] = ""
    labels: Annotated[Mapping[str, str], Says("Free labels, kept with the image.")] = field(
        default_factory=dict
    )
    architecture: Annotated[str, Says("The machine's architecture.", choices=("amd64",))] = "amd64"
    mirror: Annotated[
        str,
        Says(
            "The package mirror; else `--mirror`, `GOLDSMITH_MIRROR`, or what the host's own apt uses.",
            pattern=r"(https?|file)://?.+",
            wants="an http, https or file address",
        ),
    ] = ""
    repositories: Annotated[tuple[Repository, ...], Says("Extra apt sources.")] = ()
    packages: Annotated[
        tuple[PackageRequest, ...],
        Says(
            "Packages: `name`, `name=version`, `name/suite`, or `-name` to forbid one.",
            scalar="package",
            example="[nginx, curl, -snapd]",
        ),
    ] = ()
    recommends: Annotated[bool, Says("Whether recommended packages are installed too.")] = False
    secrets: Annotated[tuple[Secret, ...], Says("Build secrets, from the environment or files.")] = ()
    components: Annotated[
        tuple[ComponentUse, ...],
        Says(
            "Component documents to run; a bare path is enough.",
            scalar="component",
            example="[components/agent.yml]",
        ),
    ] = ()
    stages: Annotated[tuple[Stage, ...], Says("Build stages, whose packages never ship.")] = ()
    copy_from: Annotated[tuple[CopyFrom, ...], Says("What is copied out of build stages.")] = ()
    customizations: Annotated[Customizations, Says("Users, files, services and settings.")] = field(
        default_factory=Customizations
    )
    disk: Annotated[DiskSpec, Says("Size, file system and boot.")] = field(default_factory=DiskSpec)
    remove: Annotated[Remove, Says("What is taken out at the end.")] = field(default_factory=Remove)
    seal: Annotated[Seal, Says("What sealing leaves in the image.")] = field(default_factory=Seal)
    outputs: Annotated[tuple[str, ...], Says("Formats that `build --output` writes.", choices=OUTPUTS)] = (
        "qcow2",
    )
    tests: Annotated[
        tuple[str, ...],
        Says(
            "Test files for the booted machine: `.py` for pytest-testinfra, `.sh` run inside; `*` and `?` match.",
            example="[tests/*.py]",
        ),
    ] = ()
    expect: Annotated[Expect, Says("What a booted machine may show and take.")] = field(
        default_factory=Expect
    )
    where: Place | None = field(default=None, compare=False)
    directory: str = field(default=".", compare=False)
    """The directory that relative paths start from (not a key of the file)."""
