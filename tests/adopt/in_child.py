"""Adopt in a process of its own: by a program that enters namespaces and tells what it took."""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from goldsmith.disk.adopt.keep import adopt as adopt_here
from goldsmith.errors import GoldsmithError
from goldsmith.store.home import Home

TIMEOUT = 300


def adopt(path: Path, home: Home, *, check: bool = True) -> dict[str, Any]:
    """What was adopted, or the error; with ``seconds`` and ``peak_mib`` of the process and of those it started."""
    command = [sys.executable, "-m", "tests.adopt.in_child", str(path), str(home.path)]
    top = Path(__file__).parent.parent.parent
    done = subprocess.run(command, cwd=top, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    assert done.returncode == 0, done.stderr
    facts: dict[str, Any] = json.loads(done.stdout)
    assert not check or "error" not in facts, facts
    return facts


def own_peak() -> int:
    """This program's peak in KiB; ``ru_maxrss`` counts what the process was before it became this program, too."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    raise AssertionError("the kernel tells no peak")


def main() -> None:
    """Adopt argv[1] into the home argv[2]."""
    start = time.monotonic()
    facts: dict[str, Any]
    try:
        found = adopt_here(Path(sys.argv[1]), name="vendor", version="1.0.0", home=Home(Path(sys.argv[2])))
        facts = {**found.image.facts, "format": found.format}
    except GoldsmithError as error:
        facts = dict(error.as_json())
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    facts["peak_mib"] = max(own_peak(), children) >> 10
    facts["seconds"] = time.monotonic() - start
    sys.stdout.write(json.dumps(facts))


if __name__ == "__main__":
    main()
