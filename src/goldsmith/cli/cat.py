"""``goldsmith cat REF PATH``: a file of an image."""

import base64
import hashlib
import json
import sys

import click

from goldsmith.store.contents import contents_of
from goldsmith.store.home import find_home
from goldsmith.store.images import find


@click.command("cat", short_help="Print a file of an image.")
@click.argument("ref")
@click.argument("path")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(ref: str, path: str, *, as_json: bool) -> None:
    """Print the file at PATH in the image REF; links within the image are followed.

    With --json the file is "text", or "base64" where it is none.
    """
    home = find_home()
    image = find(home, ref)
    contents = contents_of(home, image)
    if not as_json:
        for piece in contents.stream(path):
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
        return
    data = b"".join(contents.stream(path))
    facts = {
        "ref": image.own,
        "path": path,
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    try:
        content = {"text": data.decode()}
    except UnicodeDecodeError:
        content = {"base64": base64.b64encode(data).decode()}
    print(json.dumps({**facts, **content}, indent=2))
