"""Randomness: words that nobody can know beforehand."""

import secrets
import uuid


def nonce() -> str:
    """128 random bits in hexadecimal."""
    return secrets.token_hex(16)


def new_uuid() -> str:
    """A random UUID."""
    return str(uuid.uuid4())
