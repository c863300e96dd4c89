"""Local machines for people and for other programs."""

from collections.abc import Sequence
from pathlib import Path

from goldsmith.machine.local.layers import size_of
from goldsmith.machine.local.renew import known_identity
from goldsmith.machine.local.room import directory_of, running
from goldsmith.machine.local.stalled import is_stalled
from goldsmith.model.canonical import plain
from goldsmith.model.vm import LocalMachine, Run, Snapshot
from goldsmith.store.home import Home


def state(directory: Path, run: Run | None) -> str:
    """``stopped``, ``running``, or ``stalled`` for want of room on this host."""
    if run is None:
        return "stopped"
    return "stalled" if is_stalled(directory) else "running"


def as_object(home: Home, machine: LocalMachine) -> dict[str, object]:
    """A machine for other programs."""
    directory = directory_of(home, machine.name)
    run = running(directory) if directory.exists() else None
    return {
        "name": machine.name,
        "state": state(directory, run),
        "image": machine.origin.reference,
        "image_digest": machine.origin.digest or None,
        "uuid": machine.uuid,
        "mac": machine.mac,
        "memory": machine.memory,
        "cpus": machine.cpus,
        "disk": machine.disk_size,
        "written": size_of(directory, machine.layer) if directory.exists() else 0,
        "firmware": machine.firmware.value,
        "forwards": plain(machine.forwards),
        "created": machine.created,
        "cloned_from": machine.cloned_from or None,
        "identity_pending": machine.renew,
        "identity": {} if machine.renew else known_identity(directory),
        "snapshot": machine.current,
        "snapshots": [snapshot_object(home, machine, item) for item in machine.snapshots],
        "run": {"pid": run.pid, "ssh": run.ssh, "accelerator": run.accelerator.value, "since": run.since}
        if run
        else None,
        "directory": str(directory),
    }


def snapshot_object(home: Home, machine: LocalMachine, snapshot: Snapshot) -> dict[str, object]:
    """A snapshot for other programs."""
    directory = directory_of(home, machine.name)
    return {
        "name": snapshot.name,
        "parent": snapshot.parent or None,
        "created": snapshot.created,
        "comment": snapshot.comment,
        "size": size_of(directory, snapshot.layer) if directory.exists() else 0,
        "current": machine.current == snapshot.name,
    }


def in_words(home: Home, machine: LocalMachine) -> str:
    """A machine for people."""
    directory = directory_of(home, machine.name)
    run = running(directory)
    since = f" since {run.since} ({run.accelerator.value}, process {run.pid})" if run else ""
    rows = [
        ("state", f"{state(directory, run)}{since}"),
        ("image", machine.origin.reference),
        ("digest", machine.origin.digest),
        ("memory", f"{machine.memory} MiB, {machine.cpus} CPU{'s' if machine.cpus > 1 else ''}"),
        ("disk", f"{machine.disk_size >> 20} MiB, {size_of(directory, machine.layer) >> 20} MiB written"),
        ("firmware", machine.firmware.value),
        ("ports", ", ".join(f"127.0.0.1:{port.host} to {port.guest}" for port in machine.forwards)),
        ("ssh", f"127.0.0.1:{run.ssh}" if run and run.ssh else ""),
        ("clone of", machine.cloned_from),
        ("identity", "to be renewed at its next start" if machine.renew else ""),
        ("made", machine.created),
        ("directory", str(directory)),
    ]
    head = [machine.name, *(f"  {name:10}{value}" for name, value in rows if value)]
    return "\n".join([*head, "  snapshots", *tree(machine, indent="    ")])


def listing(home: Home, machines: Sequence[LocalMachine]) -> str:
    """All machines, one a line."""
    rows = [("NAME", "STATE", "IMAGE", "MEMORY", "PORTS")]
    for machine in machines:
        directory = directory_of(home, machine.name)
        ports = ",".join(f"{port.host}:{port.guest}" for port in machine.forwards)
        rows.append(
            (
                machine.name,
                state(directory, running(directory)),
                machine.origin.reference,
                f"{machine.memory} MiB",
                ports,
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def tree(machine: LocalMachine, *, indent: str = "") -> list[str]:
    """The snapshots as a tree; an arrow shows from which one the machine grows."""
    lines: list[str] = []

    def grow(parent: str, depth: str) -> None:
        for item in machine.snapshots:
            if item.parent == parent:
                mark = "-> " if item.name == machine.current else "   "
                comment = f"  {item.comment}" if item.comment else ""
                lines.append(f"{indent}{mark}{depth}{item.name}  {item.created}{comment}")
                grow(item.name, f"{depth}  ")

    grow("", "")
    return lines
