"""Run as a program of its own, since it mounts: run a shell script in a sandbox over a tree.

    in_sandbox.py SPEC        (JSON: root, script, network, writable, binds)

Prints JSON: the exit code and both outputs.
"""

import json
import sys
from pathlib import Path

from goldsmith.effects import namespace
from goldsmith.effects.sandbox import Bind, Sandbox


def main() -> None:
    spec = json.loads(sys.argv[1])
    namespace.enter()
    sandbox = Sandbox(
        root=Path(spec["root"]),
        network=spec.get("network", False),
        writable=spec.get("writable", True),
        binds=tuple(Bind(Path(s), t, writable=w) for s, t, w in spec.get("binds", [])),
    )
    done = sandbox.run(["/bin/sh", "-c", spec["script"]], check=False, timeout=30)
    json.dump([done.code, done.text, done.stderr.decode(errors="replace")], sys.stdout)


if __name__ == "__main__":
    main()
