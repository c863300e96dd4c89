from pathlib import Path

import pytest

from goldsmith.recipe.component import parse_component
from goldsmith.recipe.component_reference import comparisons_table, modules_table, refused_list

PAGE = (Path(__file__).parents[2] / "docs/components.md").read_text()


@pytest.mark.parametrize(
    "part",
    [
        pytest.param(modules_table(), id="action modules"),
        pytest.param(comparisons_table(), id="comparisons"),
        pytest.param(refused_list(), id="refused modules"),
    ],
)
def test_the_page_has_the_table_of_the_code(part: str) -> None:
    assert f"\n\n{part}\n" in PAGE


def test_the_document_on_the_page_is_good() -> None:
    document = parse_component(PAGE.partition("```yaml\n")[2].partition("```")[0], "components.md")
    assert [phase.name for phase in document.phases] == ["build", "validate"]
