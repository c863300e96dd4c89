"""What all folders of tests share."""

import signal

pytest_plugins = ["tests.fixtures_agent", "tests.fixtures_images"]

# A shell that starts the tests in the background has them ignore Ctrl-C, and so would every program they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
