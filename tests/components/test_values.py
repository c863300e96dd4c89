import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldsmith.errors import InputError
from goldsmith.model.component import Counting, Listing, Loop, Splitting
from goldsmith.recipe.component_values import Chain, Round, UnknownValue, render, rounds

VARIABLES = {"Name": "web", "Loop": "{{ Name }}", "a-b_1": "x"}


def chained(chain: Chain) -> str:
    return f"<{chain.phase}|{chain.step}|{chain.side}|{chain.set}|{chain.field}|{chain.item}>"


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        pytest.param("{{ Name }}", "web", id="a variable"),
        pytest.param("{{Name}}-{{   Name   }}", "web-web", id="spaces do not count"),
        pytest.param("{{ a-b_1 }}", "x", id="dashes, underscores and digits are letters"),
        pytest.param("{{ Loop }}", "{{ Name }}", id="a value is not searched again"),
        pytest.param("{ { Name } }", "{ { Name } }", id="braces apart are no reference"),
        pytest.param("{{ build.S.outputs.stdout }}", "<build|S|outputs|0|stdout|None>", id="an output"),
        pytest.param(
            "{{build.S.inputs[1].source}}", "<build|S|inputs|1|source|None>", id="the second set of inputs"
        ),
        pytest.param(
            "{{ build.My Step.outputs[0].path }}",
            "<build|My Step|outputs|0|path|None>",
            id="a step with a space",
        ),
        pytest.param(
            "{{ build.S.inputs.commands[2] }}", "<build|S|inputs|0|commands|2>", id="the third text of a list"
        ),
        pytest.param("{{ loop.index }}/{{ loop.value }}", "3/v", id="the loop"),
        pytest.param("{{ each.index }}/{{ each.value }}", "3/v", id="the loop by its name"),
        pytest.param("{{ other.index }}", "{{ other.index }}", id="another loop's name stays"),
        pytest.param("{{.Names}} {{ json . }}", "{{.Names}} {{ json . }}", id="templates of others stay"),
        pytest.param("${!NAME}", "${!NAME}", id="CloudFormation's escape stays"),
    ],
)
def test_references_are_replaced(text: str, rendered: str) -> None:
    assert render(text, VARIABLES, chained, loop="each", current=Round(3, "v")) == rendered


def test_a_loop_reference_without_a_loop_stays() -> None:
    assert render("{{ loop.index }}", VARIABLES, chained) == "{{ loop.index }}"


def test_case_counts() -> None:
    with pytest.raises(UnknownValue, match=r"\{\{ name \}\} is no parameter or constant"):
        render("{{ name }}", VARIABLES, chained)


@given(st.text())
def test_a_text_without_braces_is_never_changed(text: str) -> None:
    plain = text.replace("{{", "")
    assert render(plain, VARIABLES, chained) == plain


@pytest.mark.parametrize(
    ("over", "values"),
    [
        pytest.param(Counting("1", "3", "1"), "1 2 3", id="for counts up and includes the end"),
        pytest.param(Counting("5", "1", "-2"), "5 3 1", id="for counts down"),
        pytest.param(Counting("0", "5", "2"), "0 2 4", id="for stops before it passes the end"),
        pytest.param(Counting("7", "7", "1"), "7", id="for with one number"),
        pytest.param(Listing(("a", "b b")), "a|b b", id="forEach over a list"),
        pytest.param(Splitting("a,b,,c"), "a|b||c", id="forEach over a text, empty parts too"),
        pytest.param(Splitting("a\nb", "\n"), "a|b", id="forEach over lines"),
        pytest.param(Splitting("a b", " "), "a|b", id="forEach over words"),
        pytest.param(Splitting("{{ Name }};x", ";"), "web|x", id="forEach over a text with a variable"),
    ],
)
def test_rounds(over: Counting | Listing | Splitting, values: str) -> None:
    got = rounds(Loop(over), lambda text: render(text, VARIABLES, chained))
    assert [one.value for one in got] == values.replace(
        " ", "|" if isinstance(over, Counting) else " "
    ).split("|")
    assert [one.index for one in got] == list(range(len(got)))


def test_a_loop_with_a_variable_that_is_no_number_is_refused() -> None:
    with pytest.raises(InputError, match="'end' of a loop must be a whole number, not 'web'"):
        rounds(Loop(Counting("1", "{{ Name }}", "1")), lambda text: render(text, VARIABLES, chained))
