"""SHA-512 crypt (``$6$``), as Ulrich Drepper specified it in "Unix crypt using SHA-256 and SHA-512" (0.4).

Python's ``crypt`` module is gone in 3.13, and not every host's libcrypt knows every method.
"""

import hashlib
import re

ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
ROUNDS, LEAST_ROUNDS, MOST_ROUNDS = 5000, 1000, 999_999_999
SALT_LENGTH = 16
BLOCK = 64
"""Bytes of a SHA-512 digest."""
HASHED = re.compile(r"[!*]+|!?\$(1|2[abxy]|5|6|7|y|gy|sha1)\$[^:\s]+")


def is_hashed(password: str) -> bool:
    """Whether a text is a crypt hash, or says that there is no password (``!``, ``*``)."""
    return HASHED.fullmatch(password) is not None


def derived_salt(seed: str, name: str) -> str:
    """A salt of 16 characters for a user: equal for equal builds, different for every user and plan."""
    digest = hashlib.sha256(b"goldsmith password salt\0" + seed.encode() + b"\0" + name.encode()).digest()
    return "".join(ALPHABET[byte & 63] for byte in digest[:SALT_LENGTH])


def sha512_crypt(password: str, salt: str, rounds: int | None = None) -> str:
    """The crypt text of a password.

    Args:
        password: the plain text; its UTF-8 bytes are hashed.
        salt: at most 16 characters count.
        rounds: None for the default of 5000, which is not written into the text; else clamped to 1000…999999999.

    Returns:
        ``$6$salt$hash``, or ``$6$rounds=N$salt$hash`` where rounds were given.
    """
    count = ROUNDS if rounds is None else min(max(rounds, LEAST_ROUNDS), MOST_ROUNDS)
    salt = salt[:SALT_LENGTH]
    said = "" if rounds is None else f"rounds={count}$"
    return f"$6${said}{salt}${_encoded(_digest(password.encode(), salt.encode(), count))}"


def _digest(password: bytes, salt: bytes, rounds: int) -> bytes:
    inner = hashlib.sha512(password + salt + password).digest()
    start = hashlib.sha512(password + salt + _repeated(inner, len(password)))
    bits = len(password)
    while bits:
        start.update(inner if bits & 1 else password)
        bits >>= 1
    result = start.digest()
    p = _repeated(hashlib.sha512(password * len(password)).digest(), len(password))
    s = _repeated(hashlib.sha512(salt * (16 + result[0])).digest(), len(salt))
    for number in range(rounds):
        odd = number & 1
        middle = (s if number % 3 else b"") + (p if number % 7 else b"")
        result = hashlib.sha512((p if odd else result) + middle + (result if odd else p)).digest()
    return result


def _repeated(block: bytes, length: int) -> bytes:
    return (block * (length // BLOCK + 1))[:length]


def _encoded(digest: bytes) -> str:
    text = []
    a, b, c = 0, 21, 42
    for _ in range(21):
        text.append(_base64(digest[a] << 16 | digest[b] << 8 | digest[c], 4))
        a, b, c = b + 1, c + 1, a + 1
    text.append(_base64(digest[63], 2))
    return "".join(text)


def _base64(value: int, length: int) -> str:
    return "".join(ALPHABET[value >> 6 * position & 63] for position in range(length))
