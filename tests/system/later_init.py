"""The sandbox's first process, in a world where it is two years later; run in place of ``sandbox_init.py``.

The kernel's clock cannot be changed for one process, so what a program of the sandbox asks of the C library is
changed instead: libfaketime is shown inside and preloaded.
"""

import json
import os
import sys
from pathlib import Path

LIBRARY = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
PLACE = "/run/libfaketime.so.1"

spec = json.loads(sys.argv[1])
if spec["parent"] != os.getppid():
    sys.exit("the sandbox was started by somebody else")
spec["binds"].append((LIBRARY, PLACE, False))
spec["environment"] |= {"LD_PRELOAD": PLACE, "FAKETIME": "+2y", "NO_FAKE_STAT": "1"}
init = Path(__file__).parents[2] / "src/goldsmith/effects/sandbox_init.py"
# The same process goes on as the real one, so its parent stays who it is.
os.execv(sys.executable, [sys.executable, "-I", "-S", str(init), json.dumps(spec)])
