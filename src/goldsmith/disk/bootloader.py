"""The files by which an image finds its root, its kernel and its size; pure.

The kernel's command line stands in one place, the function ``start`` of one grub.cfg. That file is static: it boots
through the links that every kernel package keeps pointing at the newest kernel, so a machine that installs another
kernel boots it, without GRUB's packages in the image (docs/adr/0010-static-grub-cfg.md).
"""

from collections.abc import Mapping

from goldsmith.errors import InputError
from goldsmith.model.disk import Layout, Role

CONSOLES = ("console=tty0", "console=ttyS0,115200")
"""The last one becomes /dev/console, where the boot is reported: the serial one, which clouds and tests can read."""
ROOT_CONFIG = "/boot/grub/grub.cfg"
ESP_CONFIG = "/EFI/debian/grub.cfg"
"""Where Debian's signed GRUB looks; the path is part of what is signed."""
ESP_KERNEL = "/goldsmith/vmlinuz"
ESP_INITRD = "/goldsmith/initrd.img"
FSTAB = "/etc/fstab"
REPART = "/etc/repart.d/50-root.conf"
OVERLAY_SCRIPT = "/etc/initramfs-tools/scripts/init-bottom/goldsmith-overlay"
OVERLAY_HOOK = "/etc/initramfs-tools/hooks/goldsmith-overlay"

TERMINALS = """\
if serial --unit=0 --speed=115200; then
  terminal_input console serial
  terminal_output console serial
fi
set timeout_style=hidden
set timeout=1
set default=0
set fallback=1
"""

ROOT_ENTRIES = """\
# Kernel packages keep these links: Debian's in /, Ubuntu's in /boot. -s, since -e is true for a link to nothing.
for directory in "" /boot; do
  if [ -s "$directory/vmlinuz" ]; then
    menuentry "Linux" "$directory" {
      start "$2/vmlinuz" "$2/initrd.img"
    }
    if [ -s "$directory/vmlinuz.old" ]; then
      menuentry "Linux, the kernel before" "$directory" {
        start "$2/vmlinuz.old" "$2/initrd.img.old"
      }
    fi
    set found=yes
  fi
done

# A tree without the links (do_symlinks = no): every kernel that lies in /boot; the last one is the default.
if [ -z "$found" ]; then
  for kernel in /boot/vmlinuz-*; do
    if regexp --set=1:release '^/boot/vmlinuz-(.*)$' "$kernel"; then
      menuentry "Linux $release" "$release" {
        start "/boot/vmlinuz-$2" "/boot/initrd.img-$2"
      }
      set default="Linux $release"
    fi
  done
fi
"""

ESP_ENTRIES = f"""\
menuentry "Linux" {{
  start "{ESP_KERNEL}" "{ESP_INITRD}"
}}
"""

OVERLAY = """\
#!/bin/sh
# Written by goldsmith: the root is read-only; what the machine writes lives in memory until it stops.
case "$1" in
prereqs) exit 0 ;;
esac
. /scripts/functions
modprobe -q overlay
mkdir -p /run/goldsmith/lower /run/goldsmith/memory
mount -t tmpfs -o mode=0755,size=50% goldsmith /run/goldsmith/memory || panic "no memory for the root"
mkdir /run/goldsmith/memory/upper /run/goldsmith/memory/work
mount -n -o move "$rootmnt" /run/goldsmith/lower || panic "the root cannot be moved"
mount -t overlay -o lowerdir=/run/goldsmith/lower,upperdir=/run/goldsmith/memory/upper,workdir=/run/goldsmith/memory/work \\
  goldsmith "$rootmnt" || panic "the root cannot be made writable"
"""

HOOK = """\
#!/bin/sh
# Written by goldsmith: an erofs root with an overlay needs both modules before there is a root to load them from.
case "$1" in
prereqs) exit 0 ;;
esac
. /usr/share/initramfs-tools/hook-functions
manual_add_modules erofs overlay
"""


def boot_files(layout: Layout, *, append: str) -> Mapping[str, bytes]:
    """The files to write into the tree before its file system is made; all are mode 0644 and belong to root.

    Args:
        layout: the disk that the tree goes to.
        append: words for the kernel's command line, as the recipe has them.

    Raises:
        InputError: a quotation mark in ``append`` is not closed.
    """
    files = {FSTAB: fstab(layout)}
    if layout.filesystem == "ext4":
        files[ROOT_CONFIG] = grub_cfg(layout, append)
        files[REPART] = repart()
    return files


def initramfs_files(filesystem: str) -> Mapping[str, tuple[bytes, int]]:
    """Files with their modes, to write into the tree before its initramfs is made; none for a root that is writable."""
    if filesystem != "erofs":
        return {}
    return {OVERLAY_SCRIPT: (OVERLAY.encode(), 0o755), OVERLAY_HOOK: (HOOK.encode(), 0o755)}


def fstab(layout: Layout) -> bytes:
    """/etc/fstab. An erofs root is not in it: remounting it would hit the overlay that makes it writable."""
    lines = ["# <file system> <mount point> <type> <options> <dump> <pass>"]
    if layout.filesystem == "ext4":
        lines.append(f"UUID={layout.root_uuid} / ext4 rw,errors=remount-ro,x-systemd.growfs 0 1")
    if layout.find(Role.ESP) and layout.boot != "bios":
        # A machine must come up even if its firmware's partition is damaged.
        lines.append(f"UUID={layout.esp_uuid} /boot/efi vfat umask=0077,nofail 0 0")
    return "".join(f"{line}\n" for line in lines).encode()


def repart() -> bytes:
    """systemd-repart grows the partition that is of the root's type at each boot; fstab's growfs then the file system."""
    return b"# Written by goldsmith: the root takes the whole disk.\n[Partition]\nType=root\n"


def kernel_words(append: str) -> list[str]:
    """Words of a kernel command line as the kernel splits it: blanks within double quotes do not separate.

    The quotes are taken out: GRUB puts its own around a word with blanks, and would escape these.

    Raises:
        InputError: a quotation mark is not closed.
    """
    words: list[str] = []
    word, quoted, started = "", False, False
    for character in append:
        if character == '"':
            quoted, started = not quoted, True
        elif character.isspace() and not quoted:
            if started:
                words.append(word)
            word, started = "", False
        else:
            word, started = word + character, True
    if quoted:
        raise InputError(
            f"a quotation mark in kernel.append is not closed: {append!r}",
            hint='write words with blanks as name="a b"',
        )
    return [*words, word] if started else words


def command_line(layout: Layout, append: str) -> list[str]:
    """The whole kernel command line, word by word."""
    return [f"root=UUID={layout.root_uuid}", "ro", *CONSOLES, *kernel_words(append)]


def quoted(word: str) -> str:
    """A word that GRUB's script reader takes as it is."""
    return "'" + word.replace("'", "'\\''") + "'"


def grub_cfg(layout: Layout, append: str) -> bytes:
    """The grub.cfg with the menu; for ext4 it lies on the root, for erofs on the ESP."""
    line = " ".join(quoted(word) for word in command_line(layout, append))
    start = (
        "# Written by goldsmith. The kernel's command line stands here and nowhere else.\n"
        "function start {\n"
        f'  linux "$1" {line}\n'
        '  if [ -s "$2" ]; then initrd "$2"; fi\n'
        "}\n"
    )
    entries = ROOT_ENTRIES if layout.filesystem == "ext4" else ESP_ENTRIES
    return f"{start}\n{TERMINALS}\n{entries}".encode()


def esp_grub_cfg(layout: Layout, append: str = "") -> bytes:
    """The grub.cfg on the ESP: the whole menu for an erofs root, else the way to the root's own.

    The root on the same disk is looked at first: a second disk may be a copy of this one.
    """
    if layout.filesystem == "erofs":
        return grub_cfg(layout, append)
    number = layout.root.number
    return (
        "# Written by goldsmith: the menu lies on the root file system.\n"
        "regexp --set=1:disk '^([^,]*),' \"$root\"\n"
        f'search --no-floppy --fs-uuid --set=root --hint="$disk,gpt{number}" {layout.root_uuid}\n'
        "set prefix=($root)/boot/grub\n"
        'configfile "$prefix/grub.cfg"\n'
    ).encode()


def bios_prefix(layout: Layout) -> str:
    """Where GRUB's BIOS core finds its grub.cfg, on the disk it was started from."""
    if layout.filesystem == "ext4":
        return f"(,gpt{layout.root.number})/boot/grub"
    esp = layout.find(Role.ESP)
    assert esp is not None
    return f"(,gpt{esp.number})/EFI/debian"
