"""The page on sealing is made from the table."""

from pathlib import Path

from goldsmith.builder.seal.reference import reference
from goldsmith.builder.seal.table import OPERATIONS
from goldsmith.model.leak import Where

PAGE = Path(__file__).parent.parent.parent / "docs/seal.md"


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == reference(), "run: python -m goldsmith.builder.seal.reference > docs/seal.md"


def test_the_page_has_every_operation_and_every_place() -> None:
    page = PAGE.read_text()
    assert [operation.name for operation in OPERATIONS if f"| `{operation.name}` |" not in page] == []
    assert [where.value for where in Where if f"| `{where.value}` |" not in page] == []
