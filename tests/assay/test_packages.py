"""What is read of dpkg's own records, whoever has written them."""

import pytest

from goldsmith.assay.packages import installed as compared
from goldsmith.disk.adopt.recognise import installed as adopted

STATUS = "Package: a\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n"
RECORDS = {
    "no end of line": (STATUS[:-1], ["1"]),
    "two": (f"{STATUS}\n{STATUS.replace(': 1', ': 2')}\n", ["1", "2"]),
    "empty lines": (f"\n\n\n{STATUS}\n\n\n", ["1"]),
    "longer fields": (f"Description: x\n Version: 9\n .\n{STATUS}Version-Of: 3\n", ["1"]),
    "removed": (STATUS.replace("install ok installed", "deinstall ok config-files"), []),
    "a size of many digits": (f"{STATUS}Installed-Size: {'9' * 6000}\n", ["1"]),
    "nothing": ("", []),
}


@pytest.mark.parametrize("name", RECORDS)
def test_packages_are_read_from_whatever_is_there(name: str) -> None:
    text, versions = RECORDS[name]
    assert sorted(package.version for package in compared(text.encode()).values()) == versions
    assert [package.version for package in adopted(text)] == versions
