"""What a recipe may one day say, and what other tools' recipes say: refused by name."""

from collections.abc import Iterator
from dataclasses import dataclass

from goldsmith.errors import InputError
from goldsmith.model.format import OUTPUTS
from goldsmith.recipe.document import Node
from goldsmith.recipe.nodes import ITEM, find_all


@dataclass(frozen=True, slots=True)
class Refusal:
    """A key, or some values of a key, that a recipe cannot have."""

    path: tuple[str, ...]
    """Keys and ``ITEM`` from the top of the recipe."""
    hint: str
    """What to do instead."""
    values: tuple[str, ...] = ()
    """The refused values; empty if the key itself is refused."""
    verdict: str = "is not supported yet"
    """Why."""


YET = "leave it out for now"
ELSEWHERE = "is not a key of goldsmith"
RED_HAT = "is for Red Hat's systems"
DISK = "the disk has one root; set its size by 'disk.size' and its file system by 'disk.root'"
FORMATS = ("ova", "iso", "ami", "oci", "squashfs", "pxe")

REFUSALS = (
    Refusal(("policy",), YET),
    Refusal(("publish",), "build the image, and copy its artifacts from --output"),
    Refusal(("pipeline",), YET),
    Refusal(("schedule",), YET),
    Refusal(("disk", "partitions"), DISK),
    Refusal(("disk", "filesystem"), DISK),
    Refusal(("disk", "encryption"), YET),
    Refusal(("disk", "swap"), "make a swap file on first boot by a component"),
    Refusal(("disk", "root"), "write ext4, or erofs for a root that is never written", ("xfs", "btrfs")),
    Refusal(("outputs", ITEM), f"there are: {', '.join(OUTPUTS)}", FORMATS),
    Refusal(("outputs", ITEM), "write raw", ("img",), "is raw in goldsmith's words"),
    Refusal(("outputs", ITEM), "write vhd", ("vpc",), "is vhd in goldsmith's words"),
    Refusal(
        ("architecture",), "write amd64", ("arm64", "aarch64", "riscv64", "i386", "armhf", "ppc64el", "s390x")
    ),
    Refusal(("architecture",), "write amd64", ("x86_64", "x64"), "is amd64 in Debian's words"),
    Refusal(("customizations", "fips"), YET),
    Refusal(("customizations", "openscap"), "harden with a component for now"),
    Refusal(("customizations", "ignition"), "cloud-init sets up machines on first boot"),
    Refusal(("customizations", "firstboot"), "enable a unit of your own: 'files' and 'services.enabled'"),
    Refusal(("customizations", "installer"), "goldsmith makes disks, not installers"),
    Refusal(("customizations", "iso"), "goldsmith makes disks, not installers"),
    Refusal(("customizations", "installation_device"), "goldsmith makes disks, not installers"),
    Refusal(("customizations", "fdo"), YET),
    Refusal(("customizations", "containers-storage"), YET),
    Refusal(("customizations", "filesystem"), DISK),
    Refusal(("customizations", "disk"), DISK),
    Refusal(("customizations", "partitioning_mode"), DISK),
    Refusal(
        ("customizations", "repositories"), "write 'repositories' at the top of the recipe", (), ELSEWHERE
    ),
    Refusal(("customizations", "rpm"), "leave it out", (), RED_HAT),
    Refusal(("customizations", "rhsm"), "leave it out", (), RED_HAT),
    Refusal(("customizations", "dnf"), "leave it out", (), RED_HAT),
    Refusal(("customizations", "kernel", "name"), "put the kernel's package into 'packages'", (), ELSEWHERE),
    Refusal(("customizations", "firewall", "zones"), "open ports by 'firewall.ports'"),
    Refusal(
        ("customizations", "files", ITEM, "uri"), "keep the file beside the recipe and name it in 'source'"
    ),
    Refusal(
        ("customizations", "files", ITEM, "data_encoding"), "keep the bytes beside the recipe, as 'source'"
    ),
    Refusal(("modules",), "write 'packages'", (), ELSEWHERE),
    Refusal(("enabled_modules",), "leave it out", (), RED_HAT),
    Refusal(("groups",), "write the packages; accounts' groups are in 'customizations.group'", (), ELSEWHERE),
    Refusal(("containers",), YET),
    Refusal(("distro",), "write 'from: debian:trixie'", (), ELSEWHERE),
)
"""Every refusal; the reader says these before it says 'unknown key'."""


def refused(root: Node) -> Iterator[InputError]:
    """A problem for each thing in the document that is refused by name."""
    for row in REFUSALS:
        name = ".".join(step for step in row.path if step != ITEM)
        if row.values:
            for node in find_all(root, row.path):
                if node.raw in row.values:
                    yield InputError(f"'{name}: {node.raw}' {row.verdict}", hint=row.hint, where=node.place)
            continue
        for owner in find_all(root, row.path[:-1]):
            for key, _ in owner.entries:
                if key.raw == row.path[-1]:
                    yield InputError(f"{name!r} {row.verdict}", hint=row.hint, where=key.place)
