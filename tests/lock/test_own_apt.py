"""The apt of a lock is by itself: it ends with us, needs no root, and leaves the host's alone."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from tests.lock.archive import Archive, Signer
from tests.lock.locking import TOOLS_DIGEST, WEB, lock_of, names, recipe_of
from tests.lock.server import Server

from goldsmith.errors import (
    UsageError,
)
from goldsmith.lock.file import lock_text
from goldsmith.store.home import Home

PROGRAM = f"""\
import os, sys
from pathlib import Path
from goldsmith.effects import net, part  # now: nobody may not be able to read the project's directory
from goldsmith.lock.fetch import Origins
from goldsmith.lock.file import lock_text
from goldsmith.lock.mirror import Mirror
from goldsmith.lock.resolve import resolve
from goldsmith.model.recipe import Base, PackageRequest, Recipe
from goldsmith.store.home import Home
if os.geteuid() == 0 and sys.argv[4:]:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
recipe = Recipe('web', '1.0.0', Base('debian', 'trixie'), packages=(PackageRequest('web'),))
mirror = Mirror(sys.argv[1], '', keyring=Path(sys.argv[2]))
lock = resolve(recipe, (), tools={TOOLS_DIGEST!r}, home=Home(Path(sys.argv[3])), origins=Origins(mirror))
print(lock_text(lock), end='')
"""


def test_nothing_runs_on_after_a_kill(archive: Archive, server: Server, key: Signer, tmp_path: Path) -> None:
    archive.publish_trixie(WEB)
    server.lies["/dists/trixie/InRelease"] = ["always silent"]
    command = [sys.executable, "-c", PROGRAM, server.address, str(key.public), str(tmp_path / "home")]
    ours = f"APT_CONFIG={tmp_path}/home/".encode()

    def running() -> list[Path]:
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if ours in (process / "environ").read_bytes():
                    found.append(process)
        return found

    with subprocess.Popen(command) as program:
        wait_until(lambda: bool(server.asked))
        assert running()
        program.kill()
    wait_until(lambda: not running())
    server.lies.clear()
    assert "web" in names(lock_of(recipe_of("web"), server, key, Home(tmp_path / "home")))


def wait_until(is_so: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.05)


def test_an_ordinary_user_gets_the_same_lock(
    archive: Archive, server: Server, key: Signer, home: Home, tmp_path: Path
) -> None:
    """apt in a private root needs no root; run as nobody where the tests run as root."""
    archive.publish_trixie(WEB)
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    # pytest's directories are for root alone.
    for parent in [tmp_path, *list(tmp_path.parents)[:2]]:
        os.chmod(parent, 0o755)
    public, theirs = tmp_path / "key.asc", tmp_path / "theirs"
    public.write_bytes(key.public.read_bytes())
    theirs.mkdir(mode=0o777)
    theirs.chmod(0o777)
    command = [sys.executable, str(program), server.address, str(public), str(theirs), "nobody"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == lock_text(lock_of(recipe_of("web", where=None), server, key, home))


def test_a_data_directory_with_a_space_in_its_name_is_refused(
    server: Server, key: Signer, tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as caught:
        lock_of(recipe_of("web"), server, key, Home(tmp_path / "my data"))
    assert caught.value.message == (
        f"the data directory '{tmp_path}/my data' has ' ' in its name, which apt cannot read"
    )


@pytest.mark.parametrize("name", ["größe", "it's", "a;b", "{x}#y"])
def test_a_data_directory_with_an_odd_name(
    name: str, archive: Archive, server: Server, key: Signer, tmp_path: Path
) -> None:
    archive.publish_trixie(WEB)
    assert "web" in names(lock_of(recipe_of("web"), server, key, Home(tmp_path / name)))


def test_nothing_of_the_hosts_apt_is_touched(
    archive: Archive, server: Server, key: Signer, home: Home
) -> None:
    archive.publish_trixie(WEB)
    before = {path: path.stat().st_mtime_ns for path in Path("/var/lib/apt/lists").glob("*")}
    lock_of(recipe_of("web"), server, key, home)
    assert before == {path: path.stat().st_mtime_ns for path in Path("/var/lib/apt/lists").glob("*")}
