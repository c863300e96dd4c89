"""Progress in a log: few lines, and none that says nothing."""

import pytest

from goldsmith.cli.progress import Lines


@pytest.mark.parametrize(
    ("steps", "total", "lines"),
    [
        pytest.param([0, 70_000, 150_236], 150_236, ["0 B of 150.2 kB", "150.2 kB of 150.2 kB"], id="small"),
        pytest.param(range(0, 3_000_001, 30_000), 3_000_000, ["0 B of 3.0 MB", "1.0 MB of 3.0 MB", "2.0 MB of 3.0 MB", "3.0 MB of 3.0 MB"], id="a megabyte at least"),
        pytest.param([0, 25_000_000, 26_000_000, 100_000_000], 100_000_000, ["0 B of 100.0 MB", "25.0 MB of 100.0 MB", "100.0 MB of 100.0 MB"], id="a line for a tenth"),
        pytest.param([0, 0, 5, 5], 5, ["0 B of 5 B", "5 B of 5 B"], id="nothing twice"),
        pytest.param([0, 0], 0, [], id="nothing to load"),
    ],
)  # fmt: skip
def test_lines(steps: list[int], total: int, lines: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    teller = Lines()
    for done in steps:
        teller.moving("downloads", done, total)
    assert capsys.readouterr().err.splitlines() == [f"downloads: {line}" for line in lines]


def test_a_second_load_is_told_from_its_start(capsys: pytest.CaptureFixture[str]) -> None:
    teller = Lines()
    for _ in range(2):
        for done in (0, 2_000_000):
            teller.downloading(done, 2_000_000)
    assert len(capsys.readouterr().err.splitlines()) == 4
