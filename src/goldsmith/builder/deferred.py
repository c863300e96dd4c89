"""Work that many maintainer scripts ask for, done once: their tools are replaced by wrappers while packages configure.

Each row is a tool, its wrapper, and, where there is something to do afterwards, the script that does it. Inside, the
real tool is at ``/run/goldsmith/real/NAME``, and notes are kept in ``/run/goldsmith/recorded``.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from goldsmith.effects.root import Root
from goldsmith.effects.sandbox import Bind, Sandbox

RECORDED = "/run/goldsmith/recorded"
REAL = "/run/goldsmith/real"


@dataclass(frozen=True, slots=True)
class Tool:
    """A program of the tree that is put off."""

    path: str
    """Where it is in the tree; nothing happens where it is not."""
    wrapper: str
    """A shell script shown in its place."""
    afterwards: tuple[str, ...] = ()
    """The command that does what was put off, run in the tree once all packages are configured."""
    program: str = ""
    """A text shown to that command as ``/run/goldsmith/NAME.afterwards``."""

    @property
    def name(self) -> str:
        """Its file's name."""
        return Path(self.path).name


INITRAMFS = Tool(
    path="/usr/sbin/update-initramfs",
    # --version is asked by the kernel's hook to find out whose tool this is; -d only deletes.
    wrapper=f"""#!/bin/sh
case " $* " in
*" --version "* | *" -V "* | *" -d "*) exec {REAL}/update-initramfs "$@" ;;
esac
echo "$*" >>{RECORDED}/update-initramfs
""",
)
"""The initramfs has a step of its own."""

BYTE_COMPILE = Tool(
    path="/usr/bin/py3compile",
    wrapper=f"""#!/bin/sh
for word in "$@"; do printf '%s\\t' "$word"; done >>{RECORDED}/py3compile
echo >>{RECORDED}/py3compile
""",
    afterwards=("/usr/bin/python3", "/run/goldsmith/py3compile.afterwards"),
    # The tool's own main() decides what to compile; only the start of one interpreter a package is saved.
    program=f"""
import subprocess, sys

jobs = {{}}

def collect(version, optimize, workers):
    command = ["/usr/bin/python" + (version if isinstance(version, str) else ".".join(map(str, version)))]
    command += ["-O"] if optimize else []
    while True:
        jobs.setdefault(tuple(command), []).append((yield))

source = open("{REAL}/py3compile").read()
space = {{"__name__": "py3compile", "__file__": "{REAL}/py3compile"}}
exec(compile(source, "{REAL}/py3compile", "exec"), space)
asked = [line.rstrip("\\t\\n").split("\\t") for line in open("{RECORDED}/py3compile")]
if "py_compile" not in space or "main" not in space:
    sys.exit(max((subprocess.call(["{REAL}/py3compile", *words]) for words in asked), default=0))
space["py_compile"] = collect
for words in asked:
    sys.argv = ["py3compile", *words]
    try:
        space["main"]()
    except SystemExit as end:
        if end.code:
            print("py3compile", *words, "ended with", end.code)
workers = []
for command, names in jobs.items():
    names = list(dict.fromkeys(names))
    for half in (names[::2], names[1::2]):
        worker = subprocess.Popen([*command, "-m", "py_compile", "-"], stdin=subprocess.PIPE)
        worker.stdin.write("".join(name + "\\n" for name in half).encode())
        worker.stdin.close()
        workers.append(worker)
for worker in workers:
    worker.wait()
""",
)
"""Python's byte code: half of the time goes into starting interpreters. Source times are packages', so it is the same."""

HOST_KEYS = Tool(
    path="/usr/bin/ssh-keygen",
    wrapper=f"""#!/bin/sh
case " $* " in
*" -A "* | *" -N "* | *" -l "*) exit 0 ;;
esac
exec {REAL}/ssh-keygen "$@"
""",
)
"""Host keys made here would be the same in every machine; each makes its own at its first start."""

CERTIFICATES = Tool(
    path="/usr/sbin/update-ca-certificates",
    wrapper=f"""#!/bin/sh
echo "$*" >>{RECORDED}/update-ca-certificates
""",
    afterwards=("/bin/sh", "/run/goldsmith/update-ca-certificates.afterwards"),
    program=f"""
if grep -q -e --fresh -e ' -f' {RECORDED}/update-ca-certificates; then set -- --fresh; fi
exec {REAL}/update-ca-certificates "$@"
""",
)
"""The trusted certificates: the package asks for it twice, once by its trigger."""

TOOLS = (INITRAMFS, BYTE_COMPILE, HOST_KEYS, CERTIFICATES)


def deferring(sandbox: Sandbox, tree: Root, scratch: Path, tools: Sequence[Tool]) -> Sandbox:
    """The sandbox with wrappers in place of those tools that the tree has."""
    recorded = scratch / "recorded"
    recorded.mkdir(parents=True, exist_ok=True)
    binds = [*sandbox.binds, Bind(recorded, RECORDED, writable=True)]
    for tool in tools:
        if not tree.is_file(tool.path):
            continue
        wrapper = scratch / f"{tool.name}.wrapper"
        wrapper.write_text(tool.wrapper)
        wrapper.chmod(0o755)
        program = scratch / f"{tool.name}.afterwards"
        program.write_text(tool.program)
        real = scratch / f"{tool.name}.real"
        real.write_bytes(tree.read(tool.path))
        real.chmod(0o755)
        binds += [
            Bind(real, f"{REAL}/{tool.name}"),
            Bind(program, f"/run/goldsmith/{tool.name}.afterwards"),
            Bind(wrapper, tool.path),
        ]
    return Sandbox(
        root=sandbox.root,
        binds=tuple(binds),
        network=sandbox.network,
        environment=sandbox.environment,
        terminal=sandbox.terminal,
    )


def asked(scratch: Path, tool: Tool) -> bool:
    """Whether something asked for the tool."""
    return (scratch / "recorded" / tool.name).exists()


def catch_up(sandbox: Sandbox, scratch: Path, tools: Sequence[Tool], *, log: Path) -> None:
    """Do what was put off, for the tools that have a way to do it afterwards, side by side: they do not meet."""
    waiting = [tool for tool in tools if tool.afterwards and asked(scratch, tool)]

    def run(tool: Tool) -> None:
        hint = f"{tool.name} was put off until the packages were configured; see the log"
        sandbox.run(tool.afterwards, log=log, hint=hint)

    with ThreadPoolExecutor(max_workers=max(1, len(waiting))) as pool:
        for done in [pool.submit(run, tool) for tool in waiting]:
            done.result()
