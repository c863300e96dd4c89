"""A machine's disk as qcow2 layers, each over the one it grew from; names are relative, so a machine can be renamed."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from goldsmith.effects.process import run
from goldsmith.effects.randomness import nonce
from goldsmith.model.vm import LocalMachine

LAYERS = "layers"
BASE = "base"


@dataclass(frozen=True, slots=True)
class Below:
    """What a layer reads from where nothing was written to it."""

    file: str
    """The file, relative to the layers' directory unless absolute."""
    format: str
    """``raw`` or ``qcow2``."""


TABLES = 1 << 20
"""Bytes that an empty layer's tables never reach (a disk of 16 TiB needs 512 KiB): a larger file holds data, and asking
qemu-img takes 25 ms."""


def layer_path(directory: Path, layer: str) -> Path:
    """Where a layer lies."""
    return directory / LAYERS / f"{layer}.qcow2"


def below(machine: LocalMachine, layer: str) -> Below:
    """What a new layer over ``layer`` reads from; the empty layer is the origin's disk."""
    if layer:
        return Below(f"{layer}.qcow2", "qcow2")
    return Below(machine.origin.path or f"../{BASE}", machine.origin.format)


def new_layer(directory: Path, under: Below, size: int) -> str:
    """Make an empty layer; its name."""
    name = nonce()[:16]
    where = directory / LAYERS
    where.mkdir(exist_ok=True, mode=0o700)
    run(
        [
            "qemu-img",
            "create",
            "-q",
            "-f",
            "qcow2",
            "-F",
            under.format,
            "-b",
            under.file,
            f"{name}.qcow2",
            str(size),
        ],
        cwd=where,
    )
    return name


def is_untouched(directory: Path, layer: str) -> bool:
    """Whether nothing was ever written to a layer: its tables point nowhere."""
    path = layer_path(directory, layer)
    if path.stat().st_size > TABLES:
        return False
    told = run(["qemu-img", "map", "-U", "--output=json", str(path)]).text
    return not any(item.get("data") and item.get("depth") == 0 for item in json.loads(told)) and not any(
        item.get("zero") and item.get("depth") == 0 and item.get("present", True) for item in json.loads(told)
    )


def parents(directory: Path) -> dict[str, str]:
    """Every layer on the disk, and the one below it; empty where that is the origin's disk."""
    found = {}
    for path in sorted((directory / LAYERS).glob("*.qcow2")):
        named = _backing(path)
        found[path.stem] = Path(named).stem if named.endswith(".qcow2") and "/" not in named else ""
    return found


def _backing(path: Path) -> str:
    """The name in a qcow2 header of the file below; read here, since asking qemu-img takes 20 ms a layer.

    Source: QEMU's docs/interop/qcow2.txt, bytes 8 to 19 of the header.
    """
    with path.open("rb") as stream:
        head = stream.read(20)
        stream.seek(int.from_bytes(head[8:16], "big"))
        return stream.read(int.from_bytes(head[16:20], "big")).decode()


def collect(directory: Path, machine: LocalMachine) -> None:
    """Remove layers that no snapshot names and nothing reads from; merge those that only one layer reads from.

    The machine must not run. A merge writes the upper layer into the lower one and then gives that the upper one's
    name: whoever is interrupted finds both, and both right.
    """
    named = {machine.layer, *(snapshot.layer for snapshot in machine.snapshots)}
    while True:
        known = parents(directory)
        gone = next((layer for layer in known if layer not in named and layer not in known.values()), None)
        if gone:
            layer_path(directory, gone).unlink()
            continue
        lower = next((layer for layer in known if layer not in named and _readers(known, layer) == 1), None)
        if lower is None:
            return
        upper = next(layer for layer, under in known.items() if under == lower)
        if not _merge(directory, lower, upper):
            return


def _readers(known: dict[str, str], layer: str) -> int:
    return sum(under == layer for under in known.values())


def _merge(directory: Path, lower: str, upper: str) -> bool:
    """Write ``upper`` into ``lower`` and let that take its name; not where a clone reads one of them too."""
    files = layer_path(directory, lower), layer_path(directory, upper)
    if any(path.stat().st_nlink > 1 for path in files):
        return False
    run(["qemu-img", "commit", "-q", "-d", "-f", "qcow2", files[1].name], cwd=directory / LAYERS)
    os.rename(*files)
    return True


def size_of(directory: Path, layer: str) -> int:
    """Bytes that a layer takes on this host's disk."""
    return layer_path(directory, layer).stat().st_blocks * 512 if layer else 0
