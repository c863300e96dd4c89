"""The image that a build stands on: what of it is taken, what is refused, and the steps of such a build."""

from dataclasses import replace
from pathlib import Path

import pytest

from goldsmith.builder.base import automatic_in, held_by, kept, lost
from goldsmith.builder.layers import Layer
from goldsmith.builder.plan import Contents, plan_build
from goldsmith.errors import InputError
from goldsmith.model.lock import Lock, LockedPackage
from goldsmith.model.plan import keys
from goldsmith.model.recipe import Recipe
from goldsmith.model.tree import Changes, TreeEntry
from goldsmith.recipe.read import read_recipe


def entry(path: str, kind: str = "file", **more: object) -> TreeEntry:
    """An entry of a tree."""
    return replace(TreeEntry(path, kind, 0o644, 0, 0, 0), **more)  # type: ignore[arg-type] # as the test says


def tree(*entries: TreeEntry) -> dict[str, TreeEntry]:
    """A tree by path."""
    return {item.path: item for item in entries}


HOSTILE = {
    "below a link": tree(
        entry("/etc", "dir"), entry("/etc/out", "symlink", target="/"), entry("/etc/out/passwd")
    ),
    "below nothing": tree(entry("/etc/passwd")),
    "below a file": tree(entry("/etc"), entry("/etc/passwd")),
    "up": tree(entry("/etc", "dir"), entry("/etc/..", "dir")),
    "up and away": tree(entry("/..", "dir"), entry("/../etc", "dir")),
    "no name": tree(entry("/etc", "dir"), entry("/etc/")),
    "not absolute": tree(entry("etc")),
    "a zero byte": tree(entry("/e\0tc")),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_tree_that_leads_out_of_itself_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="lies in no directory"):
        kept(HOSTILE[name])


def test_what_could_be_a_mark_of_the_overlay_is_left_out() -> None:
    found = kept(
        tree(
            entry("/", "dir"),
            entry("/dev", "dir"),
            entry("/dev/null", "char", target="1:3"),
            entry("/hidden", "char", target="0:0"),
            entry("/run", "dir"),
            entry("/run/socket", "socket"),
            entry(
                "/x",
                xattrs=(("security.capability", "00"), ("trusted.overlay.opaque", "79"), ("user.a", "61")),
            ),
        )
    )
    assert [item.path for item in found] == ["/dev", "/run", "/x"]
    assert found[2].xattrs == (("security.capability", "00"), ("user.a", "61"))


def test_device_nodes_outside_dev_are_told() -> None:
    assert lost(tree(entry("/dev/null", "char"))) == []
    assert "/srv/null" in lost(tree(entry("/srv/null", "char"), entry("/dev/null", "char")))[0]


def test_what_the_image_has_is_known_to_later_steps() -> None:
    base = Layer("k", Path(), Changes((), (entry("/usr", "dir"), entry("/usr/x"))), {"base": ["a", "b"]})
    assert held_by([base]) == ({"usr": "dir", "usr/x": "file"}, frozenset({"a", "b"}))
    assert held_by([replace(base, notes={})]) == ({}, frozenset())
    assert held_by([]) == ({}, frozenset())


def test_packages_that_came_as_dependencies_stay_so() -> None:
    text = "Package: a\nArchitecture: amd64\nAuto-Installed: 1\n\nPackage: b\nArchitecture: amd64\nAuto-Installed: 1\n"
    assert automatic_in(text, ["b amd64"]) == "Package: a\nArchitecture: amd64\nAuto-Installed: 1\n\n"
    assert automatic_in(text, []).count("Package:") == 2
    assert automatic_in("", []) == ""


def recipe(room: Path, more: str = "") -> Recipe:
    """A recipe that stands on an image, which was found."""
    (room / "recipe.yaml").write_text(f"name: web\nversion: 1.0.0\nfrom: base:1.0.0\n{more}")
    found = read_recipe(room / "recipe.yaml")
    return replace(
        found,
        base=replace(found.base, distribution="debian", suite="trixie", tree="sha256:t", digest="sha256:d"),
    )


PACKAGE = LockedPackage("nginx", "1", "amd64", "base", "pool/nginx.deb", 1, "0" * 64)
LOCK = Lock(
    "sha256:i", "debian", "trixie", "amd64", 1, "sha256:t", (), (PACKAGE,), base="base:1.0.0-b1 sha256:d"
)
NOTHING = Contents(files={}, tools="sha256:t", sources={})


def test_the_image_is_the_lowest_layer(tmp_path: Path) -> None:
    plan = plan_build(recipe(tmp_path), LOCK, NOTHING)
    assert [step.name for step in plan.steps][:3] == ["base", "place 1", "configure 1"]
    assert plan.tree[0] == "base"
    assert plan.step("place 1").below == ("base",)
    assert "initramfs" not in plan.tree
    bare = plan_build(recipe(tmp_path), replace(LOCK, packages=()), NOTHING)
    assert bare.tree[:2] == ("base", "accounts")


def test_a_read_only_root_gets_an_initramfs_of_its_own(tmp_path: Path) -> None:
    plan = plan_build(recipe(tmp_path, "disk: {root: erofs}\n"), LOCK, NOTHING)
    assert plan.tree[:4] == ("base", "place 1", "configure 1", "initramfs")


def test_the_tree_of_the_image_decides_and_not_its_name(tmp_path: Path) -> None:
    one = recipe(tmp_path)
    renamed = replace(one, base=replace(one.base, reference="other:2.0.0-b1", digest="sha256:other"))
    another = replace(one, base=replace(one.base, tree="sha256:another"))
    before = keys(plan_build(one, LOCK, NOTHING).steps)
    assert keys(plan_build(renamed, LOCK, NOTHING).steps) == before
    assert not set(keys(plan_build(another, LOCK, NOTHING).steps).values()) & set(before.values())
