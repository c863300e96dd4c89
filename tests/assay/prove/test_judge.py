"""What clones showed is judged: each way in which a proof can fail, by name."""

import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from goldsmith.assay.prove import evidence, judge, junit
from goldsmith.assay.prove.clones import Setting
from goldsmith.assay.prove.look import Facts, listening
from goldsmith.assay.prove.oracle import judged
from goldsmith.builder.inputs import read_inputs
from goldsmith.cli.test import as_object, in_words
from goldsmith.errors import InputError
from goldsmith.model.machine import Accelerator, Firmware, GuestReport
from goldsmith.model.proof import Assertion, Expectation, Expected, Group, Proof, Standing
from goldsmith.recipe.read import read_recipe
from goldsmith.store.home import Home

GIB = 1 << 30
SETTING = Setting(Accelerator.TCG, Firmware.UEFI, 1024, 300.0)
REPORT = GuestReport(
    state="running",
    kernel="6.12",
    times=("Startup finished in 5.1s (kernel) + 1min 2.5s (userspace) = 1min 7.6s",),
    root_bytes=2 * GIB,
    root_used=GIB // 2,
    cloud_init=("status: done",),
)
IDENTITY = {"machine-id": "1", "boot-id": "b1", "host-key-rsa": "k1", "hostname": "localhost"}
OTHERS = {"machine-id": "2", "boot-id": "b2", "host-key-rsa": "k2", "hostname": "localhost"}
ONE = Facts(
    report=REPORT,
    identity=IDENTITY,
    files={"/etc/passwd": "p", "/etc/machine-id": "1", "/etc/ssh/ssh_host_rsa_key": "k1"},
    packages=frozenset({"a 1 installed"}),
    ports=frozenset({"22:tcp"}),
    setuid=frozenset({"/usr/bin/su"}),
    memory=100 << 20,
    dumps=(),
    root="ext2/ext3",
)
OTHER = replace(
    ONE, identity=OTHERS, files={**ONE.files, "/etc/machine-id": "2", "/etc/ssh/ssh_host_rsa_key": "k2"}
)
NOTHING = Expected()


def failures(assertions: list[Assertion]) -> dict[str, str]:
    return {item.name: item.reason for item in assertions if item.standing is Standing.FAILED}


def test_two_clones_as_they_should_be_are_found_so() -> None:
    found = list(judge.identities(ONE, OTHER, ""))
    assert failures(found) == {}
    assert {item.standing for item in found} == {Standing.PASSED}


@pytest.mark.parametrize(
    ("other", "hostname", "name", "reason"),
    [
        pytest.param(
            {"machine-id": "1"},
            "",
            "machine-id differs",
            "both clones have the same machine-id",
            id="baked machine-id",
        ),
        pytest.param(
            {"host-key-rsa": "k1"},
            "",
            "host-key-rsa differs",
            "both clones have the same host-key",
            id="baked host key",
        ),
        pytest.param(
            {"boot-id": "b1"}, "", "boot-id differs", "both clones have the same boot-id", id="one boot"
        ),
        pytest.param(
            {"instance-id": "i"},
            "",
            "instance-id differs",
            "only one of two clones has it",
            id="one has what the other lacks",
        ),
    ],
)
def test_an_identity_that_is_shared_fails(
    other: dict[str, str], hostname: str, name: str, reason: str
) -> None:
    found = failures(list(judge.identities(ONE, replace(OTHER, identity={**OTHERS, **other}), hostname)))
    assert list(found) == [name]
    assert found[name].startswith(reason)


@pytest.mark.parametrize(
    ("mine", "others", "declared", "ok"),
    [
        ("web", "web", "web", True),
        ("web", "web", "", False),
        ("localhost", "localhost", "", True),
        ("a", "b", "", True),
        ("a", "a", "web", False),
    ],
)
def test_a_host_name_is_shared_only_where_it_is_declared(
    mine: str, others: str, declared: str, ok: bool
) -> None:
    one = replace(ONE, identity={**IDENTITY, "hostname": mine})
    other = replace(OTHER, identity={**OTHERS, "hostname": others})
    assert (failures(list(judge.identities(one, other, declared))) == {}) is ok


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"packages": frozenset({"a 2 installed"})}, "the same packages"),
        ({"ports": frozenset({"22:tcp", "80:tcp"})}, "the same listening ports"),
        ({"setuid": frozenset[str]()}, "the same setuid files"),
        ({"files": {**OTHER.files, "/etc/shadow": "x"}}, "the same files but those listed"),
        (
            {"files": {**OTHER.files, "/etc/sudoers.d/90-cloud-init-users without comments": "x"}},
            "the same files but those listed",
        ),
    ],
)
def test_what_else_differs_is_found(change: dict[str, object], name: str) -> None:
    assert list(failures(list(judge.identities(ONE, replace(OTHER, **change), "")))) == [name]  # type: ignore[arg-type]


@pytest.mark.parametrize("path", ["/etc/machine-id", "/etc/sudoers.d/90-cloud-init-users", "/root/.cache/x"])
def test_what_may_differ_is_no_finding(path: str) -> None:
    other = replace(OTHER, files={**OTHER.files, path: "x"})
    assert failures(list(judge.identities(ONE, other, ""))) == {}


@pytest.mark.parametrize(
    ("expected", "name", "reason"),
    [
        (Expected(ports=("80:tcp",)), "listening ports", "not expected: 22:tcp"),
        (Expected(setuid=()), "setuid files", "not expected: /usr/bin/su"),
        (Expected(boot_seconds=60), "boot time", "67.60 s is more than the budget of 60 s"),
        (Expected(memory=1 << 20), "memory in use", "100.00 MiB is more than the budget of 1 MiB"),
        (Expected(disk=1 << 20), "root file system in use", "512.00 MiB is more than the budget of 1 MiB"),
    ],
)
def test_a_surface_or_a_budget_that_is_overrun_fails(expected: Expected, name: str, reason: str) -> None:
    assert failures(list(judge.surface(ONE, expected))) == {name: reason}
    assert failures(list(judge.surface(ONE, NOTHING))) == {}


def test_a_full_disk_fails() -> None:
    full = replace(ONE, report=replace(REPORT, root_used=2 * GIB - 1))
    assert failures(list(judge.surface(full, NOTHING))) == {
        "the root file system has room": "2047 of 2048 MiB are used once it is up"
    }


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Startup finished in 2s (kernel) = 2.250s", 2.25),
        ("x = 1min 7.6s", 67.6),
        ("x = 950ms", 0.95),
        ("x", None),
    ],
)
def test_systemds_clock_is_read(text: str, seconds: float | None) -> None:
    assert judge.startup(replace(REPORT, times=(text,))) == (seconds and pytest.approx(seconds))


@pytest.mark.parametrize(
    ("got", "root", "standing"),
    [
        (2 * GIB, "ext2/ext3", Standing.PASSED),
        (GIB, "ext2/ext3", Standing.FAILED),
        (GIB, "erofs", Standing.SKIPPED),
        (None, "ext2/ext3", Standing.SKIPPED),
    ],
)
def test_the_root_must_have_grown(got: int | None, root: str, standing: Standing) -> None:
    facts = replace(ONE, root=root, report=replace(REPORT, root_bytes=got))
    assert judge.grown(facts, GIB).standing is standing


@pytest.mark.parametrize(
    ("lines", "standing"),
    [
        (("status: done",), Standing.PASSED),
        ((), Standing.SKIPPED),
        (("status: error",), Standing.FAILED),
        (("status: done", "extended_status: degraded done"), Standing.FAILED),
        (("status: done", "recoverable_errors:", "WARNING:", "\t- x"), Standing.FAILED),
    ],
)
def test_cloud_init_is_done_and_content(lines: tuple[str, ...], standing: Standing) -> None:
    assert judge.cloud_init(replace(REPORT, cloud_init=lines)).standing is standing


def test_a_second_boot_that_is_another_machine_fails() -> None:
    assert failures(list(judge.again(ONE, IDENTITY))) == {}
    assert list(failures(list(judge.again(ONE, OTHERS)))) == [
        "machine-id stays over a restart",
        "host-key-rsa stays over a restart",
    ]


def test_a_crashed_program_fails() -> None:
    assert list(failures(list(judge.health(1, replace(ONE, dumps=("x: code=dumped",)))))) == [
        "clone 1: no program crashed"
    ]


@pytest.mark.parametrize(
    ("line", "port"),
    [
        ("tcp 0: 00000000:0016 00000000:0000 0A x", "22:tcp"),
        ("tcp6 0: 00000000000000000000000000000000:0016 0:0 0A x", "22:tcp"),
        ("tcp 0: 0100007F:0016 00000000:0000 0A x", ""),
        ("tcp 0: 3500007F:0035 00000000:0000 0A x", ""),
        ("tcp6 0: 00000000000000000000000001000000:0016 0:0 0A x", ""),
        ("tcp 0: 00000000:0016 0100007F:9999 01 x", ""),
        ("udp 0: 00000000:14EB 00000000:0000 07 x", "5355:udp"),
    ],
)
def test_what_others_can_reach_is_read_from_the_kernels_tables(line: str, port: str) -> None:
    assert listening(line) == port


@pytest.mark.parametrize(
    ("wanted", "found", "reason"),
    [
        ("yes", "yes", None),
        ("yes", "", "not found"),
        ("a", "b", "found 'b', and 'a' is wanted"),
        ("", "x", "found 'x', and '' is wanted"),
        ("a", None, "the machine did not say"),
    ],
)
def test_what_the_recipe_asks_for_against_what_is_found(
    wanted: str, found: str | None, reason: str | None
) -> None:
    result = judged(Expectation("it", "true", wanted), found)
    assert (result.standing is Standing.PASSED, result.reason) == (reason is None, reason or "")


PROOF = Proof(
    "web",
    "sha256:" + "a" * 64,
    "2026-11-21T08:00:00Z",
    180.0,
    110.0,
    "tcg",
    side_by_side=True,
    assertions=(
        judge.passed(Group.HEALTH, "fine", "told"),
        judge.failed(Group.RECIPE, "file /x", "found '1'", "a \x1b line"),
        judge.skipped(Group.AGAIN, "cloud-init", "none"),
    ),
    kept="/logs",
)


def test_junit_has_a_suite_a_group_and_no_forbidden_character() -> None:
    root = ET.fromstring(junit.render(PROOF))
    assert [suite.get("name") for suite in root] == [group.value for group in Group]
    failure = root.find(".//failure")
    assert failure is not None
    assert (failure.get("message"), failure.text) == ("found '1'", "a � line")
    assert [suite.get("failures") for suite in root] == ["0", "0", "1", "0", "0", "0"]


def test_a_proof_is_kept_by_digest_and_question(tmp_path: Path) -> None:
    home = Home(tmp_path)
    asked = evidence.question(None, NOTHING, Firmware.UEFI)
    kept = evidence.places(home, PROOF.digest, asked, SETTING)
    assert evidence.known(kept) is None
    evidence.keep(kept, PROOF)
    assert evidence.known(kept) == PROOF
    kept.failed.write_text("{")
    assert evidence.known(kept) is None
    others = {asked, evidence.question(None, NOTHING, Firmware.BIOS)}
    assert len({*others, evidence.question(None, Expected(memory=1), Firmware.UEFI)}) == 3


@pytest.mark.parametrize(
    ("changed", "failure_is_known"),
    [
        pytest.param({}, True, id="the same"),
        pytest.param({"timeout": 600.0}, False, id="more time"),
        pytest.param({"memory": 2048}, False, id="more memory"),
        pytest.param({"accelerator": Accelerator.KVM}, False, id="a faster processor"),
    ],
)
def test_a_failure_answers_only_who_gives_the_same(
    tmp_path: Path, changed: dict[str, Any], failure_is_known: bool
) -> None:
    """A machine that had too little time may be well; one that was well is."""
    first, other = (
        evidence.places(Home(tmp_path), PROOF.digest, "sha256:1", setting)
        for setting in (SETTING, replace(SETTING, **changed))
    )
    well = replace(PROOF, assertions=PROOF.assertions[:1])
    evidence.keep(first, PROOF)
    assert evidence.known(other) == (PROOF if failure_is_known else None)
    evidence.keep(first, well)
    assert evidence.known(other) == well
    evidence.keep(other, PROOF)
    assert evidence.known(other) == PROOF, "the newest word counts"


RECIPE = "name: web\nversion: 1.0.0\nfrom: debian:trixie\ntests: [tests/test_*.py, check.sh]\n"


@pytest.mark.parametrize(
    ("path", "text", "is_another"),
    [
        pytest.param("recipe.yaml", f"{RECIPE}packages: [nginx]\n", True, id="the recipe"),
        pytest.param("tests/test_one.py", "def test_two(): ...\n", True, id="a test in Python"),
        pytest.param("tests/conftest.py", "x = 2\n", True, id="what a test imports"),
        pytest.param("check.sh", "false\n", True, id="a shell check"),
        pytest.param("tests/notes.txt", "two\n", False, id="no test"),
        pytest.param(
            "tests/test_one.py", "def test_one(): ...\n", False, id="written anew with the same words"
        ),
    ],
)
def test_another_test_is_another_question(tmp_path: Path, path: str, text: str, is_another: bool) -> None:
    """Else a test that was mended, or made stricter, would be answered by the result of the one before."""

    def asked() -> str:
        return evidence.question(read_inputs(read_recipe(tmp_path / "recipe.yaml")), NOTHING, Firmware.UEFI)

    (tmp_path / "tests").mkdir()
    for name, words in {
        "recipe.yaml": RECIPE,
        "tests/test_one.py": "def test_one(): ...\n",
        "tests/conftest.py": "x = 1\n",
        "tests/notes.txt": "one\n",
        "check.sh": "true\n",
    }.items():
        (tmp_path / name).write_text(words)
    before = asked()
    (tmp_path / path).write_text(text)
    assert (asked() != before) is is_another


@pytest.mark.parametrize(
    ("name", "message"),
    [
        pytest.param("gone.sh", "the test 'gone.sh' does not exist", id="a file that is not there"),
        pytest.param("check.rb", "the test 'check.rb' is neither .py nor .sh", id="another language"),
        pytest.param(
            "tests/*", "the test 'tests/notes.txt' is neither .py nor .sh", id="a pattern that takes too much"
        ),
    ],
)
def test_what_is_no_test_is_said_before_anything_boots(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "tests").mkdir()
    for path in ("check.rb", "tests/notes.txt"):
        (tmp_path / path).touch()
    (tmp_path / "recipe.yaml").write_text(RECIPE.replace("[tests/test_*.py, check.sh]", f"[{name}]"))
    with pytest.raises(InputError, match=re.escape(message)):
        evidence.question(read_inputs(read_recipe(tmp_path / "recipe.yaml")), NOTHING, Firmware.UEFI)


def test_the_proof_in_words_names_what_failed() -> None:
    text = in_words(PROOF)
    assert "web FAILED: two clones side by side, 180 s, tcg" in text
    assert "    FAILED: file /x: found '1'\n      | a ? line\n" in text, (
        "what a guest says reaches no terminal as it is"
    )
    assert json.loads(json.dumps(as_object(PROOF)))["digest"] == PROOF.digest
