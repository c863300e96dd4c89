"""Secrets are found in text, in binaries and in blocks that were cut off; what only looks like one is not."""

import base64
import os
from pathlib import Path

import pytest
from tests.assay.leaks import secrets

from goldsmith.assay.leaks.detector import Detector, Secret, apart, detector

RSA = secrets.key("-t", "rsa", "-m", "PEM")
ED25519 = secrets.key("-t", "ed25519")
KINDS = {
    "an RSA key": (RSA, "private-key"),
    "an OpenSSH key": (ED25519, "private-key"),
    "an OpenSSH key whose end is missing": (ED25519[:150], "private-key"),
    "a key in base64, as Kubernetes has it": (
        f"    client-key-data: {base64.b64encode(ED25519.encode()).decode()}\n",
        "private-key",
    ),
    "AWS": (secrets.AWS, "aws-access-token"),
    "GitHub": (f"token: {secrets.GITHUB}\n", "github-pat"),
    "GitLab": (f"{secrets.GITLAB}\n", "gitlab-pat"),
    "Slack": (f"{secrets.SLACK}\n", "slack-bot-token"),
    "Stripe": (f"{secrets.STRIPE}\n", "stripe-access-token"),
    "Google": (f"{secrets.GOOGLE}\n", "gcp-api-key"),
    "npm": (f"{secrets.NPM}\n", "npmjsaccesstoken"),
    "age": (f"{secrets.AGE}\n", "age-secret-key"),
    "netrc": (secrets.NETRC, "netrc"),
    "a container registry": (secrets.REGISTRY, "registry-auth"),
    "WireGuard": (secrets.WIREGUARD, "wireguard-key"),
    "yescrypt": (secrets.YESCRYPT, "password-hash"),
    "SHA-512": (secrets.SHA512, "password-hash"),
}
HARMLESS = {
    "an account without a password": "root:*:19000:0:99999:7:::\ndaemon:!:19000::::::\n",
    "a public key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMnjfg3w/HLRhqyHtjUfLw3Bljyel6hP3lc++hD3GhK bob@host\n",
    "a certificate": "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIUQ==\n-----END CERTIFICATE-----\n",
    "a test of bcrypt": "$2a$00$abcdefghijklmnopqrstuu",
    "a digest": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  empty\n",
}


@pytest.fixture(scope="module")
def find(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    return detector(tmp_path_factory.mktemp("detector"))


@pytest.mark.parametrize(("text", "kind"), KINDS.values(), ids=KINDS)
def test_a_secret_is_found(find: Detector, text: str, kind: str) -> None:
    assert kind in {secret.kind for secret in find(text.encode())}


@pytest.mark.parametrize(("text", "kind"), KINDS.values(), ids=KINDS)
def test_a_secret_is_found_in_a_disks_block_at_its_place(find: Detector, text: str, kind: str) -> None:
    noise = os.urandom(8192)
    disk = noise + b"\0" * 100 + text.encode() + b"\0" * (4096 - len(text) % 4096) + noise
    found = [secret for secret in find(disk) if secret.kind == kind]
    assert len(list(apart(found))) == 1
    assert 8292 <= found[0].start < found[0].end <= 8292 + len(text)
    assert disk[found[0].start : found[0].end].decode() in text


@pytest.mark.parametrize("text", HARMLESS.values(), ids=HARMLESS)
def test_what_is_no_secret_is_not_found(find: Detector, text: str) -> None:
    assert find(text.encode()) == []


@pytest.mark.parametrize("words", ["gitleaks:allow", "betterleaks:allow", "kingfisher:ignore"])
def test_no_comment_hides_a_secret(find: Detector, words: str) -> None:
    assert [secret.kind for secret in find(f"token: {secrets.GITHUB} # {words}\n".encode())] == ["github-pat"]


def test_the_rules_are_compiled_once(tmp_path: Path) -> None:
    detector(tmp_path / "rules")
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "rules").rglob("*") if path.is_file()}
    assert kept
    detector(tmp_path / "rules")
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


def test_of_secrets_that_overlap_the_longest_counts() -> None:
    rows = [Secret("a", 5, 9, ""), Secret("b", 5, 20, ""), Secret("c", 19, 30, ""), Secret("d", 20, 25, "")]
    assert [secret.kind for secret in apart(rows)] == ["b", "d"]
