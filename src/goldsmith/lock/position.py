"""Where in a JSON text a value stands; asked only once something is wrong with it."""

import yaml


def position_of(text: str, path: tuple[str | int, ...]) -> tuple[int, int]:
    """Line and column, from 1, of the value at ``path`` (or of the nearest one above it); 0, 0 if it cannot be told.

    JSON is YAML, and PyYAML keeps places.
    """
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        return 0, 0
    if node is None:
        return 1, 1
    for part in path:
        child = _child(node, part)
        if child is None:
            break
        node = child
    return node.start_mark.line + 1, node.start_mark.column + 1


def _child(node: yaml.Node, part: str | int) -> yaml.Node | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int):
        return node.value[part] if part < len(node.value) else None
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == part), None)
    return None
