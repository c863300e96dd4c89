"""Randomness: words that nobody can know beforehand."""

import secrets


def nonce() -> str:
    """128 random bits in hexadecimal."""
    return secrets.token_hex(16)
