"""What all folders of tests share."""

import signal

import pytest
from hypothesis import settings

pytest_plugins = ["tests.fixtures_agent", "tests.fixtures_images"]

# A shell that starts the tests in the background has them ignore Ctrl-C, and so would every program they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    """The fast suite tries the same examples every time, so that it says the same of the same code; the long one tries others."""
    settings.register_profile("same", derandomize=True, database=None)
    if config.option.markexpr == "not slow":
        settings.load_profile("same")
