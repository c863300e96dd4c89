"""The verbs that look at images: their words, what they print where, their exit codes."""

import hashlib
import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from tests.store.ground import STATUS, first_tree, goldsmith, keep, lines, second_tree
from tests.store.trees import tree_of

from goldsmith.model import oci
from goldsmith.model.oci import Descriptor
from goldsmith.store import notes
from goldsmith.store.home import Home
from goldsmith.store.images import find, layout_of

MANY = 10_000


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """``web`` in two versions, the second in two builds; nothing changes it."""
    home = Home(tmp_path_factory.mktemp("home"))
    keep(home, first_tree())
    keep(home, first_tree(), version="1.1.0")
    keep(home, second_tree(), version="1.1.0")
    keep(home, first_tree(), name="api", version="0.1.0")
    return home


@pytest.fixture
def own(tmp_path: Path) -> Home:
    """A store to change."""
    home = Home(tmp_path / "home")
    keep(home, first_tree())
    keep(home, second_tree())
    return home


def test_list(home: Home) -> None:
    said = lines(goldsmith(home, "list").out)
    assert [line.split()[0] for line in said] == [
        "IMAGE",
        "api:0.1.0",
        "web:1.0.0",
        "web:1.1.0-b1",
        "web:1.1.0-b2",
    ]
    found = json.loads(goldsmith(home, "list", "web", "--json").out)["images"]
    assert [(image["ref"], image["newest"]) for image in found] == [
        ("web:1.0.0-b1", True),
        ("web:1.1.0-b1", False),
        ("web:1.1.0-b2", True),
    ]
    assert found[0]["digest"] == find(home, "web:1.0.0").digest
    assert found[0]["tree_size"] == sum(e.size for p, e in first_tree()[0].items() if p != "/usr/bin/app2")


def test_an_empty_list(tmp_path: Path) -> None:
    assert "goldsmith build RECIPE" in goldsmith(Home(tmp_path), "list").out
    assert json.loads(goldsmith(Home(tmp_path), "list", "--json").out) == {"images": []}


def test_show(home: Home) -> None:
    image = find(home, "web")
    said = json.loads(goldsmith(home, "show", "web", "--json").out)
    assert (said["ref"], said["names"]) == ("web:1.1.0-b2", ["web:1.1.0", "web:1.1.0-b2"])
    assert (said["digest"], said["oci_digest"]) == (image.digest, image.index.digest)
    assert (said["description"], said["labels"]) == ("what it is", {"team": "blue"})
    assert said["built"] == {"reproducible": True, "warnings": []}
    assert said["tree"]["paths"] == len(second_tree()[0])
    page = goldsmith(home, "show", image.digest.join(["web@", ""])).out
    for part in ("web:1.1.0-b2", image.digest, "label         team: blue", "built         reproducible"):
        assert part in page


CHANGES = {
    "/etc/alias": (["target"], None, None),
    "/etc/app.conf": (["content"], "settings", None),
    "/usr/bin/app": (["attributes"], "program", "nginx"),
    "/usr/bin/app2": (["removed"], "program", None),
    "/usr/bin/script": (["mode"], "script", None),
    "/usr/share/large": (["owner"], "data", "nginx"),
    "/usr/share/new": (["added"], "data", None),
    "/usr/share/old": (["removed"], "text", None),
    STATUS: (["content"], "text", None),
}


def test_diff(home: Home) -> None:
    said = json.loads(goldsmith(home, "diff", "web:1.0.0", "web:1.1.0", "--json").out)
    assert [(p["name"], p["before"], p["after"], p["size"]) for p in said["packages"]] == [
        ("gone", "3", None, -5 << 10),
        ("new", None, "2", 7 << 10),
        ("nginx", "1.0", "1.1", 4 << 10),
    ]
    found = {file["path"]: (file["what"], file["content"], file["package"]) for file in said["files"]}
    assert found == CHANGES
    assert said["times"] == 1
    assert said["disk"]["digest"]["after"] == find(home, "web").facts["disk_digest"]
    files = sum(entry.size for entry in second_tree()[0].values())
    assert said["size"]["files"]["after"] == files
    assert not said["same"]


def test_diff_in_words(home: Home) -> None:
    said = lines(goldsmith(home, "diff", "web:1.0.0", "web:1.1.0").out)
    for line in (
        "web:1.0.0-b1 → web:1.1.0-b2",
        "~ nginx 1.0 → 1.1 (+4.1 kB)",
        "- gone 3 (-5.1 kB)",
        "+ new 2 (+7.2 kB)",
        "~ /usr/bin/script (script, mode 0644 → 0755)",
        "~ /usr/share/large (data, owner 0:0 → 7:8, nginx)",
        "~ /etc/alias (symlink, target app.conf → /usr/bin/script)",
        "+ /usr/share/new (data, +700 B)",
        "1 more paths differ by their time alone",
    ):
        assert line in said
    assert lines(goldsmith(home, "diff", "web:1.0.0", "web:1.0.0").out)[1:] == ["nothing differs"]


def test_names_of_others_move_no_cursor_and_make_no_lines(tmp_path: Path) -> None:
    home = Home(tmp_path)
    keep(home, tree_of({"/etc/a": b"a"}))
    keep(home, tree_of({"/etc/\x1b[2J\nfiles (0)": b"b"}), version="1.1.0")
    for words in (["tree", "web:1.1.0"], ["diff", "web:1.0.0", "web:1.1.0"]):
        said = goldsmith(home, *words).out
        assert r"/etc/\x1b[2J\nfiles (0)" in said
        assert "\x1b" not in said
    assert goldsmith(home, "cat", "web:1.1.0", "/etc/\x1b[2J\nfiles (0)").out == "b"


def test_two_names_of_the_same_content_differ_in_nothing_but_names(home: Home) -> None:
    said = json.loads(goldsmith(home, "diff", "web:1.0.0", "api", "--json").out)
    assert (said["packages"], said["files"], said["disk"], said["boot"]) == ([], [], {}, {})


def test_tree(home: Home) -> None:
    said = goldsmith(home, "tree", "web:1.0.0", "/etc").out.splitlines()
    assert [line.split()[6] for line in said] == ["/etc", "/etc/alias", "/etc/app.conf", "/etc/loop"]
    assert said[1].startswith("lrwxrwxrwx     0     0          0 2023-11-14 22:13 /etc/alias -> app.conf")
    everything = json.loads(goldsmith(home, "tree", "web:1.0.0", "--json").out)["entries"]
    assert [entry["path"] for entry in everything] == sorted(first_tree()[0])
    through = json.loads(goldsmith(home, "tree", "web:1.0.0", "/bin/app", "--json").out)["entries"]
    assert [(entry["path"], entry["link"]) for entry in through] == [("/usr/bin/app", "/usr/bin/app")]


CATS = {
    "/etc/app.conf": b"listen 80\n",
    "etc/app.conf": b"listen 80\n",
    "/etc/alias": b"listen 80\n",
    "/bin/script": b"#!/bin/sh\nexit 0\n",
    "/usr/../etc/./app.conf": b"listen 80\n",
    "/usr/bin/app2": first_tree()[1]["/usr/bin/app"],
    "/usr/share/large": first_tree()[1]["/usr/share/large"],
    "/usr/share/empty": b"",
}


@pytest.mark.parametrize("path", CATS)
def test_cat(home: Home, path: str) -> None:
    assert goldsmith(home, "cat", "web:1.0.0", path).out == CATS[path].decode(errors="replace")
    said = json.loads(goldsmith(home, "cat", "web:1.0.0", path, "--json").out)
    assert said["sha256"] == hashlib.sha256(CATS[path]).hexdigest()
    assert ("text" in said) == (b"\xff" not in CATS[path] and b"ELF" not in CATS[path])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(["cat", "web", "/no"], "'/no' is not in the image", id="no file"),
        pytest.param(["cat", "web", "/etc"], "'/etc' is a dir, not a file", id="a directory"),
        pytest.param(["cat", "web:1.0.0", "/etc/loop"], "more than 40 symbolic links", id="a circle"),
        pytest.param(["tree", "web", "/no"], "'/no' is not in the image", id="no path"),
        pytest.param(["show", "wep"], "there is no image 'wep'", id="no image"),
        pytest.param(["diff", "web", "web:7.0.0"], "there is no image 'web:7.0.0'", id="no other image"),
        pytest.param(["delete", "web:9.9.9"], "there is no image 'web:9.9.9'", id="nothing to delete"),
        pytest.param(["tag", "web", "web:2.0.0"], "is the name of a version", id="a version as a tag"),
        pytest.param(["tag", "web", "web:1.1.0-b9"], "is the name of a version", id="a build as a tag"),
        pytest.param(["tag", "web", "Web:x"], "cannot name an image", id="no name"),
        pytest.param(["tag", "web", "api:x"], "a name of another image", id="another image's tag"),
        pytest.param(
            ["export", "./x", "--format", "tar", "--output", "o"], "only an image", id="a path as tar"
        ),
    ],
)
def test_what_is_refused(home: Home, words: list[str], message: str) -> None:
    said = goldsmith(home, *words)
    assert (said.code, said.out) == (2, "")
    assert message in said.error
    assert json.loads(goldsmith(home, *words, "--json").out)["exit_code"] == 2


def test_tags_move_and_keep_their_image(own: Home) -> None:
    assert goldsmith(own, "tag", "web:1.0.0-b1", "golden").out == "web:golden is web:1.0.0-b1\n"
    assert find(own, "web:golden").own == "web:1.0.0-b1"
    assert goldsmith(own, "tag", "web", "web:golden").code == 0
    assert find(own, "web:golden").own == "web:1.0.0-b2"
    said = goldsmith(own, "delete", "web:1.0.0")
    assert (said.code, find(own, "web").own) == (2, "web:1.0.0-b2")
    assert "goldsmith delete web:golden" in said.error
    assert goldsmith(own, "delete", "web:golden", "web:1.0.0").out == (
        "web:golden deleted\nweb:1.0.0 deleted\nweb:1.0.0-b2 deleted\n"
    )
    assert find(own, "web:1.0.0").own == "web:1.0.0-b1"


def test_a_version_means_the_build_that_it_is_told_to(own: Home) -> None:
    assert goldsmith(own, "tag", "web:1.0.0-b1", "web:1.0.0").code == 0
    assert find(own, "web").own == "web:1.0.0-b1"


def test_a_mistake_in_one_name_deletes_nothing(own: Home) -> None:
    said = goldsmith(own, "delete", "web:1.0.0-b1", "web:9.9.9")
    assert (said.code, "there is no image 'web:9.9.9'" in said.error) == (2, True)
    assert find(own, "web:1.0.0-b1")
    assert goldsmith(own, "delete", "web:1.0.0-b1", "web:1.0.0-b1").out == "web:1.0.0-b1 deleted\n"


def test_what_is_deleted_is_free_after_gc(own: Home) -> None:
    before = json.loads(goldsmith(own, "store", "usage", "--json").out)
    unique = before["images"][-1]["unique"]
    assert goldsmith(own, "delete", "web:1.0.0-b2").code == 0
    told = json.loads(goldsmith(own, "store", "gc", "--dry-run", "--json").out)
    done = json.loads(goldsmith(own, "store", "gc", "--json").out)
    assert (told["objects"], told["size"], told["removed"]) == (done["objects"], done["size"], False)
    assert done["size"] == unique
    after = json.loads(goldsmith(own, "store", "usage", "--json").out)
    assert (after["used"], after["unused"]) == (before["used"] - unique, 0)
    assert goldsmith(own, "store", "check", "--read").out == "the store is whole\n"


def test_usage_adds_up(home: Home) -> None:
    found = json.loads(goldsmith(home, "store", "usage", "--json").out)
    assert all(image["shared"] + image["unique"] == image["total"] for image in found["images"])
    assert found["alone"] == sum(image["total"] for image in found["images"])
    blobs = sum(path.stat().st_size for path in layout_of(home).blobs.all())
    assert found["used"] + found["unused"] == blobs
    assert found["alone"] > found["used"]
    assert "if the images shared nothing" in goldsmith(home, "store", "usage").out


def test_store_path(home: Home) -> None:
    assert goldsmith(home, "store", "path").out == f"{home.path}/store\n"


@pytest.mark.parametrize("name", ["tar", "oci-archive"])
def test_archives_are_the_same_each_time(home: Home, tmp_path: Path, name: str) -> None:
    for output in ("a", "b"):
        said = goldsmith(
            home, "export", "web:1.0.0", "--format", name, "--output", tmp_path / output, "--json"
        )
        facts = json.loads(said.out)
        data = (tmp_path / output).read_bytes()
        assert (facts["size"], facts["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_tar_archive_is_the_tree(home: Home, tmp_path: Path) -> None:
    entries, contents = first_tree()
    assert goldsmith(home, "export", "web:1.0.0", "--format", "tar", "--output", tmp_path / "tar").code == 0
    with tarfile.open(tmp_path / "tar") as archive:
        members = {f"/{member.name}": member for member in archive}
        assert list(members) == sorted(entries)
        for path, member in members.items():
            entry = entries[path]
            assert (member.mode, member.uid, member.gid) == (entry.mode, entry.uid, entry.gid)
            assert member.mtime == entry.mtime
            if entry.kind == "file":
                stream = archive.extractfile(member)
                assert stream is not None
                assert stream.read() == contents[path]
        assert members["/usr/bin/app2"].islnk()
    assert goldsmith(home, "export", "web", "--format", "tar", "--output", tmp_path / "two").code == 0
    with tarfile.open(tmp_path / "two") as archive:
        member = archive.getmember("usr/bin/app")
        assert member.pax_headers["SCHILY.xattr.security.capability"].encode() == b"\x01\x00"


def test_skopeo_reads_the_oci_archive(home: Home, tmp_path: Path) -> None:
    if shutil.which("skopeo") is None:
        pytest.skip("skopeo is not installed")
    archive = tmp_path / "web.oci.tar"
    assert goldsmith(home, "export", "web:1.0.0", "--format", "oci-archive", "--output", archive).code == 0
    source = f"oci-archive:{archive}:web:1.0.0"
    raw = subprocess.run(["skopeo", "inspect", "--raw", source], check=True, capture_output=True).stdout
    assert f"sha256:{hashlib.sha256(raw).hexdigest()}" == find(home, "web:1.0.0").index.digest
    subprocess.run(["skopeo", "copy", "-q", source, f"dir:{tmp_path}/copy"], check=True)


@pytest.mark.parametrize("name", ["tar", "oci-archive"])
def test_a_damaged_image_gives_no_archive(own: Home, tmp_path: Path, name: str) -> None:
    layout = layout_of(own)
    container = layout.children(find(own, "web").index.digest)[0]
    for layer in layout.children(container.digest)[1:]:
        path = layout.blobs.path(layer.digest)
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    (tmp_path / "out").write_text("old")
    assert goldsmith(own, "export", "web", "--format", name, "--output", tmp_path / "out").code == 4
    assert (tmp_path / "out").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def many(home: Home) -> None:
    """Ten thousand images of two hundred names, as ``index.json`` lists them."""
    layout = layout_of(home)

    def change(refs: dict[str, Descriptor]) -> None:
        for number in range(MANY):
            digest = f"sha256:{hashlib.sha256(b'%d' % number).hexdigest()}"
            built = json.dumps(
                {"key": digest, "lock_digest": digest, "recipe_digest": digest, "reproducible": True}
            )
            told = dict.fromkeys(notes.LISTED, digest) | {notes.BUILD: built}
            told |= {notes.DISK_SIZE: "1610612736", notes.TREE_SIZE: "353000000", notes.TREE_ENTRIES: "12500"}
            name = f"web{number % 200}:1.{number // 200}.0"
            item = Descriptor(oci.INDEX, digest, 1234)
            refs[f"{name}-b1"] = Descriptor(oci.INDEX, digest, 1234, tuple(sorted(told.items())))
            refs[name] = item

    layout.change(change)


def test_ten_thousand_images_are_listed_and_one_is_shown_at_once(tmp_path: Path) -> None:
    home = Home(tmp_path)
    keep(home, first_tree(), name="one")
    many(home)
    for words, count in ((["list"], MANY + 2), (["show", "one"], 14)):
        before = os.times()
        said = goldsmith(home, *words)
        after = os.times()
        assert (said.code, said.error) == (0, "")
        assert len(said.out.splitlines()) >= count
        spent = after.children_user - before.children_user + after.children_system - before.children_system
        assert spent < 1.2, (
            f"{words}: {spent:.2f} s of processor time"
        )  # 0.3 s on a quiet machine: see bench/store.py
