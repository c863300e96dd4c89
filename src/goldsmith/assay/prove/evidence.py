"""Proofs as they are kept: what is known about a digest is not found out twice."""

import json
from contextlib import suppress
from pathlib import Path

from goldsmith.effects.files import write_durably
from goldsmith.model.canonical import digest, plain
from goldsmith.model.proof import Assertion, Expected, Group, Proof, Standing
from goldsmith.store.home import Home

ROOM = "evidence"
FORMAT = 1


def place(home: Home, image: str, asked: str) -> Path:
    """Where a proof is kept: by the image's digest, and by what was asked of it."""
    return home / ROOM / image.removeprefix("sha256:") / f"boot-{asked.removeprefix('sha256:')[:16]}.json"


def question(recipe: str, expected: Expected, firmware: str) -> str:
    """What is asked of an image, as a digest: with another recipe or another budget it is another question."""
    return digest({"format": FORMAT, "recipe": recipe, "expected": plain(expected), "firmware": firmware})


def keep(path: Path, proof: Proof) -> None:
    """Keep a proof; it is there after a crash."""
    write_durably(path, json.dumps(plain(proof), indent=1).encode() + b"\n")


def known(path: Path) -> Proof | None:
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
