"""The commands, as a person gives them: import, and what show says of an imported image."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.adopt.archives import ROOT, tar

GOLDSMITH = Path(sys.executable).with_name("goldsmith")


def goldsmith(home: Path, *words: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run the command."""
    return subprocess.run(
        [GOLDSMITH, *words],
        env={**os.environ, "GOLDSMITH_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_import_says_what_it_took(tmp_path: Path) -> None:
    path = tmp_path / "root.tar"
    path.write_bytes(tar(ROOT))
    named = ("--name", "vendor", "--version", "1.0.0")
    said = goldsmith(tmp_path, "import", path, *named)
    assert said.returncode == 0, said.stderr
    assert said.stdout.startswith("vendor:1.0.0 imported in ")
    assert "Debian GNU/Linux 13 (trixie), amd64, 1 packages, 11 paths" in said.stdout
    facts = json.loads(goldsmith(tmp_path, "import", path, *named, "--json").stdout)
    assert (facts["format"], facts["disk_digest"], facts["entries"]) == ("tar", None, 11)
    assert facts["packages"] == [{"name": "dpkg", "version": "1.22", "architecture": "amd64"}]
    assert facts["os"]["ID"] == "debian"
    page = goldsmith(tmp_path, "show", "vendor").stdout
    assert "imported      from root.tar, tar" in page
    assert "built" not in page


def test_errors_name_the_file_and_end_with_two(tmp_path: Path) -> None:
    path = tmp_path / "bad.tar"
    path.write_bytes(tar([("../x", b"", {})]))
    said = goldsmith(tmp_path, "import", path, "--name", "vendor", "--version", "1.0.0", "--json")
    assert said.returncode == 2
    assert json.loads(said.stdout)["where"] == str(path)
    assert f"goldsmith: {path}: " in said.stderr
    assert "hint: " in said.stderr
