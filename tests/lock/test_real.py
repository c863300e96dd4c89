"""debian:trixie and its siblings for real, through whatever mirror this host has."""

import os
from pathlib import Path

import pytest

from goldsmith.lock.fetch import fetch
from goldsmith.lock.mirror import read_host_apt
from goldsmith.lock.renew import origins_of, renew, tools_mirror
from goldsmith.model.recipe import Base, PackageRequest, Recipe
from goldsmith.store.home import Home


@pytest.mark.image
@pytest.mark.parametrize("suite", ["trixie", "bookworm"])
def test_a_real_lock(suite: str, tmp_path: Path) -> None:
    recipe = Recipe("web", "1.0.0", Base("debian", suite), packages=(PackageRequest("nginx"),))
    host, environment, home = read_host_apt(), dict(os.environ), Home(tmp_path / "home")
    origins = origins_of(recipe, environment=environment, host=host)
    made = renew(
        recipe,
        tmp_path / "web.yaml",
        home=home,
        origins=origins,
        mirror=tools_mirror(recipe, origins, environment=environment, host=host),
    )
    groups = {package.name: package.group for package in made.lock.packages}
    assert groups["systemd"] == groups["libc6"] == groups["linux-image-cloud-amd64"] == 1
    assert groups["nginx"] == 2
    assert made.tools.suite == "trixie"
    small = [package for package in made.lock.packages if package.size < 100_000][:10]
    assert len(fetch(small, origins, home=home)) == len(small)
