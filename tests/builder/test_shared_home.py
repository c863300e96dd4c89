from typing import Any

import pytest

from goldsmith.disk.stored import raw_disk
from goldsmith.store.home import Home
from goldsmith.store.images import find


@pytest.mark.image
def test_the_example_is_built_once_and_found_in_the_shared_home(
    web_build: dict[str, Any], shared_home: Home
) -> None:
    image = find(shared_home, f"{web_build['name']}:{web_build['version']}")
    assert image.digest == web_build["digest"]
    assert raw_disk(shared_home, image).stat().st_size > 1 << 28
