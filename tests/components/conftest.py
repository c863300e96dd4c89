"""A tree in a temporary directory, and documents that are run on it."""

import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from goldsmith.builder.components.local import LocalHost
from goldsmith.builder.components.result import DocumentResult
from goldsmith.builder.components.run import run_document
from goldsmith.effects.root import Root
from goldsmith.recipe.component import parse_component

Runner = Callable[..., DocumentResult]
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """An almost empty tree."""
    top = tmp_path / "tree"
    (top / "etc").mkdir(parents=True)
    (top / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nweb:x:1234:1235::/:/bin/false\n")
    (top / "etc/group").write_text("root:x:0:\nweb:x:1235:\nadm:x:4:\n")
    (top / "opt").mkdir()
    return top


@pytest.fixture
def host(tree: Path) -> Iterator[LocalHost]:
    """Files are those of the tree; programs run on this machine."""
    with Root(tree) as root:
        yield LocalHost(root, "/", ENVIRONMENT, pause=0.001)


@pytest.fixture
def run(host: LocalHost, tmp_path: Path) -> Runner:
    """Runs the steps of a document that is given as text, indented as one likes."""

    def run_it(
        steps: str,
        *,
        head: str = "",
        phases: Sequence[str] | None = None,
        parameters: Mapping[str, str] | None = None,
        earlier: DocumentResult | None = None,
        hidden: Sequence[str] = (),
    ) -> DocumentResult:
        text = textwrap.dedent(steps).strip("\n")
        if "phases:" not in text:
            inner = textwrap.indent(text, "  ")
            text = f"schemaVersion: 1.0\n{textwrap.dedent(head)}phases:\n- name: build\n  steps:\n{inner}\n"
        return run_document(
            parse_component(text, "component.yml"),
            host,
            log_directory=tmp_path / "log",
            phases=phases,
            parameters=parameters,
            earlier=earlier,
            hidden=hidden,
        )

    return run_it
