"""Proofs as they are kept: what is known about a digest is not found out twice."""

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from goldsmith.assay.prove.clones import Setting
from goldsmith.assay.prove.own import test_digests
from goldsmith.builder.inputs import Inputs
from goldsmith.effects.files import write_durably
from goldsmith.model.canonical import digest, plain
from goldsmith.model.machine import Firmware
from goldsmith.model.proof import Assertion, Expected, Group, Proof, Standing
from goldsmith.store.home import Home

ROOM = "evidence"
FORMAT = 3


def place(home: Home, image: str, asked: str) -> Path:
    """Where a proof is kept: by the image's digest, and by what was asked of it."""
    return home / ROOM / image.removeprefix("sha256:") / f"boot-{asked.removeprefix('sha256:')[:16]}.json"


def question(inputs: Inputs | None, expected: Expected, firmware: Firmware) -> str:
    """What is asked of an image, as a digest: with another recipe, test or budget it is another question.

    Raises:
        InputError: one of the recipe's tests is not there, or is none.
    """
    asked = {"format": FORMAT, "expected": plain(expected), "firmware": firmware.value}
    if inputs:
        asked |= {"recipe": inputs.digest, "tests": test_digests(inputs.recipe)}
    return digest(asked)


@dataclass(frozen=True, slots=True)
class Kept:
    """Where the proof that answers a question is kept.

    A failure may be one of the time or the memory that the clones had: it answers only who gives them the same.
    """

    passed: Path
    """Of an image that is proved."""
    failed: Path
    """Of one that is not."""


def places(home: Home, image: str, asked: str, setting: Setting) -> Kept:
    """Where proofs are kept: by the image's digest, and by what was asked of it."""
    given = [asked, setting.accelerator.value, setting.memory, setting.timeout]
    return Kept(place(home, image, asked), place(home, image, digest(given)))


def keep(kept: Kept, proof: Proof) -> None:
    """Keep a proof in place of what was known before; it is there after a crash."""
    path, other = (kept.passed, kept.failed) if proof.ok else (kept.failed, kept.passed)
    write_durably(path, json.dumps(plain(proof), indent=1).encode() + b"\n")
    other.unlink(missing_ok=True)


def known(kept: Kept) -> Proof | None:
    """The proof that answers; ``None`` where there is none that can be read."""
    return read(kept.passed) or read(kept.failed)


def read(path: Path) -> Proof | None:
    """The proof that is kept there; ``None`` where there is none that can be read."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        told = json.loads(path.read_bytes())
        assertions = tuple(
            Assertion(
                Group(item["group"]),
                item["name"],
                Standing(item["standing"]),
                item["reason"],
                tuple(item["lines"]),
            )
            for item in told["assertions"]
        )
        return Proof(**{**told, "assertions": assertions})
    return None
