"""Archives and OCI layouts, made by hand: honest ones, and ones that nobody's tools make."""

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Sequence
from pathlib import Path

OS_RELEASE = b'ID=debian\nVERSION_CODENAME=trixie\nPRETTY_NAME="Debian GNU/Linux 13 (trixie)"\n'
STATUS = b"Package: dpkg\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.22\n\n"
Member = tuple[str, bytes | str | None, dict[str, object]]
"""Name, content (bytes of a file, the target of a link, None for a directory), and further fields."""
ROOT: tuple[Member, ...] = (
    ("./", None, {}),
    ("./etc", None, {}),
    ("./etc/os-release", OS_RELEASE, {"mode": 0o644}),
    ("./usr", None, {}),
    ("./usr/bin", None, {}),
    ("./bin", "usr/bin", {}),
    ("./usr/bin/tool", b"#!/bin/sh\n", {"mode": 0o4755, "uid": 3, "gid": 4}),
    ("./usr/bin/same", "./usr/bin/tool", {"type": tarfile.LNKTYPE}),
    ("./var/lib/dpkg/status", STATUS, {"mode": 0o644}),
)


def tar(members: Iterable[Member], *, form: int = tarfile.PAX_FORMAT) -> bytes:
    """The bytes of an archive."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=form) as archive:
        for name, content, fields in members:
            info = tarfile.TarInfo(name)
            info.mode = 0o755
            info.mtime = 1_700_000_000
            if content is None:
                info.type = tarfile.DIRTYPE
            elif isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
            else:
                info.size = len(content)
            for field, value in fields.items():
                setattr(info, field, value)
            archive.addfile(info, io.BytesIO(content) if isinstance(content, bytes) else None)
    return stream.getvalue()


def oci_archive(
    path: Path, layers: Sequence[bytes], *, kind: str = "tar", lie: str = "", config: bytes = b"{}"
) -> Path:
    """An OCI archive of layers; ``lie`` is a digest's first digits to write instead of the first layer's."""
    blobs: dict[str, bytes] = {}

    def put(data: bytes, media_type: str) -> dict[str, object]:
        digest = hashlib.sha256(data).hexdigest()
        blobs[digest] = data
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    settings = put(config, "application/vnd.oci.image.config.v1+json")
    listed = [put(layer, f"application/vnd.oci.image.layer.v1.{kind}") for layer in layers]
    if lie:
        wrong = lie + hashlib.sha256(layers[0]).hexdigest()[len(lie) :]
        blobs[wrong] = layers[0]
        listed[0]["digest"] = f"sha256:{wrong}"
    manifest = {"schemaVersion": 2, "config": settings, "layers": listed}
    item = put(json.dumps(manifest).encode(), "application/vnd.oci.image.manifest.v1+json")
    index = {"schemaVersion": 2, "manifests": [item]}
    members: list[Member] = [
        ("oci-layout", b'{"imageLayoutVersion":"1.0.0"}', {}),
        ("index.json", json.dumps(index).encode(), {}),
        *((f"blobs/sha256/{digest}", data, {}) for digest, data in blobs.items()),
    ]
    path.write_bytes(tar(members))
    return path
