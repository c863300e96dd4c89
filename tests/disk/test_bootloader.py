from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldsmith.disk.bootloader import (
    boot_files,
    command_line,
    esp_grub_cfg,
    grub_cfg,
    initramfs_files,
    kernel_words,
    quoted,
)
from goldsmith.disk.layout import plan_layout
from goldsmith.disk.tools import Tools
from goldsmith.effects.process import run
from goldsmith.effects.sandbox import Bind
from goldsmith.errors import InputError
from goldsmith.model.disk import Layout, TreeNeed
from goldsmith.model.recipe import DiskSpec


def layout_of(root: str = "ext4", boot: str = "both") -> Layout:
    spec = DiskSpec(root=root, boot=boot)
    return plan_layout(spec, name="web", architecture="amd64", need=TreeNeed(10, 10))


HEAD = "# <file system> <mount point> <type> <options> <dump> <pass>\n"
ROOT = "UUID=8a462b97-2eb2-59ef-933f-a1838d09dd26 / ext4 rw,errors=remount-ro,x-systemd.growfs 0 1\n"
ESP = "UUID=6BC3-59D7 /boot/efi vfat umask=0077,nofail 0 0\n"


@pytest.mark.parametrize(
    ("root", "boot", "text"),
    [
        pytest.param("ext4", "both", HEAD + ROOT + ESP, id="ext4 grows, the ESP may be missing"),
        pytest.param("ext4", "uefi", HEAD + ROOT + ESP, id="uefi alone is the same"),
        pytest.param("ext4", "bios", HEAD + ROOT, id="bios has no ESP"),
        pytest.param("erofs", "both", HEAD + ESP, id="an erofs root is not remounted"),
        pytest.param("erofs", "bios", HEAD, id="erofs by bios hides its kernel's partition"),
    ],
)
def test_fstab(root: str, boot: str, text: str) -> None:
    assert boot_files(layout_of(root, boot), append="")["/etc/fstab"].decode() == text


def test_an_ext4_tree_gets_a_menu_and_grows() -> None:
    files = boot_files(layout_of(), append="")
    assert set(files) == {"/etc/fstab", "/boot/grub/grub.cfg", "/etc/repart.d/50-root.conf"}
    assert files["/etc/repart.d/50-root.conf"].endswith(b"[Partition]\nType=root\n")


def test_an_erofs_tree_gets_neither_but_an_overlay_in_its_initramfs() -> None:
    assert set(boot_files(layout_of("erofs"), append="")) == {"/etc/fstab"}
    files = initramfs_files("erofs")
    assert set(files) == {
        "/etc/initramfs-tools/scripts/init-bottom/goldsmith-overlay",
        "/etc/initramfs-tools/hooks/goldsmith-overlay",
    }
    assert {mode for _, mode in files.values()} == {0o755}
    assert initramfs_files("ext4") == {}


@pytest.mark.parametrize("path", sorted(initramfs_files("erofs")))
def test_initramfs_scripts_are_shell_and_have_no_prerequisites(tmp_path: Path, path: str) -> None:
    script = tmp_path / "script"
    script.write_bytes(initramfs_files("erofs")[path][0])
    run(["sh", "-n", str(script)])
    assert run(["sh", str(script), "prereqs"]).stdout == b""


@pytest.mark.parametrize(
    ("append", "words"),
    [
        pytest.param("", [], id="nothing"),
        pytest.param("quiet", ["quiet"], id="one word"),
        pytest.param("  a=1 \t b ", ["a=1", "b"], id="blanks of any kind and number"),
        pytest.param('dyndbg="file x +p" b', ["dyndbg=file x +p", "b"], id="quotes keep blanks"),
        pytest.param('""', [""], id="an empty word in quotes"),
        pytest.param("it's $5", ["it's", "$5"], id="the shell's signs are plain"),
        pytest.param("a\\ b", ["a\\", "b"], id="the kernel knows no backslash"),
    ],
)
def test_words_are_split_as_the_kernel_splits_them(append: str, words: list[str]) -> None:
    assert kernel_words(append) == words


def test_an_open_quotation_mark_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        boot_files(layout_of(), append='a="b c')
    assert caught.value.message == "a quotation mark in kernel.append is not closed: 'a=\"b c'"
    assert caught.value.hint == 'write words with blanks as name="a b"'


def test_the_command_line_stands_in_one_place() -> None:
    text = grub_cfg(layout_of(), "quiet panic=30").decode()
    line = (
        "'root=UUID=8a462b97-2eb2-59ef-933f-a1838d09dd26' 'ro' 'console=tty0' 'console=ttyS0,115200' "
        "'quiet' 'panic=30'"
    )
    assert text.count("root=UUID") == 1
    assert f'  linux "$1" {line}\n' in text


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0\n"), max_size=40))
def test_a_shell_reads_a_quoted_word_as_it_is(word: str) -> None:
    """GRUB's single quotes are a shell's, so a shell can judge."""
    assert run(["sh", "-c", f"printf %s {quoted(word)}"]).stdout == word.encode()


@pytest.mark.parametrize("root", ["ext4", "erofs"])
def test_grub_finds_no_fault_in_its_configuration(tools: Tools, tmp_path: Path, root: str) -> None:
    layout = layout_of(root)
    for text in (grub_cfg(layout, 'quiet a="b c" it\'s $x'), esp_grub_cfg(layout, "quiet")):
        (tmp_path / "grub.cfg").write_bytes(text)
        tools.run(
            ["grub-script-check", "/run/grub.cfg"],
            binds=(Bind(tmp_path / "grub.cfg", "/run/grub.cfg"),),
            epoch=0,
        )


def test_the_root_is_named_by_its_uuid_and_is_read_only_until_it_was_checked() -> None:
    assert command_line(layout_of(), "")[:2] == ["root=UUID=8a462b97-2eb2-59ef-933f-a1838d09dd26", "ro"]
