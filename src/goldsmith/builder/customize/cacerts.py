"""Certificate authorities that the image trusts."""

import base64
import binascii
import hashlib
import re

from goldsmith.builder.customize.installed import is_installed
from goldsmith.builder.customize.run_in_tree import RunInTree
from goldsmith.effects.root import Root
from goldsmith.errors import InputError, Place
from goldsmith.model.recipe import CaCerts

DIRECTORY = "/usr/local/share/ca-certificates"
BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----\s(.*?)-----END CERTIFICATE-----", re.DOTALL)
DER_SEQUENCE = 0x30


def apply(tree: Root, cacerts: CaCerts, *, run: RunInTree) -> None:
    """Write each certificate into a file named by its digest, and update the bundle.

    Raises:
        InputError: ca-certificates is not installed, or a text is no PEM certificate.
    """
    if not is_installed(tree, "ca-certificates"):
        raise InputError(
            "the recipe has cacerts, but ca-certificates is not installed in the image",
            hint="add ca-certificates to packages",
            where=cacerts.where,
        )
    tree.mkdir(DIRECTORY, parents=True)
    for number, text in enumerate(cacerts.pem_certs, 1):
        for der in certificates(text, number, where=cacerts.where):
            name = hashlib.sha256(der).hexdigest()[:16]
            tree.write(f"{DIRECTORY}/goldsmith-{name}.crt", pem(der))
    run(["update-ca-certificates"])


def certificates(text: str, number: int, *, where: Place | None = None) -> list[bytes]:
    """The certificates of a PEM text, in DER; what stands between them is passed over.

    Raises:
        InputError: there is none, or one is damaged; the message says which of ``pem_certs`` (from 1).
    """
    found = []
    for body in BLOCK.findall(text):
        try:
            der = base64.b64decode("".join(body.split()), validate=True)
        except binascii.Error:
            der = b""
        if not der or der[0] != DER_SEQUENCE:
            raise InputError(
                f"certificate {number} of pem_certs is damaged: {body.strip()[:24]!r}…",
                hint="paste the whole PEM file, with all its lines",
                where=where,
            )
        found.append(der)
    if not found:
        raise InputError(
            f"certificate {number} of pem_certs is no certificate in PEM: {text.strip()[:24]!r}…",
            hint="it starts with -----BEGIN CERTIFICATE-----",
            where=where,
        )
    return found


def pem(der: bytes) -> bytes:
    """A certificate as PEM, in lines of 64."""
    body = base64.b64encode(der).decode()
    lines = [body[start : start + 64] for start in range(0, len(body), 64)]
    return "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""]).encode()
