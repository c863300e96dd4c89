"""``goldsmith seal list`` and ``goldsmith seal show REF``."""

import json

import click

from goldsmith.builder.seal.table import OPERATIONS


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
        print(f"{operation.name:<{width}}  {operation.summary}")
