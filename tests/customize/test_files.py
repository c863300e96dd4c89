"""Files, directories and SSH keys."""

import os
import shutil
import stat
from pathlib import Path

import pytest

from goldsmith.builder.customize import directories, files, sshkeys
from goldsmith.builder.customize.sshkeys import with_key
from goldsmith.effects.root import Root
from goldsmith.errors import InputError, Place
from goldsmith.model.recipe import Directory, File, SshKey

PLACE = Place("web.yaml", 12, 5)


def test_content_mode_and_owner(tree: Root, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_bytes(b"\xff\x00page")
    wanted = (
        File("/srv/a", data="späße\n", mode=0o600, user="www-data", group="33"),
        File("/srv/b", source="page.html", mode=0o4755),
    )
    files.apply(tree, wanted, tmp_path)
    assert tree.read_text("/srv/a") == "späße\n"
    assert tree.read("/srv/b") == b"\xff\x00page"
    facts = tree.stat("/srv/a")
    assert (stat.S_IMODE(facts.st_mode), facts.st_uid, facts.st_gid) == (0o600, 33, 33)
    assert stat.S_IMODE(tree.stat("/srv/b").st_mode) == 0o4755


def test_a_link_is_replaced_and_not_followed(tree: Root, tmp_path: Path) -> None:
    tree.symlink("/etc/resolv.conf", "../run/stub.conf")
    files.apply(tree, (File("/etc/resolv.conf", data="x"),), tmp_path)
    assert stat.S_ISREG(tree.lstat("/etc/resolv.conf").st_mode)


def test_a_link_in_the_path_never_leads_out_of_the_tree(tree: Root, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    tree.symlink("/srv/way", str(outside))
    with pytest.raises(
        InputError, match="the parent '/srv/way' of file '/srv/way/x' does not exist in the image"
    ):
        files.apply(tree, (File("/srv/way/x", data="x"),), tmp_path)
    assert list(outside.iterdir()) == []


REFUSED_FILES = {
    "a missing parent": (
        File("/opt/app/x", data="", where=PLACE),
        "the parent '/opt/app' of file '/opt/app/x' does not exist in the image",
        "list it under customizations.directories with ensure_parents: true",
    ),
    "an unknown owner": (
        File("/srv/x", data="", user="www-date", where=PLACE),
        "the owner 'www-date' of '/srv/x' does not exist in the image",
        "did you mean 'www-data'?",
    ),
    "an unknown group": (
        File("/srv/x", data="", group="zzz", where=PLACE),
        "the group 'zzz' of '/srv/x' does not exist in the image",
        "add the group under customizations.group, or say a number",
    ),
    "a directory": (
        File("/srv", data="", where=PLACE),
        "the file '/srv' cannot be written: it is a directory",
        "end the path with the file's own name",
    ),
    "a path that ends in a slash": (
        File("/srv/x/", data="", where=PLACE),
        "the file '/srv/x/' cannot be written: it is a directory",
        "end the path with the file's own name",
    ),
    "data and source": (
        File("/srv/x", data="", source="y", where=PLACE),
        "the file '/srv/x' has both data and source",
        "keep the one that is meant",
    ),
    "neither data nor source": (
        File("/srv/x", where=PLACE),
        "the file '/srv/x' has neither data nor source",
        'say data: "" for an empty file',
    ),
    "a place that is empty in every image": (
        File("/run/app/x", data="", where=PLACE),
        "the path '/run/app/x' is below /run, which is empty in every image",
        "choose a place that lasts, or write a tmpfiles.d file that makes it at each boot",
    ),
    "an account file": (
        File("/etc/shadow", data="", where=PLACE),
        "the file '/etc/shadow' is kept by the image's own accounts",
        "use customizations.user and customizations.group",
    ),
    "two dots": (
        File("/srv/../etc/shadow", data="", where=PLACE),
        "the path '/srv/../etc/shadow' contains '..'",
        "write the path out",
    ),
}


@pytest.mark.parametrize(("file", "message", "hint"), REFUSED_FILES.values(), ids=REFUSED_FILES)
def test_files_refused(tree: Root, tmp_path: Path, file: File, message: str, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        files.apply(tree, (file,), tmp_path)
    assert (caught.value.message, caught.value.hint, caught.value.where) == (message, hint, PLACE)


@pytest.mark.parametrize(
    ("source", "why"),
    [
        pytest.param("missing.html", "No such file or directory", id="missing"),
        pytest.param(".", "Is a directory", id="a directory"),
    ],
)
def test_a_source_that_cannot_be_read(tree: Root, tmp_path: Path, source: str, why: str) -> None:
    with pytest.raises(InputError) as caught:
        files.apply(tree, (File("/srv/x", source=source, where=PLACE),), tmp_path)
    assert caught.value.message == f"the source {source!r} of '/srv/x' cannot be read: {why}"
    assert str(tmp_path) in caught.value.hint
    assert not tree.exists("/srv/x")


def test_directories(tree: Root) -> None:
    wanted = (
        Directory("/srv/app", mode=0o2775, user="www-data", group="www-data"),
        Directory("/srv/app/data/deep", ensure_parents=True),
        Directory("/var/www/", mode=0o750, group="33"),
    )
    directories.apply(tree, wanted)
    facts = tree.stat("/srv/app")
    assert (stat.S_IMODE(facts.st_mode), facts.st_uid, facts.st_gid) == (0o2775, 33, 33)
    assert stat.S_IMODE(tree.stat("/srv/app/data").st_mode) == 0o755
    assert tree.is_dir("/srv/app/data/deep")
    assert (stat.S_IMODE(tree.stat("/var/www").st_mode), tree.stat("/var/www").st_gid) == (0o750, 33)


REFUSED_DIRECTORIES = {
    "a missing parent": (
        Directory("/a/b", where=PLACE),
        "the parent '/a' of directory '/a/b' does not exist in the image",
        "say ensure_parents: true, or list the parent before it",
    ),
    "a file in the way": (
        Directory("/etc/passwd/x", ensure_parents=True, where=PLACE),
        "the directory '/etc/passwd/x' cannot be made: a part of its path is a file",
        "choose another path",
    ),
    "a file of that name": (
        Directory("/etc/services", where=PLACE),
        "the directory '/etc/services' cannot be made: a file of that name is in the image",
        "choose another path, or remove the file first",
    ),
    "an unknown owner": (
        Directory("/srv/x", user="zzz", where=PLACE),
        "the owner 'zzz' of '/srv/x' does not exist in the image",
        "add the user under customizations.user, or say a number",
    ),
}


@pytest.mark.parametrize(
    ("directory", "message", "hint"), REFUSED_DIRECTORIES.values(), ids=REFUSED_DIRECTORIES
)
def test_directories_refused(tree: Root, directory: Directory, message: str, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        directories.apply(tree, (directory,))
    assert (caught.value.message, caught.value.hint, caught.value.where) == (message, hint, PLACE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", "k 1\n", id="a new file"),
        pytest.param("a b", "a b\nk 1\n", id="a last line without an end"),
        pytest.param("k 1\n", "k 1\n", id="a key that is there"),
    ],
)
def test_keys_are_added_once(text: str, expected: str) -> None:
    assert with_key(text, " k 1 \n") == expected


def test_the_directory_of_keys_is_the_users_alone(tree: Root) -> None:
    sshkeys.apply(tree, (SshKey("www-data", "k 1"), SshKey("www-data", "k 2")))
    assert tree.read_text("/var/www/.ssh/authorized_keys") == "k 1\nk 2\n"
    facts = tree.stat("/var/www/.ssh")
    assert (stat.S_IMODE(facts.st_mode), facts.st_uid) == (0o700, 33)


def test_a_key_for_nobody(tree: Root) -> None:
    with pytest.raises(InputError) as caught:
        sshkeys.apply(tree, (SshKey("rot", "k 1", where=PLACE),))
    assert caught.value.message == "an SSH key is for user 'rot', who does not exist in the image"
    assert (caught.value.hint, caught.value.where) == ("did you mean 'root'?", PLACE)


def test_the_umask_decides_nothing(tree: Root, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(tree.directory, other, symlinks=True)

    def modes(root: Root) -> list[tuple[str, int]]:
        files.apply(root, (File("/srv/f", data=""),), tmp_path)
        directories.apply(root, (Directory("/srv/d/e", ensure_parents=True),))
        sshkeys.apply(root, (SshKey("www-data", "k 1"),))
        return [(path, facts.st_mode) for path, facts in root.walk("/srv")]

    first = modes(tree)
    old = os.umask(0o077)
    try:
        with Root(other) as second:
            assert modes(second) == first
    finally:
        os.umask(old)
