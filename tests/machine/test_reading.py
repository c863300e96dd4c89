"""A console that grows: each line is read once, and trouble is found wherever its line was cut."""

import pytest

from goldsmith.machine.reading import Growing
from goldsmith.machine.watch import find_trouble, readable

TEXT = (
    b"\x1b[0mone\r\n"
    + b"two\r\n" * 30
    + b"[    1.0] Kernel panic - not syncing: VFS: x\r\nlast\r\n"
    + b"tail"
)


@pytest.mark.parametrize("step", [1, 2, 7, 100, 10_000])
def test_in_pieces_it_says_what_it_says_at_once(step: int) -> None:
    screen = Growing()
    for end in range(0, len(TEXT) + step, step):
        screen.feed(TEXT[:end])
    assert [*screen.lines, screen.tail] == readable(TEXT)
    assert screen.trouble == find_trouble(readable(TEXT))
    assert screen.trouble is not None
    assert screen.trouble.sign.name == "the kernel found no root file system"


def test_a_prompt_without_an_end_of_line_is_seen() -> None:
    screen = Growing()
    screen.feed(b"Welcome\n")
    screen.feed(b"Welcome\ngrub rescue> ")
    assert [screen.trouble] == [None], "it may still grow"
    screen.feed(b"Welcome\ngrub rescue> ")
    assert screen.trouble is not None
    assert screen.trouble.line == "grub rescue>"


@pytest.mark.parametrize(
    ("console", "asks"),
    [
        pytest.param(b"Welcome\nweb login: ", True, id="a prompt"),
        pytest.param(
            b"web login: [   48.3] powernow_k8: none\n[   49.0] x\n", True, id="the kernel writes behind it"
        ),
        pytest.param(b"Welcome\n[  OK  ] Started getty@tty1.service\n", False, id="not yet"),
        pytest.param(
            b"Starting systemd-logind.service - User Login Management...\n", False, id="the word alone"
        ),
        pytest.param(b"web login: \n" + b"later\n" * 50, False, id="one of long ago, as after a login"),
    ],
)
def test_a_machine_that_asks_for_a_login(console: bytes, asks: bool) -> None:
    screen = Growing()
    screen.feed(console)
    assert screen.asks_for_login is asks
