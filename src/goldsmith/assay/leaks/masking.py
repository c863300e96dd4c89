"""Excerpts that help to know a secret again, and not to use it."""

import re

SHOWN = 4
"""Characters of a secret that are shown, at most, and never more than a sixth of it."""
WIDTH = 60
PEM = re.compile(r"-----BEGIN [A-Z0-9 ]{0,60}-----")
ODD = re.compile(r"[^\x20-\x7e]")


def masked(text: str) -> str:
    """A secret's kind or first characters, stars for the rest, and how long it is."""
    pem = PEM.match(text)
    if pem:
        return f"{pem.group()} …({len(text)} characters)"
    flat = ODD.sub(".", text.strip())
    shown = flat[: min(SHOWN, len(flat) // 6)]
    return f"{shown}{'*' * min(len(flat) - len(shown), WIDTH - SHOWN)}" if flat else ""


def masked_line(data: bytes) -> str:
    """The first line of some bytes that says something, masked; of bytes that are no text, how they begin."""
    head = data[:4096].lstrip(b"\0\n\r\t ")
    line = re.split(rb"[\n\r\0]", head, maxsplit=1)[0]
    if len(ODD.findall(line.decode("latin-1"))) * 4 > len(line):
        return f"{head[:2].hex()}… (not a text)"
    return masked(line.decode("latin-1"))
