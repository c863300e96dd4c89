"""A name and a password, as programs keep and send them."""

import base64
import stat
from pathlib import Path

USER, PASSWORD = "builder", "pass:word"


def packed(user: str = USER, password: str = PASSWORD) -> str:
    return base64.b64encode(f"{user}:{password}".encode()).decode()


def write(path: Path, text: str, *, program: bool = False) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    if program:
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path
