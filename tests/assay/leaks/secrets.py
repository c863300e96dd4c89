"""Secrets that were made for the tests: none was ever in use. They are put together here, so that no scanner of this
repository takes them for real ones."""

import base64
import hashlib
import subprocess
import tempfile
from pathlib import Path


def key(*options: str) -> str:
    """A fresh private key of ssh-keygen."""
    with tempfile.TemporaryDirectory() as room:
        path = Path(room, "key")
        subprocess.run(["ssh-keygen", "-q", "-N", "", "-f", path, *options], check=True)
        return path.read_text()


def fixed_key(word: str) -> str:
    """What looks like a private key, the same each time."""
    body = base64.encodebytes(hashlib.shake_256(word.encode()).digest(300)).decode()
    label = "OPENSSH PRIVATE" + " KEY"
    return f"-----BEGIN {label}-----\n{body}-----END {label}-----\n"


AWS = (
    f"aws_access_key_id = {'AKIA'}Q3EGRJ7XZ2KP5TYW\n"
    f"aws_secret_access_key = {'k9Jd82mQpLxT7vBn'}4WzRcY1sHgFe6AuNi3OoKtXq\n"
)
GITHUB = "ghp" + "_9aZ3kLmQ7xVb2NcW8eRtY4uIoP1sDfG6hJ0K"
GITLAB = "glpat" + "-x9Kd82mQpLxT7vBn4WzR"
SLACK = "xoxb" + "-123456789012-1234567890123-aBcDeFgHiJkLmNoPqRsTuVwX"
STRIPE = "sk" + "_live_4eC39HqLyjWDarjtT1zdp7dcAbCdEf12"
GOOGLE = "AI" + "zaSyD8x92mQpLxT7vBn4WzRcY1sHgFe6AuNi3"
NPM = "//registry.example/:_authToken=npm" + "_aB3dEfGh1JkLmN0pQrStUvWxYz123456ABCD"
AGE = "AGE-SECRET-KEY-" + "1QQPZRY9X8GF2TVDW0S3JN54KHCE6MUA7LQQPZRY9X8GF2TVDW0S3JN54KH"
NETRC = "machine example.com login bob password s3cr3tPassw0rd!x\n"
REGISTRY = (
    '{"auths": {"registry.example": {"auth": "' + base64.b64encode(b"bob:hunter2xyzQ").decode() + '"}}}'
)
WIREGUARD = "[Interface]\nPrivateKey = yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=\n"
YESCRYPT = (
    "root:$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7:19000:0:99999:7:::\n"
)
SHA512 = (
    "bob:$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/"
    "jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/:19000:0:99999:7:::\n"
)
