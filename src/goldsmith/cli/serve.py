"""``goldsmith serve``: the local store for others to pull from."""

import json
import sys

import click

from goldsmith.store.home import find_home
from goldsmith.store.images import layout_of


@click.command("serve", short_help="Serve the local store over HTTP, read only.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 takes any free one."
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--quiet", is_flag=True, help="Do not log requests.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object with the address, then serve.")
def command(*, port: int, host: str, quiet: bool, as_json: bool) -> None:
    """Serve the local store until Ctrl-C: goldsmith pull takes from it, and container tools as from a registry.

    There is no TLS and no login: listen on another address than the loopback only where everybody may read every
    image, or put a web server before it that asks.
    """
    from goldsmith.effects.webserver import WebServer  # noqa: PLC0415 - the help does without
    from goldsmith.store.remote.site import StoreSite  # noqa: PLC0415

    layout = layout_of(find_home())

    def log(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    server = WebServer(host, port, StoreSite(layout), None if quiet else log)
    if as_json:
        print(json.dumps({"address": server.address, "store": str(layout.directory)}), flush=True)
    print(f"goldsmith: serving {layout.directory} at {server.address}", file=sys.stderr, flush=True)
    server.run()
