"""Attacks are made on real builds, with what the system tests share."""

from tests.system.conftest import person, tiny

__all__ = ["person", "tiny"]
