"""The recipe that an image was built from, where it is still there."""

import json
from pathlib import Path

import pytest

from goldsmith.assay.prove.subject import built_from
from goldsmith.model.oci import Descriptor
from goldsmith.store import notes
from goldsmith.store.images import StoredImage

SOUND = "name: web\nversion: 1.0.0\nfrom: debian:trixie\n"


def image(recipe: Path) -> StoredImage:
    told = json.dumps({"recipe": str(recipe)})
    entry = Descriptor("application/x", "sha256:" + "a" * 64, 1, annotations=((notes.BUILD, told),))
    return StoredImage("web", "1.0.0", 1, entry, newest=True)


@pytest.mark.parametrize(
    ("text", "is_known", "said"),
    [
        pytest.param(SOUND, True, "", id="as it was"),
        pytest.param(SOUND.replace("web", "other"), False, "", id="another image's by now"),
        pytest.param(f"{SOUND}packges: [nginx]\n", False, "recipe.yaml:4", id="one with a mistake"),
        pytest.param(
            SOUND + "customizations: {timezone: '${zone}'}\n", False, "recipe.yaml", id="one with a variable"
        ),
        pytest.param(f"{SOUND}components: [gone.yml]\n", False, "gone.yml", id="one without its component"),
        pytest.param(None, False, "", id="none any more"),
    ],
)
def test_the_recipe_an_image_was_built_from(
    tmp_path: Path, text: str | None, is_known: bool, said: str
) -> None:
    recipe = tmp_path / "recipe.yaml"
    if text is not None:
        recipe.write_text(text)
    notes_made: list[str] = []
    assert (built_from(image(recipe), notes_made.append) is not None) == is_known
    assert said in "".join(notes_made)
    assert bool(notes_made) == bool(said)
    assert all("is not tested" in line for line in notes_made)
