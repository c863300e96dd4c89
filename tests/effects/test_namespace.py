"""A user without subordinate ids may run tools in a sandbox, but write no trees."""

import ctypes
import os
from collections.abc import Callable

import pytest

from goldsmith.effects import namespace
from goldsmith.errors import Unavailable

SET_DUMPABLE = 4
NOBODYS = 54_321
"""A user id that nobody has."""


def as_stranger(do: Callable[[], str]) -> str:
    """What a function tells in a process of a user whom no table knows."""
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setresgid(NOBODYS, NOBODYS, NOBODYS)
            os.setresuid(NOBODYS, NOBODYS, NOBODYS)
            ctypes.CDLL(None).prctl(
                SET_DUMPABLE, 1, 0, 0, 0
            )  # else /proc/self is root's until a program is run
            said = do()
        except BaseException as error:  # noqa: BLE001 - the parent reads it
            said = f"{type(error).__name__}: {error}"
        os.write(into, said.encode())
        os._exit(0)
    os.close(into)
    with os.fdopen(out) as stream:
        said = stream.read()
    os.waitpid(child, 0)
    return said


def ids_inside() -> str:
    namespace.enter(trees=False)
    namespace.enter(trees=False)
    return f"{os.getuid()} {os.getgid()} {namespace.has_system_administration()}"


def ids_of_trees() -> str:
    with pytest.raises(Unavailable, match="has no range of 65535 or more ids in /etc/subuid"):
        namespace.enter()
    return "refused"


@pytest.mark.parametrize(("do", "says"), [(ids_inside, "0 0 True"), (ids_of_trees, "refused")])
def test_a_user_without_ids_is_root_of_a_small_namespace(do: Callable[[], str], says: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become a stranger")
    assert as_stranger(do) == says
