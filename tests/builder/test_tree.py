"""Trees as values: layers applied one on another, compared with a naive model; digests."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldsmith.model.tree import Changes, TreeEntry, apply, line, of_row, row_of, rows, tree_digest


def entry(path: str, kind: str = "file", **more: object) -> TreeEntry:
    return replace(TreeEntry(path, kind, 0o644, 0, 0, 1), **more)  # type: ignore[arg-type]


A, B = entry("/a", "dir"), entry("/a/b")


@pytest.mark.parametrize(
    ("tree", "removed", "added", "expected"),
    [
        pytest.param([A], [], [B], {"/a": "dir", "/a/b": "file"}, id="a new path comes in"),
        pytest.param([A, B], ["/a/b"], [], {"/a": "dir"}, id="a removed path goes"),
        pytest.param([A, B], ["/a"], [], {}, id="a removed directory goes with what is in it"),
        pytest.param([A, B, entry("/ab")], ["/a"], [], {"/ab": "file"}, id="a longer name stays"),
        pytest.param([A, B], ["/a"], [A], {"/a": "dir"}, id="an opaque directory hides what was in it"),
        pytest.param([A, B], [], [entry("/a")], {"/a": "file"}, id="a file in place of a directory"),
        pytest.param([A, B], [], [A], {"/a": "dir", "/a/b": "file"}, id="a directory that is told again"),
        pytest.param([entry("/a")], [], [A, B], {"/a": "dir", "/a/b": "file"}, id="a directory for a file"),
        pytest.param([A], ["/z"], [], {"/a": "dir"}, id="a removed path that was not there"),
    ],
)
def test_apply(
    tree: list[TreeEntry], removed: list[str], added: list[TreeEntry], expected: dict[str, str]
) -> None:
    before = {e.path: e for e in tree}
    after = apply(before, Changes(tuple(removed), tuple(added)))
    assert {path: e.kind for path, e in after.items()} == expected
    assert before == {e.path: e for e in tree}


Model = dict[str, "Model | int"]
names = st.sampled_from(["a", "b", "ab", "a.b"])
places = st.lists(names, min_size=1, max_size=3).map(tuple)


def naive_remove(model: Model, parts: tuple[str, ...]) -> None:
    for part in parts[:-1]:
        below = model.get(part)
        if not isinstance(below, dict):
            return
        model = below
    model.pop(parts[-1], None)


def naive_put(model: Model, parts: tuple[str, ...], *, number: int, is_dir: bool) -> None:
    for part in parts[:-1]:
        below = model.get(part)
        if not isinstance(below, dict):
            below = {}
            model[part] = below
        model = below
    if not is_dir:
        model[parts[-1]] = number
    elif not isinstance(model.get(parts[-1]), dict):
        model[parts[-1]] = {}


def flat(model: Model, top: str = "") -> dict[str, tuple[str, int]]:
    found: dict[str, tuple[str, int]] = {}
    for name, value in model.items():
        if isinstance(value, dict):
            found[f"{top}/{name}"] = ("dir", 0)
            found.update(flat(value, f"{top}/{name}"))
        else:
            found[f"{top}/{name}"] = ("file", value)
    return found


layers = st.tuples(
    st.lists(places, max_size=2), st.lists(st.tuples(places, st.integers(1, 9), st.booleans()), max_size=4)
)


@given(st.lists(layers, max_size=5))
def test_layers_give_what_a_naive_tree_gives(
    stack: list[tuple[list[tuple[str, ...]], list[tuple[tuple[str, ...], int, bool]]]],
) -> None:
    model: Model = {}
    tree: dict[str, TreeEntry] = {}
    for removed, put in stack:
        added: dict[tuple[str, ...], TreeEntry] = {}
        for parts, number, is_dir in sorted(put):
            parents = [parts[:n] for n in range(1, len(parts))]
            if any(added.get(p, A).kind != "dir" for p in parents) or (parts in added):
                continue  # one layer does not contradict itself
            added.update({p: entry("/" + "/".join(p), "dir") for p in parents})
            added[parts] = entry(
                "/" + "/".join(parts), "dir" if is_dir else "file", size=0 if is_dir else number
            )
        for parts in removed:
            naive_remove(model, parts)
        for parts, new in added.items():
            naive_put(model, parts, number=new.size, is_dir=new.kind == "dir")
        paths = tuple("/" + "/".join(parts) for parts in removed)
        tree = apply(tree, Changes(paths, tuple(sorted(added.values(), key=lambda e: e.path))))
    assert {path: (e.kind, e.size) for path, e in tree.items()} == flat(model)


def test_link_groups_are_named_by_their_first_path_and_groups_of_one_dissolve() -> None:
    tree = [entry("/c", link="8:5"), entry("/b", link="8:5"), entry("/d", link="8:6"), entry("/a")]
    assert [(row[0], row[-1]) for row in rows(tree)] == [("/a", ""), ("/b", "/b"), ("/c", "/b"), ("/d", "")]


def test_the_digest_depends_on_neither_order_nor_the_names_of_link_groups() -> None:
    one = [entry("/b", link="1:1"), entry("/c", link="1:1")]
    other = [entry("/c", link="x"), entry("/b", link="x")]
    assert tree_digest(one) == tree_digest(other)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"path": "/y"}, id="path"),
        pytest.param({"kind": "symlink"}, id="kind"),
        pytest.param({"mode": 0o600}, id="mode"),
        pytest.param({"uid": 1}, id="owner"),
        pytest.param({"gid": 1}, id="group"),
        pytest.param({"mtime": 2}, id="time"),
        pytest.param({"size": 1}, id="size"),
        pytest.param({"sha256": "ab"}, id="content"),
        pytest.param({"target": "z"}, id="where a link points"),
        pytest.param({"xattrs": (("user.a", "00"),)}, id="attributes"),
    ],
)
def test_every_fact_of_an_entry_is_in_the_digest(change: dict[str, object]) -> None:
    assert tree_digest([entry("/x")]) != tree_digest([replace(entry("/x"), **change)])  # type: ignore[arg-type]


def test_whether_files_are_linked_is_in_the_digest() -> None:
    apart, together = [entry("/x"), entry("/y")], [entry("/x", link="1"), entry("/y", link="1")]
    assert tree_digest(apart) != tree_digest(together)


texts = st.text(st.characters())
numbers = st.integers(-(2**70), 2**70)
entries = st.builds(
    TreeEntry,
    path=texts,
    kind=texts,
    mode=numbers,
    uid=numbers,
    gid=numbers,
    mtime=numbers,
    size=numbers,
    sha256=texts,
    target=texts,
    xattrs=st.lists(st.tuples(texts, texts)).map(tuple),
    link=texts,
)


@given(entries)
def test_a_row_is_read_back_as_it_was(one: TreeEntry) -> None:
    row = row_of(one, one.link)
    assert line(row) == json.dumps(row, separators=(",", ":"))
    assert of_row(json.loads(line(row))) == one


# A row whose mode is this text would have the line of a file with other facts, were it written as it is.
FORGED = '420,0,0,1,0,"","",[],""]\n["/etc/shadow","file",384'


@pytest.mark.parametrize(
    ("column", "value"),
    [
        pytest.param(0, 1, id="a number for a path"),
        pytest.param(1, None, id="nothing for a kind"),
        pytest.param(2, FORGED, id="a mode that goes on as another row"),
        pytest.param(2, True, id="a truth value for a mode"),
        pytest.param(2, 420.0, id="a fraction for a mode"),
        pytest.param(3, "0", id="a text for an owner"),
        pytest.param(4, [0], id="a list for a group"),
        pytest.param(5, None, id="no time"),
        pytest.param(6, "1", id="a text for a size"),
        pytest.param(7, 0, id="a number for a digest"),
        pytest.param(8, {}, id="a mapping for a target"),
        pytest.param(9, [["user.a"]], id="an attribute without a value"),
        pytest.param(9, [["user.a", 1]], id="an attribute that is a number"),
        pytest.param(9, 1, id="a number for attributes"),
        pytest.param(10, 0, id="a number for a link"),
    ],
)
def test_a_hostile_row_is_refused(column: int, value: object) -> None:
    row = row_of(entry("/x"), "")
    row[column] = value
    with pytest.raises((ValueError, TypeError)):
        of_row(row)


@pytest.mark.parametrize("row", [[], ["/x", "file"], row_of(entry("/x"), "")[:-1]], ids=len)
def test_a_short_row_is_refused(row: list[object]) -> None:
    with pytest.raises((ValueError, TypeError)):
        of_row(row)


@pytest.mark.parametrize("column", [0, 1, 2, 3, 4, 5, 6, 7, 8, 10])
def test_no_line_is_written_of_a_wrong_type(column: int) -> None:
    row = row_of(entry("/x"), "")
    row[column] = FORGED if isinstance(row[column], int) else 420
    with pytest.raises((ValueError, TypeError)):
        line(row)
