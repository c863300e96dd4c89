"""``goldsmith seal list`` and ``goldsmith seal show REF``."""

import json
import sys

import click

from goldsmith.builder.seal.certificate import from_json
from goldsmith.builder.seal.kept import need_certificate
from goldsmith.builder.seal.table import OPERATIONS
from goldsmith.cli.units import visible
from goldsmith.model.seal import SealCertificate
from goldsmith.store.home import find_home
from goldsmith.store.images import find, layout_of


@click.group("seal", short_help="List what sealing removes; show an image's seal certificate.")
def command() -> None:
    """What sealing removes from every image, and what it did to one."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def list_operations(*, as_json: bool) -> None:
    """Print every seal operation: its name, for a recipe's `seal.keep`, and what it removes.

    --json has what each matches too: `~/` stands for every home, `*` and `?` match within a name, `**` across.
    """
    if as_json:
        rows = [
            {
                "name": operation.name,
                "summary": operation.summary,
                "matches": list(operation.matches),
                "spares": sorted(operation.spares),
                "default": operation.default,
            }
            for operation in OPERATIONS
        ]
        print(json.dumps({"operations": rows}, indent=2))
        return
    width = max(len(operation.name) for operation in OPERATIONS)
    for operation in OPERATIONS:
        off = "" if operation.default else " (off)"
        print(f"{operation.name:<{width}}  {operation.summary}{off}")


@command.command("show")
@click.argument("ref")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: the certificate as it is kept.")
def show(ref: str, *, as_json: bool) -> None:
    """Print the seal certificate of REF: what was found and removed, the proof of absence, and exceptions."""
    home = find_home()
    layout, image = layout_of(home), find(home, ref)
    document, own = need_certificate(layout, image)
    print(json.dumps(document, indent=2) if as_json else in_words(image.reference, from_json(document)))
    if not own:
        print(f"note: {image.reference} was not built here: whoever sent it says this", file=sys.stderr)


def in_words(reference: str, certificate: SealCertificate) -> str:
    """The certificate for people: only operations that had something to do."""
    removed = sum(len(row.removed) for row in certificate.operations)
    proof = "a second look found nothing" if certificate.absent else "A SECOND LOOK FOUND TRACES"
    lines = [
        f"{reference}: {len(certificate.operations)} operations, {removed} traces removed, {proof}",
        *(f"  {name:<12} {value}" for name, value in sorted(certificate.image.items())),
    ]
    for row in certificate.operations:
        lines += [f"  {row.operation:<22} removed   {path}" for path in row.removed]
        lines += [f"  {row.operation:<22} declared  {path}" for path in row.declared]
        lines += [f"  {row.operation:<22} LEFT      {path}" for path in row.left]
    for item in certificate.exceptions:
        why = "the recipe keeps it" if item.reason == "recipe" else "off unless asked for"
        lines += [f"  {item.operation:<22} kept      {path} ({why})" for path in item.paths or ("nothing",)]
    return "\n".join(map(visible, lines))
