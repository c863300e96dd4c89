from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from goldsmith.lock.candidate import Candidate, candidate, candidates, closure, relations
from goldsmith.lock.groups import LAST, assign_groups
from goldsmith.model.lock import LockedPackage

STANZA = """\
Package: web
Version: 1:2.0-1
Architecture: amd64
Pre-Depends: init-system-helpers (>= 1.54~), dpkg
Depends: libc6 (>= 2.38) [amd64], perl:any | perl5, libweb1t64 (= 1:2.0-1),
 web-data
Recommends: web-doc
Provides: httpd, httpd-cgi (= 1)
Essential: yes
Filename: pool/w/web_2.0.deb
Size: 12
SHA256: abc
Description: a server
 Depends: not-this
"""


def test_a_stanza_is_read() -> None:
    found = candidate(STANZA)
    assert found.needs == (
        ("init-system-helpers",),
        ("dpkg",),
        ("libc6",),
        ("perl", "perl5"),
        ("libweb1t64",),
        ("web-data",),
    )
    assert (found.name, found.version, found.size, found.essential) == ("web", "1:2.0-1", 12, True)
    assert (found.provides, found.recommends) == (("httpd", "httpd-cgi"), (("web-doc",),))
    assert [item.name for item in candidates(f"{STANZA}\n{STANZA.replace('web', 'two')}\n\n")] == [
        "web",
        "two",
    ]
    assert relations("") == ()


def package(name: str, needs: str = "", **how: object) -> Candidate:
    made = Candidate(
        name, "1", "all", "", 1, f"{name}-1", relations(needs), (), (), essential=False, stanza=""
    )
    return replace(made, **how)  # type: ignore[arg-type]


def image(*packages: Candidate) -> dict[str, Candidate]:
    return {item.name: item for item in packages}


def locked(groups: dict[str, int], packages: dict[str, Candidate]) -> list[LockedPackage]:
    return [
        LockedPackage(name, "1", "all", "base", "p", 1, packages[name].sha256, group)
        for name, group in groups.items()
    ]


FIRST = image(
    package("base-files", essential=True, needs="awk"),
    package("mawk", provides=("awk",)),
    package("kernel", "kmod, image"),
    package("kmod"),
    package("web", "libweb, kmod"),
    package("libweb"),
)


def test_what_boots_and_what_it_needs_comes_first() -> None:
    assert assign_groups(FIRST, ["kernel", "dracut"]) == {
        "base-files": 1,
        "mawk": 1,
        "kernel": 1,
        "kmod": 1,
        "web": 2,
        "libweb": 2,
    }


def test_without_anything_but_what_boots_there_is_one_group() -> None:
    assert set(assign_groups(image(package("kernel")), ["kernel"]).values()) == {1}
    assert set(assign_groups(image(package("web")), []).values()) == {1}


def test_what_is_added_gets_a_group_of_its_own() -> None:
    groups = dict(assign_groups(FIRST, ["kernel"]))
    for number in range(3, LAST + 1):
        more = {**FIRST, **{f"new{n}": package(f"new{n}") for n in range(3, number + 1)}}
        groups = dict(assign_groups(more, ["kernel"], locked(groups, more)))
        assert groups[f"new{number}"] == number
    more["last"] = package("last")
    assert set(assign_groups(more, ["kernel"], locked(groups, more)).values()) == {1, 2}


def test_what_changed_or_went_makes_all_groups_anew() -> None:
    more = {**FIRST, "new": package("new")}
    before = locked(dict(assign_groups(FIRST, ["kernel"])), FIRST)
    assert assign_groups(more, ["kernel"], before)["new"] == 3
    changed = {**more, "libweb": package("libweb", sha256="other")}
    assert assign_groups(changed, ["kernel"], before)["new"] == 2
    gone = {name: item for name, item in more.items() if name != "web"}
    assert assign_groups(gone, ["kernel"], before)["new"] == 2


NAMES = st.sampled_from([f"p{number}" for number in range(8)])
IMAGES = st.dictionaries(NAMES, st.lists(NAMES, max_size=3)).map(
    lambda graph: image(*(package(name, ", ".join(needs)) for name, needs in graph.items()))
)


@given(IMAGES, st.lists(NAMES, max_size=3), st.lists(NAMES, max_size=3))
def test_a_group_never_needs_a_later_one_and_groups_have_no_gaps(
    packages: dict[str, Candidate], boots: list[str], added: list[str]
) -> None:
    groups = dict(assign_groups(packages, boots))
    assert groups.keys() == packages.keys()
    for name, item in packages.items():
        for alternatives in item.needs:
            for other in alternatives:
                assert groups.get(other, 1) <= groups[name]
    more = {**packages, **{f"new-{name}": package(f"new-{name}", name) for name in added}}
    again = assign_groups(more, boots, locked(groups, packages))
    assert set(again.values()) == set(range(1, max(again.values(), default=0) + 1))
    if packages:
        assert {name: again[name] for name in packages} == groups


@given(IMAGES, st.lists(NAMES, max_size=3))
def test_a_closure_is_closed_and_has_its_roots(packages: dict[str, Candidate], roots: list[str]) -> None:
    found = closure(roots, packages)
    assert found == closure(found, packages)
    assert set(roots) & packages.keys() <= found <= packages.keys()
