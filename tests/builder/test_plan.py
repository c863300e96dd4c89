"""Plans: every fact that matters is in a key, nothing else is, and what changed is said in words."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from goldsmith.builder.plan import Contents, automatic, groups, plan_build
from goldsmith.model.canonical import canonical, digest, plain
from goldsmith.model.lock import Lock, LockedPackage, LockedStage
from goldsmith.model.plan import Plan, Step, difference, keys
from goldsmith.model.recipe import Recipe
from goldsmith.recipe.read import read_recipe

RECIPE = """\
name: web
version: 1.0.0
from: debian:trixie
packages: [nginx]
components:
  - path: harden.yml
stages:
  - name: compile
    packages: [gcc]
    components: [make.yml]
copy_from:
  - stage: compile
    source: /usr/local/bin/tool
customizations:
  hostname: web
  user:
    - name: ops
  files:
    - path: /etc/motd
      source: motd
remove:
  docs: true
"""


def recipe(room: Path, old: str = "", new: str = "") -> Recipe:
    for name in ("harden.yml", "make.yml"):
        text = "schemaVersion: 1.0\nphases:\n  - name: build\n    steps: []\n"
        (room / name).write_text(text)
    (room / "motd").write_text("hello")
    assert old in RECIPE
    (room / "recipe.yaml").write_text(RECIPE.replace(old, new, 1) if old else RECIPE)
    return read_recipe(room / "recipe.yaml", {})


def locked(name: str, group: int = 1, **more: Any) -> LockedPackage:
    made = LockedPackage(name, "1.0", "amd64", "base", f"pool/{name}.deb", 1, f"{name:0<64}", group)
    return replace(made, **more)


PACKAGES = (locked("systemd"), locked("dpkg"), locked("nginx", 2, reason="recipe"))


def lock(**more: Any) -> Lock:
    made = Lock(
        format=1,
        inputs="sha256:" + "0" * 64,
        distribution="debian",
        suite="trixie",
        architecture="amd64",
        epoch=1_700_000_000,
        tools="sha256:" + "1" * 64,
        repositories=(),
        packages=PACKAGES,
        stages=(LockedStage("compile", (locked("gcc"),)),),
        downloads=(),
    )
    return replace(made, **more)


FILES = {"harden.yml": "h1", "make.yml": "m1", "motd": "t1"}


def contents(**more: Any) -> Contents:
    made = Contents(FILES, "sha256:tools", {"/etc/apt/sources.list.d/x": "s1"}, frozenset({"harden.yml"}))
    return replace(made, **more)


def names(plan: Plan) -> list[str]:
    return [step.name for step in plan.steps]


def test_the_order_of_steps(tmp_path: Path) -> None:
    plan = plan_build(recipe(tmp_path), lock(), contents())
    assert names(plan) == [
        "stage compile: place 1",
        "stage compile: configure 1",
        "stage compile: component 1 make.yml",
        "place 1",
        "configure 1",
        "initramfs",
        "place 2",
        "configure 2",
        "copy 1 from compile",
        "accounts",
        "component 1 harden.yml",
        "customize",
        "validate 1 harden.yml",
        "remove",
        "finish",
    ]
    assert plan.tree == (
        *("place 1", "configure 1", "place 2", "configure 2", "initramfs", "copy 1 from compile", "accounts"),
        *("component 1 harden.yml", "customize", "validate 1 harden.yml", "remove", "finish"),
    )


def test_every_step_stands_on_steps_before_it_and_files_stand_on_none(tmp_path: Path) -> None:
    plan = plan_build(recipe(tmp_path), lock(), contents())
    seen: set[str] = set()
    for step in plan.steps:
        assert set(step.below) <= seen
        seen.add(step.name)
        if step.kind == "place":
            assert step.below == ()
    assert plan.step("initramfs").below == ("place 1", "configure 1")
    assert "stage compile: configure 1" in plan.step("copy 1 from compile").below


def ran(before: Plan, after: Plan) -> list[str]:
    old = set(keys(before.steps).values())
    return [name for name, key in keys(after.steps).items() if key not in old]


def nginx(**more: Any) -> dict[str, Any]:
    return {"packages": (*PACKAGES[:2], replace(PACKAGES[2], **more))}


LATER = [
    "configure 2",
    "copy 1 from compile",
    "accounts",
    "component 1 harden.yml",
    "customize",
    "validate 1 harden.yml",
    "remove",
    "finish",
]
CHANGES: dict[str, tuple[tuple[str, str], dict[str, Any], dict[str, Any], list[str]]] = {
    "nothing": (("", ""), {}, {}, []),
    "a description": (("name: web", "name: web\ndescription: other"), {}, {}, []),
    "a label": (("name: web", "name: web\nlabels: {a: b}"), {}, {}, []),
    "the place of a line in the recipe": (("name: web", "# why\n\nname: web"), {}, {}, []),
    "the version": (("1.0.0", "1.0.1"), {}, {}, ["customize", *LATER[5:]]),
    "a host name": (("hostname: web", "hostname: wob"), {}, {}, LATER[4:]),
    "a user": (("name: ops", "name: root2"), {}, {}, LATER[2:]),
    "a file's content": (("", ""), {}, {"files": {**FILES, "motd": "t2"}}, LATER[4:]),
    "a component's content": (
        ("", ""),
        {},
        {"files": {**FILES, "harden.yml": "h2"}},
        LATER[3:],
    ),
    "a stage's component": (
        ("", ""),
        {},
        {"files": {**FILES, "make.yml": "m2"}},
        ["stage compile: component 1 make.yml", *LATER[1:]],
    ),
    "what is copied": (("bin/tool", "bin/fool"), {}, {}, LATER[1:]),
    "what is removed": (("docs: true", "locales: true"), {}, {}, LATER[6:]),
    "the disk's size": (("remove:", "disk: {size: 8 GiB}\nremove:"), {}, {}, []),
    "the room on the disk": (("remove:", "disk: {headroom: 1 GiB}\nremove:"), {}, {}, []),
    "how the disk boots": (("remove:", "disk: {boot: uefi}\nremove:"), {}, {}, LATER[7:]),
    "the disk": (("remove:", "disk: {root: erofs}\nremove:"), {}, {}, ["initramfs", *LATER[1:]]),
    "a late package's version": (("", ""), nginx(version="2"), {}, ["place 2", *LATER]),
    "a late package's content": (("", ""), nginx(sha256="f" * 64), {}, ["place 2", *LATER]),
    "who wants a package": (("", ""), nginx(reason="dependency"), {}, LATER[4:]),
    "where a package comes from": (("", ""), nginx(path="pool/other.deb", repository="mine"), {}, []),
    "an apt source that is kept": (("", ""), {}, {"sources": {}}, LATER[4:]),
    "no validate phase": (("", ""), {}, {"validating": frozenset()}, LATER[6:]),
}
"""What changes in recipe, lock and contents, and which steps run again for it."""


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_runs_what_depends_on_it_and_nothing_else(tmp_path: Path, change: str) -> None:
    (old, new), in_lock, in_contents, expected = CHANGES[change]
    before = plan_build(recipe(tmp_path), lock(), contents())
    after = plan_build(recipe(tmp_path, old, new), lock(**in_lock), contents(**in_contents))
    assert ran(before, after) == list(dict.fromkeys(expected))


def test_another_epoch_runs_everything(tmp_path: Path) -> None:
    before = plan_build(recipe(tmp_path), lock(), contents())
    after = plan_build(recipe(tmp_path), lock(epoch=1), contents())
    assert ran(before, after) == names(after)


def test_an_early_package_runs_everything_but_the_other_groups_files(tmp_path: Path) -> None:
    before = plan_build(recipe(tmp_path), lock(), contents())
    after = plan_build(
        recipe(tmp_path), lock(packages=(replace(PACKAGES[0], version="2"), *PACKAGES[1:])), contents()
    )
    # Which files of a later group are placed depends on who has them already.
    assert set(names(after)) - set(ran(before, after)) == {name for name in names(after) if "stage" in name}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"kind": "k2"}, id="kind"),
        pytest.param({"version": 2}, id="version of the code"),
        pytest.param({"facts": {"a": 2}}, id="facts"),
        pytest.param({"below": ()}, id="what it stands on"),
    ],
)
def test_what_a_key_is_made_of(change: dict[str, Any]) -> None:
    base = Step("base", "k", 1, {})
    top = Step("top", "k", 1, {"a": 1}, ("base",))
    assert keys([base, top])["top"] != keys([base, replace(top, **change)])["top"]


def test_a_name_is_not_part_of_a_key() -> None:
    assert keys([Step("one", "k", 1, {})])["one"] == keys([Step("two", "k", 1, {})])["two"]


def test_keys_go_up_through_steps() -> None:
    def top(fact: int) -> str:
        steps = [Step("a", "k", 1, {"x": fact}), Step("b", "k", 1, {}, ("a",)), Step("c", "k", 1, {}, ("b",))]
        return keys(steps)["c"]

    assert top(1) != top(2)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        pytest.param({"a": 1}, {"a": 1}, [], id="nothing"),
        pytest.param({"a": "x"}, {"a": "y"}, ["a: x is now y"], id="another value"),
        pytest.param({}, {"a": "y"}, ["a: y is new"], id="a new value"),
        pytest.param({"a": "x"}, {}, ["a: x is gone"], id="a value that is gone"),
        pytest.param({"a": {"b": {"c": 1}}}, {"a": {"b": {"c": 2}}}, ["a b c: 1 is now 2"], id="deep inside"),
        pytest.param({"a": ["x", "y"]}, {"a": ["y", "z"]}, ["a: x is gone", "a: z is new"], id="in a list"),
        pytest.param({"a": ["x", "y"]}, {"a": ["y", "x"]}, ["a: the order is another"], id="another order"),
        pytest.param(
            {"f": [{"path": "/m", "mode": "1"}]},
            {"f": [{"path": "/m", "mode": "2"}]},
            ["f /m mode: 1 is now 2"],
            id="in one object of a list, by its path",
        ),
        pytest.param({"a": "x" * 99}, {"a": "y"}, [f"a: {'x' * 60}… is now y"], id="long values are cut"),
        pytest.param({"a": "x\ny"}, {"a": "y"}, ["a: x\\ny is now y"], id="line breaks are shown"),
        pytest.param({"b": 1, "a": 1}, {"b": 2, "a": 2}, ["a: 1 is now 2", "b: 1 is now 2"], id="by name"),
        pytest.param({"a": True}, {"a": False}, ["a: True is now False"], id="a switch"),
    ],
)
def test_difference(old: dict[str, object], new: dict[str, object], said: list[str]) -> None:
    assert difference(old, new) == said


def test_groups_are_in_order_and_packages_by_name() -> None:
    grouped = groups([locked("b", 2), locked("z", 1), locked("a", 2), locked("x", 10)])
    assert [(n, [p.name for p in members]) for n, members in grouped] == [
        (1, ["z"]),
        (2, ["a", "b"]),
        (10, ["x"]),
    ]


def test_automatic_packages_are_those_nobody_asked_for() -> None:
    assert automatic(lock()) == ["dpkg amd64", "systemd amd64"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param({"b": 1, "a": [True, None]}, '{"a":[true,null],"b":1}', id="keys are sorted"),
        pytest.param({"ä": "ß"}, '{"ä":"ß"}', id="letters are UTF-8"),
        pytest.param((1, 2), "[1,2]", id="a tuple is a list"),
        pytest.param(frozenset("ba"), '["a","b"]', id="a set is sorted"),
    ],
)
def test_canonical(value: object, text: str) -> None:
    assert canonical(value).decode() == text


def test_what_has_no_canonical_form_is_refused() -> None:
    with pytest.raises(TypeError, match="no canonical form for PosixPath"):
        digest({"a": Path("/x")})


def test_places_do_not_count(tmp_path: Path) -> None:
    one, other = recipe(tmp_path), recipe(tmp_path, "name: web", "\n\nname: web")
    assert one.where != other.where or one.components[0].where != other.components[0].where
    assert plain(one) == plain(other)
