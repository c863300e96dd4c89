"""Overlay mounts in this process's own mount namespace; they vanish with the process."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from goldsmith.effects.namespace import mount, unmount

MS_RDONLY, MS_NODEV = 1, 4


def in_user_namespace() -> bool:
    """Whether ids are mapped here, so that overlays must keep their marks in ``user.*`` attributes."""
    words = Path("/proc/self/uid_map").read_text().split()
    return words[:3] != ["0", "0", "4294967295"]


def mark_prefix() -> str:
    """The name space of overlayfs's own attributes."""
    return "user.overlay." if in_user_namespace() else "trusted.overlay."


@contextmanager
def overlaid(
    lower: Sequence[Path], target: Path, *, upper: Path | None = None, work: Path | None = None
) -> Iterator[Path]:
    """Show ``lower`` (topmost first), and what is written above them in ``upper``, at ``target``.

    Without ``upper`` the mount is read-only. Paths are handed to the kernel as open descriptors, so they may be of
    any length and hold any character. ``volatile``: the upper side is never synced; a result counts only once its
    layer has been recorded.
    """
    with ExitStack() as stack:

        def shown(path: Path) -> str:
            descriptor = os.open(path, os.O_PATH | os.O_DIRECTORY)
            stack.callback(os.close, descriptor)
            return f"/proc/self/fd/{descriptor}"

        options = ["index=off", "metacopy=off", "redirect_dir=off"]
        if in_user_namespace():
            options = ["userxattr"]
        if upper is None or work is None:
            sides = [shown(path) for path in lower]
            if len(sides) == 1:  # overlayfs wants two lower directories when nothing is above
                empty = target.with_name(f"{target.name}.empty")
                empty.mkdir(exist_ok=True)
                sides.append(shown(empty))
            mount(
                "overlay",
                str(target),
                "overlay",
                MS_RDONLY | MS_NODEV,
                ",".join([*options, f"lowerdir={':'.join(sides)}"]),
            )
        else:
            sides = [shown(path) for path in lower]
            options += [
                f"lowerdir={':'.join(sides)}",
                f"upperdir={shown(upper)}",
                f"workdir={shown(work)}",
                "volatile",
            ]
            mount("overlay", str(target), "overlay", MS_NODEV, ",".join(options))
    try:
        yield target
    finally:
        unmount(str(target))
