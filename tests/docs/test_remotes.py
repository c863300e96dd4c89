"""The page on remotes is run, with two small images and Debian's registry."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.docs.test_tutorial import commands, first_missing
from tests.store.remote.images import BASE, CHANGED, Maker
from tests.store.remote.registries import free_port, registry

from goldsmith.store.home import Home
from goldsmith.store.remote.address import Kind, parse

PAGE = Path(__file__).parent.parent.parent / "docs/remotes.md"
TIMEOUT = 60


def test_the_page_on_remotes(tmp_path: Path) -> None:
    home, room = tmp_path / "home", tmp_path / "room"
    room.mkdir()
    maker = Maker(Home(home), tmp_path)
    maker.make("web", "1.0.0", BASE)
    maker.make("web", "1.1.0", CHANGED)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "GOLDSMITH_HOME": str(home), "PATH": path}
    with registry(tmp_path) as started:
        places = {"127.0.0.1:5000": started.host, "8000": str(free_port())}
        page = PAGE.read_text()
        for written, real in places.items():
            page = page.replace(written, real)
        found = list(commands(page))
        assert {command.words.split("goldsmith ")[-1].split()[0] for command in found} >= {
            "push",
            "pull",
            "copy",
            "serve",
        }
        for command in found:
            output = tmp_path / "output"
            with output.open("wb") as stream:  # a server in the background keeps it open
                done = subprocess.run(
                    ["sh", "-c", command.words],
                    cwd=room, env=environment, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream,
                    timeout=TIMEOUT, check=False,
                )  # fmt: skip
            printed = output.read_text()
            place = f"docs/remotes.md:{command.line}: {command.words}\n{printed}"
            assert done.returncode == 0, place
            missing = first_missing(command.expected, printed)
            assert missing is None, f"{missing!r} is not printed by {place}"


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("registry.example:5000/team/web:1.0.0", Kind.REGISTRY),
        ("docker://registry/team/web:1.0.0", Kind.REGISTRY),
        ("oci:localhost/web:1.0.0", Kind.REGISTRY),
        ("/srv/images/web:1.0.0", Kind.DIRECTORY),
        ("./images/web:1.0.0", Kind.DIRECTORY),
        ("dir:images/web:1.0.0", Kind.DIRECTORY),
        ("https://host.example/images/web:1.0.0", Kind.WEB),
        ("web:1.0.0", Kind.STORE),
    ],
)
def test_addresses_mean_what_the_page_says(address: str, kind: Kind) -> None:
    found = parse(address)
    assert (found.place.kind, found.name, found.tag) == (kind, "web", "1.0.0")
    assert str(parse(str(found))) == str(found)
