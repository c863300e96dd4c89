"""What an archive or a container still holds though its tree does not show it."""

import gzip
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.adopt.archives import ROOT, Member, oci_archive, tar
from tests.assay.leaks import disk, secrets
from tests.fixtures_images import Goldsmith

GITHUB, GITLAB, SLACK, NPM = (
    f"{text}\n".encode() for text in (secrets.GITHUB, secrets.GITLAB, secrets.SLACK, secrets.NPM)
)
KEPT: Member = ("./usr/bin/kept", GITHUB, {})
LAYERS = (
    tar([*ROOT, KEPT]),
    tar([("./root/.token", GITLAB, {}), ("./etc/app.conf", SLACK, {}), ("./srv/site/.npmrc", NPM, {})]),
    tar(
        [
            ("./root/.wh..token", b"", {}),
            ("./etc/app.conf", b"clean\n", {}),
            ("./srv/site/.wh..wh..opq", b"", {}),
            ("./usr/bin/again", "./usr/bin/kept", {"type": b"1"}),
        ]
    ),
)
CONFIG = json.dumps({"config": {"Env": [f"STRIPE_KEY={secrets.STRIPE}"]}}).encode()


def found(goldsmith: Goldsmith, path: Path, home: Path) -> dict[str, Any]:
    done = goldsmith("leaks", path, "--json", home=home)
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    assert isinstance(report, dict)
    return report


@pytest.mark.parametrize("kind", ["tar", "tar+gzip"])
def test_what_layers_cover_and_what_the_configuration_says(
    goldsmith: Goldsmith, tmp_path: Path, kind: str
) -> None:
    layers = [gzip.compress(layer) for layer in LAYERS] if kind == "tar+gzip" else LAYERS
    path = oci_archive(tmp_path / "image.tar", layers, kind=kind, config=CONFIG)
    report = found(goldsmith, path, tmp_path / "home")
    assert {
        (item["kind"], item.get("path", ""), item.get("partition", "")) for item in report["findings"]
    } == {
        ("github-pat", "/usr/bin/kept", ""),
        ("gitlab-pat", "/root/.token", "covered by layer 3"),
        ("slack-bot-token", "/etc/app.conf", "covered by layer 3"),
        ("npmjsaccesstoken", "/srv/site/.npmrc", "covered by layer 3"),
        ("stripe-access-token", "", ""),
    }
    (variable,) = (item for item in report["findings"] if "path" not in item)
    assert (variable["where"], variable["offset"]) == (
        "partition",
        path.read_bytes().index(secrets.STRIPE.encode()),
    )


def test_what_a_later_member_of_a_tar_covers(goldsmith: Goldsmith, tmp_path: Path) -> None:
    path = tmp_path / "root.tar"
    path.write_bytes(tar([*ROOT, ("./etc/app.conf", GITHUB, {}), ("./etc/app.conf", b"clean\n", {})]))
    (item,) = found(goldsmith, path, tmp_path / "home")["findings"]
    assert (item["path"], item["partition"]) == ("/etc/app.conf", "covered by a later member")


def test_a_name_from_an_image_is_only_text_for_a_terminal(goldsmith: Goldsmith, tmp_path: Path) -> None:
    locale = {"PYTHONIOENCODING": "utf-8:strict"}  # as where it is one of UTF-8
    tree = tmp_path / "tree"
    (tree / "etc").mkdir(parents=True)
    Path(os.fsdecode(os.fsencode(tree) + b"/etc/\xff\x1b[31mred")).write_bytes(GITHUB)
    done = goldsmith("leaks", tree, home=tmp_path / "home", env=locale)
    assert (done.returncode, "\x1b" in done.stdout) == (1, False), done.stderr
    assert "/etc/\\udcff\\x1b[31mred" in done.stdout


@pytest.mark.skipif(shutil.which("qemu-img") is None, reason="needs qemu-img")
def test_earlier_states_in_a_qcow2_are_no_clean_bill(goldsmith: Goldsmith, tmp_path: Path) -> None:
    path = tmp_path / "disk.qcow2"
    tree, raw = tmp_path / "tree", tmp_path / "root.raw"
    for name, text in {"etc/os-release": "ID=debian\n", "etc/passwd": ""}.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)
    disk.run("mke2fs", "-q", "-t", "ext4", "-d", tree, raw, "16M")
    disk.run("qemu-img", "convert", "-O", "qcow2", raw, path)
    assert goldsmith("leaks", path, home=tmp_path / "home").returncode == 0
    disk.run("qemu-img", "snapshot", "-c", "before\nlogin", path)
    report = found(goldsmith, path, tmp_path / "home")
    assert (report["complete"], report["findings"]) == (False, [])
    assert "earlier states of the disk (before?login)" in "".join(report["notes"])
