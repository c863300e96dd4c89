"""The recipe's ``remove``."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from goldsmith.builder import remove as removal
from goldsmith.builder.remove import kept_translations, needed_by, purge, remove, remove_paths
from goldsmith.effects.process import Finished, run
from goldsmith.effects.root import Root
from goldsmith.errors import InputError, Place, StepFailed
from goldsmith.model.recipe import Remove

PLACE = Place("web.yaml", 30, 3)
Installer = Callable[..., None]


@dataclass
class HostDpkg:
    """Runs the host's dpkg on the tree from outside."""

    root: Path

    def __call__(self, command: Sequence[str], /) -> Finished:
        return run([command[0], f"--root={self.root}", "--force-not-root", *command[1:]])


def plant(tree: Root, *paths: str) -> None:
    for path in paths:
        tree.mkdir(path.rsplit("/", 1)[0] or "/", parents=True)
        tree.write(path, b"x")


def test_paths(tree: Root) -> None:
    plant(tree, "/opt/a/one.log", "/opt/a/two.log", "/opt/a/b/three.log", "/opt/a/four.txt", "/opt/gone/x/y")
    asked = Remove(paths=("/opt/a/*.log", "/opt/gone", "/opt/**/three.*", "/opt/none/*"))
    warnings = remove(tree, asked, languages=(), run=HostDpkg(tree.directory))
    assert warnings == ("remove.paths: nothing in the image matches '/opt/none/*'",)
    assert [path for path, _ in tree.walk("/opt")] == ["/opt/a", "/opt/a/b", "/opt/a/four.txt"]


REFUSED = {
    "the root": ("/", "remove.paths: '/' would remove '/', without which there is no system"),
    "a system directory": ("/usr", "remove.paths: '/usr' would remove '/usr', without which there is no system"),
    "a system directory with a slash": ("/etc/", "remove.paths: '/etc/' would remove '/etc', without which there is no system"),
    "a pattern that matches one": ("/*", "remove.paths: '/*' would remove '/bin', without which there is no system"),
    "a question mark": ("/et?", "remove.paths: '/et?' would remove '/etc', without which there is no system"),
    "across everything": ("/**", "remove.paths: '/**' would remove '/bin', without which there is no system"),
    "dpkg's records": ("/var/lib/dpkg/*", "remove.paths: '/var/lib/dpkg/*' would remove '/var/lib/dpkg/status', without which there is no system"),
    "two dots": ("/opt/../etc", "the path '/opt/../etc' under remove contains '..'"),
}  # fmt: skip


@pytest.mark.parametrize(("pattern", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(tree: Root, pattern: str, message: str) -> None:
    before = [path for path, _ in tree.walk()]
    with pytest.raises(InputError) as caught:
        remove_paths(tree, pattern, where=PLACE)
    assert (caught.value.message, caught.value.where) == (message, PLACE)
    assert [path for path, _ in tree.walk()] == before


def test_a_link_is_removed_and_what_it_leads_to_stays(tree: Root) -> None:
    plant(tree, "/opt/real/file")
    tree.symlink("/srv/link", "/opt/real")
    assert remove_paths(tree, "/srv/*") == 1
    assert tree.exists("/opt/real/file")
    assert not tree.lexists("/srv/link")


def test_documentation_goes_but_copyright_stays(tree: Root) -> None:
    plant(
        tree,
        "/usr/share/doc/one/copyright",
        "/usr/share/doc/one/changelog.gz",
        "/usr/share/doc/two/README",
        "/usr/share/man/man1/one.1.gz",
        "/usr/share/man/de/man1/one.1.gz",
        "/usr/share/info/one.info.gz",
        "/usr/share/lintian/overrides/one",
    )
    tree.symlink("/usr/share/doc/linked", "one")
    tree.symlink("/usr/share/doc/dangling", "two")
    remove(tree, Remove(docs=True), languages=(), run=HostDpkg(tree.directory))
    assert [path for path, _ in tree.walk("/usr/share")] == [
        "/usr/share/doc",
        "/usr/share/doc/linked",
        "/usr/share/doc/one",
        "/usr/share/doc/one/copyright",
        "/usr/share/info",
        "/usr/share/lintian",
        "/usr/share/man",
        "/usr/share/man/man1",
    ]


def test_translations_go_but_those_of_the_recipe_stay(tree: Root) -> None:
    plant(
        tree,
        *(
            f"/usr/share/locale/{name}/LC_MESSAGES/x.mo"
            for name in ("de", "de_DE", "de_AT", "fr", "en", "en_GB")
        ),
        "/usr/share/locale/locale.alias",
        *(f"/usr/share/man/{name}/x.1.gz" for name in ("de/man1", "fr/man1", "man1", "man3perl")),
    )
    remove(tree, Remove(locales=True), languages=("de_DE.UTF-8",), run=HostDpkg(tree.directory))
    assert tree.listdir("/usr/share/locale") == ["de", "de_DE", "en", "locale.alias"]
    assert tree.listdir("/usr/share/man") == ["de", "man1", "man3perl"]


@pytest.mark.parametrize(
    ("languages", "names"),
    [
        pytest.param((), {"en"}, id="none"),
        pytest.param(("C.UTF-8",), {"en"}, id="the built-in one"),
        pytest.param(("de_DE.UTF-8",), {"en", "de", "de_DE"}, id="a country"),
        pytest.param(("sr_RS@latin",), {"en", "sr", "sr_RS", "sr@latin", "sr_RS@latin"}, id="a variant"),
    ],
)
def test_kept_translations(languages: tuple[str, ...], names: set[str]) -> None:
    assert kept_translations(languages) == names


def build(directory: Path, name: str, depends: str, paths: Sequence[str]) -> Path:
    """A small .deb."""
    top = directory / name
    (top / "DEBIAN").mkdir(parents=True)
    control = (
        f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: a <a@example.invalid>\nDescription: x\n"
    )
    (top / "DEBIAN/control").write_text(control + (f"Depends: {depends}\n" if depends else ""))
    for path in paths:
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        (top / path).write_text("x\n")
    run(["dpkg-deb", "--root-owner-group", "-Zgzip", "-b", str(top), str(directory / f"{name}.deb")])
    return directory / f"{name}.deb"


@pytest.fixture
def dpkg(tree: Root, tmp_path: Path) -> HostDpkg:
    if shutil.which("dpkg-deb") is None:
        pytest.skip("this host has no dpkg: install dpkg")
    for name in ("info", "updates", "triggers"):
        tree.mkdir(f"/var/lib/dpkg/{name}")
    dpkg = HostDpkg(tree.directory)
    debs = tmp_path / "debs"
    one = build(debs, "one", "", ["usr/share/one"])
    two = build(debs, "two", "one (>= 1)", ["usr/share/two"])
    dpkg(["dpkg", "-i", str(one), str(two)])
    return dpkg


def test_packages_are_purged_together(tree: Root, dpkg: HostDpkg) -> None:
    purge(tree, ("one", "two"), run=dpkg, where=PLACE)
    assert not tree.exists("/usr/share/one")
    assert tree.read_text("/var/lib/dpkg/status").strip() == ""


def test_a_package_that_another_needs(tree: Root, dpkg: HostDpkg) -> None:
    with pytest.raises(InputError) as caught:
        purge(tree, ("one",), run=dpkg, where=PLACE)
    assert caught.value.message == "packages under remove are needed by others: two depends on one"
    assert (caught.value.hint, caught.value.where) == ("remove those too, or keep what they need", PLACE)
    assert tree.exists("/usr/share/one")


def test_a_package_that_is_not_there(tree: Root, dpkg: HostDpkg) -> None:
    with pytest.raises(InputError) as caught:
        purge(tree, ("onee",), run=dpkg, where=PLACE)
    assert caught.value.message == "the package 'onee' under remove is not installed in the image"
    assert caught.value.hint == "did you mean 'one'?"


def test_packages_installed_later_stay_lean(tree: Root, dpkg: HostDpkg, tmp_path: Path) -> None:
    tree.mkdir("/etc/dpkg/dpkg.cfg.d", parents=True)
    remove(tree, Remove(docs=True, locales=True), languages=("de_DE.UTF-8",), run=dpkg)
    options = [
        f"--{line}"
        for path in (removal.DPKG_DOCS, removal.DPKG_LOCALES)
        for line in tree.read_text(path).splitlines()
        if not line.startswith("#")
    ]
    paths = [
        "usr/share/doc/three/copyright", "usr/share/doc/three/README", "usr/share/man/man1/three.1",
        "usr/share/man/de/man1/three.1", "usr/share/locale/de/x.mo", "usr/share/locale/fr/x.mo", "usr/bin/three",
    ]  # fmt: skip
    three = build(tmp_path / "later", "three", "", paths)
    run(["dpkg", f"--root={tree.directory}", *options, "-i", str(three)])
    assert [path for path in paths if tree.exists(f"/{path}")] == [
        "usr/share/doc/three/copyright", "usr/share/locale/de/x.mo", "usr/bin/three",
    ]  # fmt: skip


def test_other_failures_stay_what_they_are(tree: Root, install: Installer) -> None:
    install("one")

    def broken(command: Sequence[str], /) -> Finished:
        raise StepFailed(
            f"{command[0]} failed with exit code 2", hint="look", tail="dpkg: error: disk on fire"
        )

    with pytest.raises(StepFailed, match="dpkg failed with exit code 2"):
        purge(tree, ("one",), run=broken, where=PLACE)


ESSENTIAL = "dpkg: error processing package dpkg (--purge):\n this is an essential package; it should not be removed\n"


@pytest.mark.parametrize(
    ("output", "reasons"),
    [
        pytest.param(" a depends on b.\n a depends on b.\n", ("a depends on b",), id="said twice"),
        pytest.param(" a pre-depends on b (= 1:2).\n", ("a pre-depends on b",), id="with a version"),
        pytest.param(ESSENTIAL, ("dpkg is essential",), id="essential"),
        pytest.param("dpkg: error: x\n", (), id="something else"),
    ],
)
def test_reasons(output: str, reasons: tuple[str, ...]) -> None:
    assert needed_by(output) == reasons
