"""``goldsmith`` in a world where it is two years later: the caller preloads libfaketime, this does so in sandboxes."""

from pathlib import Path

from goldsmith.cli.main import main
from goldsmith.effects import sandbox

sandbox.INIT = Path(__file__).with_name("later_init.py")
main()
