from pathlib import Path

import pytest

from goldsmith.disk.tools import PACKAGES, Tools
from goldsmith.errors import StepFailed, Unavailable


def test_programs_come_from_the_tree_and_see_the_epoch(tools: Tools) -> None:
    done = tools.run(["sh", "-c", "echo $SOURCE_DATE_EPOCH"], epoch=42)
    assert done.text == "42\n"


def test_several_programs_share_a_sandbox_and_keep_their_words(tools: Tools) -> None:
    done = tools.run(["printf", "%s|", "a b", "it's"], ["printf", "%s", "$x"], epoch=0)
    assert done.text == "a b|it's|$x"


def test_the_first_failure_ends_the_list(tools: Tools) -> None:
    with pytest.raises(StepFailed, match="failed with exit code 3"):
        tools.run(["sh", "-c", "exit 3"], ["sh", "-c", "exit 4"], epoch=0)


def test_the_tree_cannot_be_written(tools: Tools) -> None:
    with pytest.raises(StepFailed) as caught:
        tools.run(["touch", "/usr/bin/new"], epoch=0)
    assert "Read-only file system" in caught.value.tail


def test_a_missing_file_names_the_packages(tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as caught:
        Tools(tmp_path).read("/usr/lib/grub/i386-pc/boot.img")
    assert caught.value.message == f"the tools tree '{tmp_path}' has no file '/usr/lib/grub/i386-pc/boot.img'"
    assert all(package in caught.value.hint for package in PACKAGES)
