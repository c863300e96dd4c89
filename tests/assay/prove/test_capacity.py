"""What a host has to spare, as tables."""

import os
from pathlib import Path

import pytest

from goldsmith.assay.prove.capacity import free_memory, idle_between, idle_processors, is_busy

CPU = f"cpu{min(os.sched_getaffinity(0))}"


@pytest.mark.parametrize(
    ("after", "idle"),
    [
        pytest.param([0, 0, 0, 50, 0, 0, 0, 0], 1.0, id="all of the time was idle"),
        pytest.param([50, 0, 0, 0, 0, 0, 0, 0], 0.0, id="all of it was used"),
        pytest.param([20, 0, 5, 20, 5, 0, 0, 0], 0.5, id="waiting for a disk is idle"),
        pytest.param(
            [0, 0, 0, 25, 0, 0, 0, 25], 0.5, id="what another guest of our own host took is not ours"
        ),
        pytest.param([0] * 8, 1.0, id="a processor without a tick sleeps"),
    ],
)
def test_the_idle_part_of_a_processor(after: list[int], idle: float) -> None:
    assert idle_between({CPU: [0] * 8}, {CPU: after}) == idle


def test_processors_that_we_may_not_use_do_not_count() -> None:
    assert idle_between({"cpu9999": [0] * 8}, {"cpu9999": [0, 0, 0, 50, 0, 0, 0, 0]}) == 0


def test_this_host_has_between_none_and_all_of_its_processors_idle() -> None:
    assert 0 <= idle_processors() <= len(os.sched_getaffinity(0))


def test_memory_that_can_be_given_is_read_in_bytes(tmp_path: Path) -> None:
    told = tmp_path / "meminfo"
    told.write_text("MemTotal:  2000 kB\nMemAvailable:    1000 kB\n")
    assert free_memory(told) == 1000 << 10


@pytest.mark.parametrize(
    ("told", "busy"),
    [
        pytest.param(
            "some avg10=80.00 avg60=7.31 avg300=1.00 total=1\n", False, id="two guests on two processors"
        ),
        pytest.param("some avg10=2.00 avg60=54.66 avg300=1.00 total=1\n", True, id="somebody always waits"),
        pytest.param(
            "some avg10=0.00 avg60=1.00 avg300=0.00 total=1\nfull avg10=0 avg60=99.0 avg300=0 total=0\n",
            False,
            id="what all wait for is another line",
        ),
    ],
)
def test_a_host_is_busy_when_somebody_waits_for_its_processors(tmp_path: Path, told: str, busy: bool) -> None:
    (tmp_path / "cpu").write_text(told)
    assert is_busy(tmp_path / "cpu") is busy
    assert is_busy(tmp_path / "none") is (os.getloadavg()[0] > 1.5 * len(os.sched_getaffinity(0)))
