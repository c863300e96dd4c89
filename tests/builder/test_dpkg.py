"""dpkg's database as text: what we write, real dpkg reads, and the other way round."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from goldsmith.builder import dpkg
from goldsmith.builder.install import dependents
from goldsmith.model.package import Entry, Package


def package(name: str, **fields: str) -> Package:
    told = {key.replace("_", "-"): value for key, value in fields.items()}
    base = {"Package": name, "Version": "1", "Architecture": "all", "Maintainer": "a", "Description": "d"}
    return Package({**base, **told}, frozenset(), ())


def admindir(room: Path, status: str) -> Path:
    (room / "info").mkdir(parents=True, exist_ok=True)
    (room / "updates").mkdir(exist_ok=True)
    (room / "info/format").write_text("1\n")
    (room / "status").write_text(status)
    return room


def dpkg_query(room: Path, form: str) -> list[str]:
    command = ["dpkg-query", f"--admindir={room}", "-W", f"--showformat={form}"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env={"LC_ALL": "C.UTF-8"})
    assert done.stderr == ""
    return done.stdout.split("\x01")[:-1]


names = st.from_regex(r"[a-z0-9][a-z0-9+.-]{1,12}", fullmatch=True)
versions = st.from_regex(r"([1-9]:)?[0-9][0-9a-z.+~]{0,8}(-[0-9a-z.+~]{1,5})?", fullmatch=True)
words = st.text([*map(chr, range(33, 127)), *"äß€"], max_size=8)
lines = st.lists(words.filter(lambda w: w.strip() not in {"", "."}), min_size=1, max_size=4).map(" ".join)
described = st.lists(lines, min_size=1, max_size=4).map("\n ".join)
digests = st.from_regex(r"[0-9a-f]{32}", fullmatch=True)
kept = st.dictionaries(st.from_regex(r"/etc/[a-z][a-z.-]{0,10}", fullmatch=True), digests, max_size=3)


@st.composite
def known(draw: st.DrawFn) -> tuple[Package, Mapping[str, str]]:
    fields = {
        "Package": draw(names),
        "Version": draw(versions),
        "Architecture": "all",
        "Maintainer": draw(lines),
        "Installed-Size": str(draw(st.integers(0, 1 << 40))),
        "Description": draw(described),
    }
    if draw(st.booleans()):
        fields["Depends"] = f"{draw(names)} (>= {draw(versions)}) | {draw(names)}, {draw(names)}"
    return Package(fields, frozenset(), ()), draw(kept)


@settings(
    max_examples=8,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(listed=st.lists(known(), min_size=1, max_size=4, unique_by=lambda item: item[0].name))
def test_dpkg_reads_what_we_write(tmp_path: Path, listed: list[tuple[Package, Mapping[str, str]]]) -> None:
    text = "\n".join(dpkg.status_entry(package, conffiles) for package, conffiles in listed)
    room = admindir(tmp_path / "dpkg", text)
    form = "${Package}|${Version}|${Status}|${Description}|${Installed-Size}|${Depends}|${Conffiles}\x01"
    told = sorted(dpkg_query(room, form))
    expected = sorted(
        "|".join(
            [
                p.name,
                p.fields["Version"],
                "install ok unpacked",
                p.fields["Description"],
                p.fields["Installed-Size"],
                p.fields.get("Depends", ""),
                "\n".join(f" {path} {md5}" for path, md5 in conffiles.items()),
            ]
        )
        for p, conffiles in listed
    )
    assert told == expected
    audit = subprocess.run(
        ["dpkg", f"--admindir={room}", "--audit"], check=False, capture_output=True, text=True
    )
    assert "unpacked but not yet configured" in audit.stdout


@settings(max_examples=50)
@given(st.lists(known(), max_size=4))
def test_stanzas_survive_a_round_trip(listed: list[tuple[Package, Mapping[str, str]]]) -> None:
    text = "\n".join(dpkg.status_entry(package, conffiles) for package, conffiles in listed)
    assert dpkg.render_stanzas(dpkg.parse_stanzas(text)) == text


def test_the_hosts_own_status_survives_a_round_trip() -> None:
    text = Path("/var/lib/dpkg/status").read_text()
    again = dpkg.parse_stanzas(dpkg.render_stanzas(dpkg.parse_stanzas(text)))
    assert again == dpkg.parse_stanzas(text)
    assert len(again) == text.count("\nStatus: ")


def test_fields_of_an_index_are_not_written() -> None:
    entry = dpkg.status_entry(package("p", Filename="pool/p.deb", SHA256="ab", Size="1", Status="bad"), {})
    assert "pool" not in entry
    assert entry.splitlines()[:2] == ["Package: p", "Status: install ok unpacked"]


def test_a_list_of_files_has_the_root_as_dot() -> None:
    entries = [Entry(path, "dir", 0o755, 0, 0, 0) for path in ("", "usr", "usr/bin")]
    assert dpkg.file_list(entries) == "/.\n/usr\n/usr/bin\n"


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        pytest.param("interest ldconfig", [("ldconfig", "await")], id="plain interest waits"),
        pytest.param("interest-await ldconfig", [("ldconfig", "await")], id="interest that waits"),
        pytest.param("interest-noawait /usr/x", [("/usr/x", "noawait")], id="interest that does not"),
        pytest.param("activate-noawait ldconfig", [], id="activation is no interest"),
        pytest.param("# interest x\n\ninterest y # why\n", [("y", "await")], id="comments and empty lines"),
        pytest.param(" interest\ty ", [("y", "await")], id="white space"),
    ],
)
def test_interests(declared: str, expected: list[tuple[str, str]]) -> None:
    assert dpkg.file_triggers(declared) == expected


@pytest.mark.parametrize(
    ("paths", "interests", "expected"),
    [
        pytest.param(["usr/x/f"], {"/usr/x": ["p"]}, {"p": ["/usr/x"]}, id="a file below fires"),
        pytest.param(["usr/x"], {"/usr/x": ["p"]}, {"p": ["/usr/x"]}, id="the path itself fires"),
        pytest.param(["usr/xy"], {"/usr/x": ["p"]}, {}, id="a longer name does not"),
        pytest.param(["usr/x"], {"/usr/x/y": ["p"]}, {}, id="a parent does not"),
        pytest.param(["usr/x"], {"/usr/x": ["p/noawait"]}, {"p": ["/usr/x"]}, id="noawait is no name"),
        pytest.param(
            ["usr/x", "usr/y"],
            {"/usr/y": ["p"], "/usr/x": ["p", "q"]},
            {"p": ["/usr/x", "/usr/y"], "q": ["/usr/x"]},
            id="several triggers in order of their names",
        ),
        pytest.param(["lib/u/f"], {"/usr/lib/u": ["p"]}, {}, id="paths are compared as packages have them"),
        pytest.param([], {"/": ["p"]}, {}, id="nothing fires nothing"),
    ],
)
def test_fired(
    paths: list[str], interests: Mapping[str, list[str]], expected: Mapping[str, list[str]]
) -> None:
    assert dpkg.fired(paths, interests) == expected


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        pytest.param("a, b", [("a",), ("b",)], id="two clauses"),
        pytest.param("a | b (>= 1), c [amd64]", [("a", "b"), ("c",)], id="versions and architectures"),
        pytest.param("python3:any (>= 3)", [("python3",)], id="a qualifier is no name"),
        pytest.param("a,\n b", [("a",), ("b",)], id="folded lines"),
        pytest.param("", [], id="an empty field"),
    ],
)
def test_dependency_names(field: str, expected: list[tuple[str, ...]]) -> None:
    assert dpkg.dependency_names(field) == expected


@pytest.mark.parametrize(
    ("needs", "order"),
    [
        pytest.param({"b": "", "a": ""}, "a b", id="by name"),
        pytest.param({"a": "b", "b": "c", "c": ""}, "c b a", id="a chain"),
        pytest.param({"a": "z | b", "b": ""}, "b a", id="the alternative that is here"),
        pytest.param({"a": "z", "b": ""}, "a b", id="what is not here does not matter"),
        pytest.param({"a": "b", "b": "a"}, "b a", id="a cycle is cut"),
        pytest.param(
            {"a": "", "base-passwd": "", "base-files": ""}, "base-files base-passwd a", id="the base first"
        ),
        pytest.param({"a": "awk", "mawk": ""}, "mawk a", id="what provides it"),
    ],
)
def test_pre_dependency_order(needs: Mapping[str, str], order: str) -> None:
    provides = {"mawk": "awk (= 1)"}
    listed = [package(n, Pre_Depends=d, Provides=provides.get(n, "")) for n, d in needs.items()]
    assert [p.name for p in dpkg.pre_dependency_order(listed)] == order.split()


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.sets(st.sampled_from("abcdefgh")), max_size=8))
def test_every_package_comes_once_and_after_what_it_needs(graph: dict[str, set[str]]) -> None:
    ordered = {name: {n for n in needs if n < name} for name, needs in graph.items()}
    listed = [package(name, Pre_Depends=", ".join(sorted(needs))) for name, needs in ordered.items()]
    order = [p.name for p in dpkg.pre_dependency_order(listed)]
    assert sorted(order) == sorted(ordered)
    for name, needs in ordered.items():
        assert all(order.index(need) < order.index(name) for need in needs if need in ordered)


@pytest.mark.parametrize(
    ("placed", "refused", "waiting"),
    [
        pytest.param({"a": "b"}, {"b": ""}, {"a"}, id="one that needs a refused one"),
        pytest.param({"a": "c", "c": "b"}, {"b": ""}, {"a", "c"}, id="through another"),
        pytest.param({"a": "b | c", "c": ""}, {"b": ""}, set(), id="not where an alternative is placed"),
        pytest.param({"a": "x"}, {"b": ""}, set(), id="not those with other needs"),
        pytest.param({"a": "virtual"}, {"b": "virtual"}, {"a"}, id="what a refused one provides"),
    ],
)
def test_packages_that_wait_for_refused_ones(
    placed: Mapping[str, str], refused: Mapping[str, str], waiting: set[str]
) -> None:
    first = [package(name, Depends=needs) for name, needs in placed.items()]
    late = [package(name, Provides=provided) for name, provided in refused.items()]
    assert dependents(first, late) == waiting
