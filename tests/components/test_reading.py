import json
import re
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsmith.errors import InputError
from goldsmith.model.action import ACTIONS, COMPARISONS
from goldsmith.model.component import Document, Download
from goldsmith.recipe.component import downloads, parse_component, read_component

CORPUS = Path(__file__).parents[1] / "corpus/components"
CASES = sorted(path.name for path in CORPUS.iterdir())
SHA = "a" * 64


def test_there_are_many_bad_documents() -> None:
    assert len(CASES) >= 60


@pytest.mark.parametrize("case", CASES)
def test_a_bad_document_is_refused_with_place_reason_and_remedy(
    case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(CORPUS / case)
    with pytest.raises(InputError) as caught:
        read_component(Path("component.yml"))
    assert f"{caught.value}\n" == (CORPUS / case / "expected.txt").read_text()


def test_every_place_in_the_corpus_has_a_line_and_a_column() -> None:
    without = [
        case
        for case in CASES
        if not re.match(r"component\.yml:\d+:\d+: ", (CORPUS / case / "expected.txt").read_text())
    ]
    assert without == ["empty-file"]


def test_a_missing_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read .*nowhere\.yml.*: No such file or directory"):
        read_component(tmp_path / "nowhere.yml")


def parsed(text: str) -> Document:
    return parse_component(text, "component.yml")


def steps(text: str, head: str = "") -> Document:
    return parsed(f"schemaVersion: 1.0\n{head}phases:\n- name: build\n  steps:\n{text}")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        pytest.param("0700", "0700", id="an octal mode without quotes stays 0700, not 448"),
        pytest.param("'0700'", "0700", id="a quoted mode is the same"),
        pytest.param("700", "700", id="three digits are a mode"),
        pytest.param("'{{ Mode }}'", "{{ Mode }}", id="a variable is left for later"),
    ],
)
def test_permissions_are_kept_as_written(written: str, read: str) -> None:
    document = steps(
        f"  - {{name: Do, action: CreateFile, inputs: [{{path: /a, permissions: {written}}}]}}\n",
        "constants: [{Mode: {type: string, value: 0644}}]\n",
    )
    assert document.phases[0].steps[0].inputs[0]["permissions"] == read
    assert document.constants[0].value == "0644"


@pytest.mark.parametrize("version", ["1.0", "'1.0'", '"1.0"', "1"])
def test_the_schema_version_may_be_a_number_or_a_text(version: str) -> None:
    text = f"schemaVersion: {version}\nphases: [{{name: test, steps: [{{name: Do, action: Reboot}}]}}]"
    assert parsed(text).phases[0].name == "test"


def test_what_is_left_out_has_awstoes_defaults() -> None:
    document = steps("  - {name: Do, action: Reboot}\n")
    step = document.phases[0].steps[0]
    assert (step.timeout_seconds, step.on_failure, step.max_attempts) == (7200, "Abort", 1)
    assert (step.condition, step.loop, document.name) == (None, None, "component")


def test_minus_one_is_no_deadline() -> None:
    assert (
        steps("  - {name: Do, action: Reboot, timeoutSeconds: -1}\n").phases[0].steps[0].timeout_seconds
        is None
    )


@pytest.mark.parametrize(
    "command",
    [
        pytest.param("docker ps --format '{{.Names}}'", id="a Go template"),
        pytest.param("echo {{ json . }}", id="words that are no reference"),
        pytest.param("echo ${!NAME}", id="an escape of CloudFormation"),
        pytest.param("echo {{ loop.value }}", id="a loop reference without a loop"),
        pytest.param("echo {{ a.b.c.d }}", id="four parts that are no chain"),
    ],
)
def test_other_double_braces_are_no_references(command: str) -> None:
    assert steps(
        f"  - name: Do\n    action: ExecuteBash\n    inputs:\n      commands:\n      - |-\n        {command}\n"
    )


@pytest.mark.parametrize("operator", COMPARISONS.values(), ids=lambda row: row.name)
def test_every_comparison_can_be_read(operator: object) -> None:
    row = COMPARISONS[operator.name]  # type: ignore[attr-defined]
    value = ", value: '1'" if row.operands == 2 else ""
    read = (
        steps(f"  - {{name: Do, action: Assert, inputs: [{{{row.name}: '1'{value}}}]}}\n").phases[0].steps[0]
    )
    assert [one.operator for one in read.asserted if hasattr(one, "operator")] == [row.name]


def test_every_action_has_a_sentence_and_no_input_twice() -> None:
    for row in ACTIONS.values():
        assert row.does.endswith(".")
        assert len({one.name for one in row.inputs}) == len(row.inputs)


DOWNLOADS = """
name: Tools
schemaVersion: 1.0
parameters:
- Version: {type: string, default: '1'}
phases:
- name: build
  steps:
  - name: Get
    action: WebDownload
    inputs:
    - {source: 'http://example.invalid/{{ Version }}', destination: /opt/a, checksum: %(SHA)s}
    - {source: 'http://example.invalid/none', destination: /opt/b}
  - name: Each
    action: WebDownload
    loop: {name: one, forEach: {list: 'x,y'}}
    inputs:
    - {source: 'http://example.invalid/{{ one.value }}{{ loop.index }}', destination: /opt/, checksum: %(MD5)s, algorithm: MD5}
- name: validate
  steps:
  - name: Same
    action: WebDownload
    inputs: [{source: 'http://example.invalid/1', destination: /opt/a, checksum: %(SHA)s}]
  - name: Where
    action: ExecuteBash
    inputs: {commands: [echo http://example.invalid/z]}
  - name: Chained
    action: WebDownload
    inputs: [{source: '{{ validate.Where.outputs.stdout }}', destination: /opt/z, checksum: %(SHA)s}]
- name: test
  steps:
  - name: Later
    action: WebDownload
    inputs: [{source: 'http://example.invalid/t', destination: /opt/t, checksum: %(SHA)s}]
""" % {"SHA": SHA.upper(), "MD5": "b" * 32}  # noqa: UP031 - braces


def test_downloads_are_those_of_build_and_validate_with_a_checksum() -> None:
    assert downloads(parsed(DOWNLOADS), {}) == (
        Download("http://example.invalid/1", SHA, "sha256"),
        Download("http://example.invalid/x0", "b" * 32, "md5"),
        Download("http://example.invalid/y1", "b" * 32, "md5"),
    )


def test_parameters_decide_what_is_downloaded() -> None:
    assert downloads(parsed(DOWNLOADS), {"Version": "2", "Other": "3"})[1].url == "http://example.invalid/2"


def test_a_parameter_without_a_value_is_an_input_error() -> None:
    document = steps("  - {name: Do, action: Reboot}\n", "parameters: [{Name: {type: string}}]\n")
    with pytest.raises(InputError) as caught:
        downloads(document, {})
    assert str(caught.value) == (
        "component.yml:2:15: the parameter 'Name' has no default, and no value is given\n"
        "  hint: give one (--parameters Name=VALUE, or 'parameters:' of the recipe's component), or add a 'default:'"
    )


def test_a_checksum_made_of_variables_is_checked_before_the_lock() -> None:
    document = steps(
        "  - {name: Do, action: WebDownload, inputs: [{source: 'http://example.invalid/', destination: /a, checksum: '{{ Sum }}'}]}\n",
        "constants: [{Sum: {type: string, value: abc}}]\n",
    )
    with pytest.raises(
        InputError, match=r"the checksum of 'http://example.invalid/' is 'abc', which is no SHA256 digest"
    ):
        downloads(document, {})


WORDS = st.sampled_from(
    [
        *(
            "name",
            "action",
            "inputs",
            "phases",
            "steps",
            "build",
            "loop",
            "for",
            "forEach",
            "if",
            "and",
            "not",
            "value",
        ),
        *(
            "commands",
            "stringEquals",
            "list",
            "delimiter",
            "path",
            "schemaVersion",
            "parameters",
            "constants",
            "type",
        ),
        *(
            "string",
            "default",
            "patternMatches",
            "(",
            "timeoutSeconds",
            "1.0",
            "0",
            "-1",
            "{{a.b.outputs.c}}",
        ),
        *("{{Xyz}}", "checksum", "source", "destination", "start", "end", "updateBy"),
        *ACTIONS,
    ]
)
VALUES = st.recursive(
    WORDS | st.none() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)


def only_reads_or_refuses(text: str) -> None:
    with suppress(InputError):
        document = parsed(text)
        downloads(document, {one.name: "1" for one in document.parameters})


@given(VALUES, VALUES, VALUES)
@settings(max_examples=250, deadline=None)
def test_reading_gives_a_document_or_an_input_error(head: object, inputs: object, more: object) -> None:
    for row in (
        {"schemaVersion": "1.0", "parameters": head, "phases": more},
        {
            "schemaVersion": "1.0",
            "phases": [
                {
                    "name": "build",
                    "steps": [
                        {"name": "a", "action": "WebDownload", "inputs": inputs, "loop": head, "if": more}
                    ],
                }
            ],
        },
        {
            "schemaVersion": "1.0",
            "phases": [
                {"name": "build", "steps": [{"name": "a", "action": "Assert", "inputs": inputs}, head]}
            ],
        },
        head,
    ):
        only_reads_or_refuses(json.dumps(row))


GOOD = DOWNLOADS.splitlines()


@given(st.data())
@settings(max_examples=250, deadline=None)
def test_a_damaged_document_gives_a_document_or_an_input_error(data: st.DataObject) -> None:
    lines = list(GOOD)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(lines) - 1))
        how = data.draw(st.sampled_from(["cut", "double", "swap", "half"]))
        if how == "cut":
            del lines[at]
        elif how == "double":
            lines.insert(at, lines[at])
        elif how == "swap":
            lines[at], lines[at - 1] = lines[at - 1], lines[at]
        else:
            lines[at] = lines[at][: data.draw(st.integers(0, len(lines[at])))]
    only_reads_or_refuses("\n".join(lines))
