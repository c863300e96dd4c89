"""From nodes to frozen classes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

import pytest

from goldsmith.errors import InputError, Place
from goldsmith.model.recipe import DiskSpec, PackageRequest, Recipe
from goldsmith.model.said import Says
from goldsmith.recipe.decode import decode
from goldsmith.recipe.document import load


@dataclass(frozen=True, slots=True)
class Wheel:
    """One wheel."""

    inches: Annotated[int, Says("Its size.", minimum=10, maximum=30)]
    where: Place | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Car:
    """A car, with every shape of field."""

    name: Annotated[str, Says("Its name.", pattern="[a-z]+", wants="small letters", example="beetle")]
    is_red: Annotated[bool, Says("Whether it is red.", key="red")] = False
    seats: Annotated[int | None, Says("How many sit in it.")] = None
    wheels: Annotated[tuple[Wheel, ...], Says("Its wheels.")] = ()
    spare: Annotated[Wheel | None, Says("One more.")] = None
    fuel: Annotated[str, Says("What it burns.", choices=("petrol", "diesel"))] = "petrol"
    notes: Annotated[Mapping[str, str], Says("Whatever else.")] = field(default_factory=dict)
    rate: Annotated[tuple[int, ...], Says("Numbers.")] = ()


def test_every_shape_is_read() -> None:
    node = load(
        "name: beetle\nred: true\nseats: 4\nwheels: [{inches: 15}]\nspare: {inches: 14}\nfuel: diesel\n"
        "notes: {year: 1967, fast: false, price: 1.5, 3: x}\nrate: [1, 2]\n",
        "f",
    )
    assert decode(Car, node) == Car(
        name="beetle",
        is_red=True,
        seats=4,
        wheels=(Wheel(15),),
        spare=Wheel(14),
        fuel="diesel",
        notes={"year": "1967", "fast": "false", "price": "1.5", "3": "x"},
        rate=(1, 2),
    )


def test_defaults_stand_where_keys_do_not() -> None:
    assert decode(Car, load("name: a\n", "f")) == Car("a")


def test_where_is_the_place_of_the_map() -> None:
    wheel = decode(Car, load("name: a\nspare:\n  inches: 15\n", "f")).spare
    assert wheel is not None
    assert wheel.where == Place("f", 3, 3)


WRONG = [
    ("a missing key", "red: true", "the key 'name' is missing", "add name: beetle"),
    ("an unknown key", "name: a\nseets: 1", "unknown key 'seets'", "did you mean 'seats'?"),
    (
        "an unknown key far from all",
        "name: a\nzzzzzz: 1",
        "unknown key 'zzzzzz'",
        "the keys here are: name, red, seats, wheels, spare, fuel, notes, rate",
    ),
    ("a field's name that is not the key", "name: a\nis_red: true", "unknown key 'is_red'", "'red'"),
    ("a pattern", "name: A1", "'name' wants small letters, and found the text 'A1'", "as in beetle"),
    (
        "a number for a text of a pattern",
        "name: 1",
        "'name' wants small letters, and found the number 1",
        "write",
    ),
    ("a bool as a text that is yes", "name: a\nred: Yes", "found the text 'Yes'", "write true"),
    ("a bool as a number", "name: a\nred: 1", "wants true or false, and found the number 1", "write true or"),
    (
        "an int as a bool",
        "name: a\nseats: true",
        "wants a whole number, and found the boolean true",
        "as in 10",
    ),
    (
        "an int as a float",
        "name: a\nseats: 4.5",
        "wants a whole number, and found the number 4.5",
        "as in 10",
    ),
    ("an int with zeros", "name: a\nseats: 007", "found the text '007'", "zeros: 7"),
    ("an int that is nothing", "name: a\nseats:", "'seats' wants a whole number, and found nothing", ""),
    ("an int too small", "name: a\nspare: {inches: 9}", "'inches' is 9, and must be at least 10", "larger"),
    ("an int too large", "name: a\nspare: {inches: 31}", "'inches' is 31, and must be at most 30", "smaller"),
    ("a choice", "name: a\nfuel: petroll", "wants one of petrol, diesel", "did you mean 'petrol'?"),
    (
        "a list that is a number",
        "name: a\nrate: 5",
        "'rate' wants a list, and found the number 5",
        "write [5]",
    ),
    ("an item of a list", "name: a\nrate: [1, x]", "'rate' wants a whole number, and found the text 'x'", ""),
    (
        "a map that is a text",
        "name: a\nspare: big",
        "'spare' wants a map, and found the text 'big'",
        "inches",
    ),
    ("a map that is nothing", "name: a\nspare:", "'spare' wants a map, and found nothing", "remove the key"),
    ("texts that are a list", "name: a\nnotes: [x]", "'notes' wants a map, and found a list", "name: value"),
    ("a text that is nothing", "name: a\nnotes: {x: ~}", "'x' wants a text, and found nothing", "'x'"),
    (
        "a missing key in a list",
        "name: a\nwheels: [{}]",
        "the key 'inches' is missing in 'wheels'",
        "Its size",
    ),
    ("a text that is long", "name: " + "x1" * 100, "found the text '" + "x1" * 30 + "…'", ""),
]


@pytest.mark.parametrize(
    ("text", "message", "hint"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG]
)
def test_what_is_wrong(text: str, message: str, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        decode(Car, load(text, "f"))
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_all_mistakes_are_told_in_the_files_order() -> None:
    with pytest.raises(InputError) as caught:
        decode(Car, load("zzz: 1\nred: no\nwheels: [{inches: 1}, {inches: 2}]\n", "f"))
    assert [line.split(": ")[0].strip() for line in caught.value.message.splitlines()[1::2]] == [
        "f:1:1",
        "f:1:1",
        "f:2:6",
        "f:3:19",
        "f:3:32",
    ]
    assert caught.value.message.startswith("5 mistakes\n")


def test_more_than_ten_mistakes_are_counted() -> None:
    with pytest.raises(InputError, match=r"^f: 13 mistakes\n(?s:.*)\n  and 3 more\n"):
        decode(Car, load("name: a\nrate: [" + "x, " * 13 + "]\n", "f"))


def test_an_alias_with_a_mistake_is_told_once() -> None:
    with pytest.raises(InputError, match=r"^f:2:20: 'inches' is 1,"):
        decode(Car, load("name: a\nspare: &w {inches: 1}\nwheels: [*w, *w]\n", "f"))


PACKAGES = [
    ("nginx", PackageRequest("nginx")),
    ("-snapd", PackageRequest("snapd", forbidden=True)),
    ("g++", PackageRequest("g++")),
    ("libc6:amd64", PackageRequest("libc6")),
    ("libc6:any=2.41-1", PackageRequest("libc6", version="2.41-1")),
    ("-g++:native", PackageRequest("g++", forbidden=True)),
    ("nginx=1:1.26~rc1+b2-3", PackageRequest("nginx", version="1:1.26~rc1+b2-3")),
    ("nginx/trixie-backports", PackageRequest("nginx", suite="trixie-backports")),
]


@pytest.mark.parametrize(("text", "request_"), PACKAGES, ids=[row[0] for row in PACKAGES])
def test_packages(text: str, request_: PackageRequest) -> None:
    head = "name: a\nversion: 1.0.0\nfrom: debian:sid\n"
    assert decode(Recipe, load(f"{head}packages: ['{text}']\n", "f")).packages == (request_,)
    assert str(request_) == re.sub(":(amd64|any|native)", "", text)


SIZES = [
    ("10 GiB", 10 * 1024**3),
    ("512MiB", 512 * 1024**2),
    ("1.5 GiB", 1536 * 1024**2),
    ("10 GB", 10 * 1000**3),
    ("1073741824", 1024**3),
    ("minimal", None),
]


@pytest.mark.parametrize(("text", "size"), SIZES, ids=[row[0] for row in SIZES])
def test_sizes(text: str, size: int | None) -> None:
    assert decode(DiskSpec, load(f"size: {text}\n", "f")).size == size


MODES = [
    ("0644", 0o644),
    ("755", 0o755),
    ("0o600", 0o600),
    ("1777", 0o1777),
    ("04755", 0o4755),
    ("'0640'", 0o640),
]


@pytest.mark.parametrize(("text", "mode"), MODES, ids=[row[0] for row in MODES])
def test_modes(text: str, mode: int) -> None:
    head = "name: a\nversion: 1.0.0\nfrom: debian:sid\n"
    recipe = decode(
        Recipe, load(f"{head}customizations: {{files: [{{path: /a, data: '', mode: {text}}}]}}\n", "f")
    )
    assert recipe.customizations.files[0].mode == mode
