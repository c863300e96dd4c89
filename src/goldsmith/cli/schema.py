"""``goldsmith schema``: the recipe's JSON Schema, for editors."""

import json

import click

from goldsmith.recipe.schema import json_schema


@click.command(name="schema")
@click.option("--json", "_as_json", is_flag=True, expose_value=False, help="The output is JSON all the same.")
def command() -> None:
    """Print the recipe's JSON Schema, for editors.

    Editors with the YAML language server use it by a first line such as
    '# yaml-language-server: $schema=recipe.schema.json'.
    """
    click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))
