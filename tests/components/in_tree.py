"""Makes a small tree and runs a document on it, as a build does; a program, since it enters a namespace.

``in_tree.py DIRECTORY [network]`` reads ``{"document", "downloads": {url: path}}`` from standard input and prints
what came of it as JSON.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from goldsmith.builder.components.journal import detailed
from goldsmith.builder.components.run import run_document
from goldsmith.builder.components.tree import TreeHost
from goldsmith.effects import namespace
from goldsmith.effects.root import Root
from goldsmith.effects.sandbox import Sandbox
from goldsmith.recipe.component import parse_component

PROGRAMS = ("bash", "cat", "sleep", "touch", "ls", "mkdir", "id")
SYSTEMCTL = '#!/bin/bash\necho "real SYSTEMD_OFFLINE=$SYSTEMD_OFFLINE $*"\n'


def make_tree(top: Path) -> None:
    """Programs of this host with their libraries, and a systemctl that says how it is called."""
    for name in ("usr/bin", "usr/lib", "etc", "tmp", "run", "proc", "dev", "opt"):
        (top / name).mkdir(parents=True)
    (top / "tmp").chmod(0o1777)
    for name, target in (("bin", "usr/bin"), ("lib", "usr/lib"), ("lib64", "usr/lib")):
        (top / name).symlink_to(target)
    for name in PROGRAMS:
        program = str(shutil.which(name))
        shutil.copy(program, top / "usr/bin" / name)
        printed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
        for library in re.findall(r"(/\S+\.so\S*)", printed):
            shutil.copy(library, top / "usr/lib" / Path(library).name)
    (top / "usr/bin/sh").symlink_to("bash")
    (top / "usr/bin/systemctl").write_text(SYSTEMCTL)
    (top / "usr/bin/systemctl").chmod(0o755)
    (top / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nonly-here:x:4242:4242::/:/bin/sh\n")


def main() -> None:
    """Run one document."""
    asked = json.load(sys.stdin)
    here = Path(sys.argv[1])
    make_tree(here / "tree")
    (here / "scratch").mkdir()
    namespace.enter()
    sandbox = Sandbox(
        here / "tree",
        network="network" in sys.argv,
        environment={"LD_LIBRARY_PATH": "/usr/lib", "LC_ALL": "C"},
        cwd="/opt",
    )
    downloads = {url: Path(path) for url, path in asked["downloads"].items()}
    document = parse_component(asked["document"], "component.yml")
    with Root(here / "tree") as root:
        host = TreeHost(root, sandbox, downloads, here / "scratch")
        result = run_document(document, host, log_directory=here / "log", phases=("build", "validate"))
    os.write(1, json.dumps(detailed(document, result)).encode())


if __name__ == "__main__":
    main()
