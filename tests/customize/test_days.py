"""The day a password was changed must not tell the day of the build."""

import pytest

from goldsmith.builder.customize.accounts import clamped_days


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a:*:200:::::1:\n", "a:*:100:::::1:\n"),
        ("a:*:99:0:99999:7:::\n", "a:*:99:0:99999:7:::\n"),
        ("a:*::0:99999:7:::\n", "a:*::0:99999:7:::\n"),
        ("+::::::\na:*:101::::::\nb:!:100::::::\n", "+::::::\na:*:100::::::\nb:!:100::::::\n"),
    ],
    ids=["a later day is set back", "an earlier one stays", "none stays none", "other lines stay"],
)
def test_no_day_is_later_than_the_epoch(before: str, after: str) -> None:
    assert clamped_days(before, 100) == after
