"""Every customization, in the order they are applied; listings, tests and the build use this table."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from goldsmith.builder.customize import (
    cacerts,
    directories,
    expect,
    files,
    firewall,
    groups,
    hostname,
    keyboard,
    locale,
    services,
    sshd,
    sshkeys,
    sysctl,
    timezone,
    users,
)
from goldsmith.builder.customize.run_in_tree import RunInTree
from goldsmith.effects.root import Root
from goldsmith.model.proof import Expectation
from goldsmith.model.recipe import Customizations, Services


@dataclass(frozen=True, slots=True)
class Means:
    """What a row may take from to apply its customization; the function behind it is handed only what it uses."""

    tree: Root
    """The tree that is customized."""
    run: RunInTree
    """Runs a program of the tree."""
    directory: Path
    """Where the recipe's relative paths start."""
    seed: str
    """What salts are derived from."""
    epoch: int
    """The build's time, in seconds since 1970."""


@dataclass(frozen=True, slots=True)
class Customization:
    """A row of the table."""

    name: str
    """Its key under ``customizations`` (``keyboard`` is a part of ``locale``)."""
    summary: str
    """What it does, in one sentence."""
    applies: Callable[[Customizations], bool]
    """Whether a recipe asks for it."""
    apply: Callable[[Customizations, Means], None]
    """Does it; raises InputError where the recipe and the tree do not fit together."""
    expected: Callable[[Customizations, Path], Iterator[Expectation]]
    """What must be seen of it on a live machine; the path is where the recipe's relative paths start."""
    is_lengthy: bool = False
    """Whether it takes seconds; the builder gives such rows a step of their own, so that a file's change is quick."""


def _hostname(asked: Customizations, means: Means) -> None:
    hostname.apply(means.tree, asked.hostname)


def _timezone(asked: Customizations, means: Means) -> None:
    assert asked.timezone is not None
    timezone.apply(means.tree, asked.timezone)


def _locale(asked: Customizations, means: Means) -> None:
    assert asked.locale is not None
    locale.apply(means.tree, asked.locale.languages, run=means.run, where=asked.locale.where)


def _keyboard(asked: Customizations, means: Means) -> None:
    assert asked.locale is not None
    keyboard.apply(means.tree, asked.locale.keyboard, where=asked.locale.where)


def _cacerts(asked: Customizations, means: Means) -> None:
    assert asked.cacerts is not None
    cacerts.apply(means.tree, asked.cacerts, run=means.run)


def _group(asked: Customizations, means: Means) -> None:
    groups.apply(means.tree, asked.group)


def _user(asked: Customizations, means: Means) -> None:
    users.apply(means.tree, asked.user, seed=means.seed, epoch=means.epoch)


def _sshkey(asked: Customizations, means: Means) -> None:
    sshkeys.apply(means.tree, asked.sshkey)


def _directories(asked: Customizations, means: Means) -> None:
    directories.apply(means.tree, asked.directories)


def _files(asked: Customizations, means: Means) -> None:
    files.apply(means.tree, asked.files, means.directory)


def _sysctl(asked: Customizations, means: Means) -> None:
    sysctl.apply(means.tree, asked.sysctl)


def _sshd(asked: Customizations, means: Means) -> None:
    assert asked.sshd is not None
    sshd.apply(means.tree, asked.sshd)


def _firewall(asked: Customizations, means: Means) -> None:
    assert asked.firewall is not None
    firewall.apply(means.tree, asked.firewall)


def _services(asked: Customizations, means: Means) -> None:
    also = (firewall.UNIT,) if asked.firewall is not None else ()
    services.apply(means.tree, asked.services or Services(), run=means.run, also=also)


CUSTOMIZATIONS = (
    Customization(
        "locale",
        "Languages.",
        lambda asked: asked.locale is not None and bool(asked.locale.languages),
        _locale,
        expect.locale,
        is_lengthy=True,
    ),
    Customization(
        "cacerts",
        "Trusted authorities.",
        lambda asked: asked.cacerts is not None and bool(asked.cacerts.pem_certs),
        _cacerts,
        expect.cacerts,
        is_lengthy=True,
    ),
    Customization(
        "keyboard",
        "The console keyboard.",
        lambda asked: asked.locale is not None and bool(asked.locale.keyboard),
        _keyboard,
        expect.keyboard,
    ),
    Customization(
        "hostname", "The host name.", lambda asked: bool(asked.hostname), _hostname, expect.hostname
    ),
    Customization(
        "timezone",
        "The time zone and time servers.",
        lambda asked: asked.timezone is not None,
        _timezone,
        expect.timezone,
    ),
    Customization("group", "Groups.", lambda asked: bool(asked.group), _group, expect.group),
    Customization("user", "User accounts and homes.", lambda asked: bool(asked.user), _user, expect.user),
    Customization(
        "sshkey", "SSH keys for accounts.", lambda asked: bool(asked.sshkey), _sshkey, expect.sshkey
    ),
    Customization(
        "directories", "Directories.", lambda asked: bool(asked.directories), _directories, expect.directories
    ),
    Customization("files", "Files.", lambda asked: bool(asked.files), _files, expect.files),
    Customization("sysctl", "Kernel parameters.", lambda asked: bool(asked.sysctl), _sysctl, expect.sysctl),
    Customization(
        "sshd", "The SSH server's settings.", lambda asked: asked.sshd is not None, _sshd, expect.sshd
    ),
    Customization(
        "firewall", "Rules of nftables.", lambda asked: asked.firewall is not None, _firewall, expect.firewall
    ),
    Customization(
        "services",
        "Units enabled, disabled and masked.",
        lambda asked: asked.services is not None or asked.firewall is not None,
        _services,
        expect.services,
    ),
)
"""Groups come before users, users before files they own, and files before the units that are among them."""


def apply_all(
    customizations: Customizations,
    tree: Root,
    *,
    run: RunInTree,
    directory: Path,
    seed: str,
    epoch: int,
    rows: Sequence[Customization] = CUSTOMIZATIONS,
) -> None:
    """Set in the tree what the recipe's customizations ask for; the kernel's command line is the disk's matter.

    Args:
        customizations: what the recipe says.
        tree: packages are installed and configured in it.
        run: runs a program of the tree.
        directory: where the recipe's relative paths start.
        seed: what salts of passwords are derived from; equal plans give an equal seed.
        epoch: the build's time, in seconds since 1970.
        rows: those to apply, where a step applies some and another the rest.

    Raises:
        InputError: the recipe asks for what the tree does not have; ``where`` says at which place.
        StepFailed: a program of the tree failed.
    """
    means = Means(tree, run, directory, seed, epoch)
    for row in rows:
        if row.applies(customizations):
            row.apply(customizations, means)


def expectations(
    customizations: Customizations, directory: Path, rows: Sequence[Customization] = CUSTOMIZATIONS
) -> Iterator[Expectation]:
    """What must be seen of a recipe's customizations on a live machine, row by row; the kernel's command line last."""
    for row in rows:
        if row.applies(customizations):
            yield from row.expected(customizations, directory)
    yield from expect.kernel(customizations, directory)
