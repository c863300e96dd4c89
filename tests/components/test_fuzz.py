"""Whatever file modules are asked for, a run ends with a result, and nothing outside the tree is touched."""

import json
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from goldsmith.builder.components.local import LocalHost
from goldsmith.builder.components.run import run_document
from goldsmith.effects.root import Root
from goldsmith.model.action import ACTIONS
from goldsmith.recipe.component import parse_component

FILE_ACTIONS = [name for name, row in ACTIONS.items() if row.listed and row.inputs and name != "WebDownload"]
PATHS = st.sampled_from(
    [
        *(
            "/",
            ".",
            "..",
            "/a",
            "/a/",
            "/a/b",
            "/a/b/c",
            "a",
            "/../a",
            "/door",
            "/door/",
            "/door/x",
            "/dots",
            "/loop",
        ),
        *(
            "/dots/x",
            "/*",
            "/a/*",
            "/door/*",
            "*/a",
            "/a/../..",
            "//a",
            "/new/deep/x",
            "/self",
            "/self/self/a",
        ),
        "{{ Path }}",
    ]
)
TEXTS = {
    "path": PATHS,
    "bool": st.sampled_from(["true", "false", "{{ Path }}"]),
    "mode": st.sampled_from(["0755", "700", "7777"]),
    "encoding": st.sampled_from(["utf8", "utf16", "utf32-LE"]),
}


@st.composite
def steps(draw: st.DrawFn) -> dict[str, object]:
    """One step of a file module, which may fail."""
    row = ACTIONS[draw(st.sampled_from(FILE_ACTIONS))]
    inputs = {
        one.name: draw(TEXTS.get(one.kind, PATHS | st.sampled_from(["root", "4", "x"])))
        for one in row.inputs
        if one.required or draw(st.booleans())
    }
    return {"action": row.name, "inputs": [inputs], "onFailure": "Continue"}


def contents(top: Path) -> dict[str, object]:
    return {
        str(path): (path.stat().st_mode, path.read_bytes() if path.is_file() else b"")
        for path in top.rglob("*")
    }


@given(st.lists(steps(), min_size=1, max_size=6))
@settings(max_examples=150, deadline=None)
def test_file_modules_stay_in_the_tree_and_never_raise(given_steps: list[dict[str, object]]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        tree, outside = Path(directory, "tree"), Path(directory, "outside")
        (tree / "a/b").mkdir(parents=True)
        (tree / "a/c").write_text("in")
        (outside / "x").mkdir(parents=True)
        (outside / "y").write_text("out")
        (tree / "door").symlink_to(outside)
        (tree / "dots").symlink_to("../../../../../../../../.." + str(outside))
        (tree / "loop").symlink_to("loop")
        (tree / "self").symlink_to(".")
        before = contents(outside)
        numbered = [{**step, "name": f"s{number}"} for number, step in enumerate(given_steps)]
        text = json.dumps(
            {
                "schemaVersion": "1.0",
                "constants": [{"Path": {"type": "string", "value": "/a/b"}}],
                "phases": [{"name": "build", "steps": numbered}],
            }
        )
        with Root(tree) as root:
            result = run_document(
                parse_component(text, "fuzz.yml"),
                LocalHost(root, "/", {}),
                log_directory=Path(directory, "log"),
            )
        assert len(result.phases[0].steps) == len(given_steps)
        assert contents(outside) == before
