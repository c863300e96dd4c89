"""``goldsmith seal list`` prints the table."""

import json

from click.testing import CliRunner

from goldsmith.builder.seal.table import OPERATIONS
from goldsmith.cli.seal import command


def test_the_list_for_people_has_a_line_for_each_operation() -> None:
    lines = CliRunner().invoke(command, ["list"]).stdout.splitlines()
    assert [line.split()[0] for line in lines] == [operation.name for operation in OPERATIONS]
    assert [line.split()[0] for line in lines if line.endswith("(off)")] == ["mail-name"]


def test_the_list_for_programs_has_all_of_the_table() -> None:
    rows = json.loads(CliRunner().invoke(command, ["list", "--json"]).stdout)["operations"]
    assert [(row["name"], row["summary"], tuple(row["matches"]), row["default"]) for row in rows] == [
        (operation.name, operation.summary, operation.matches, operation.default) for operation in OPERATIONS
    ]
