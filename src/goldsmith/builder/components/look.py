"""ReadFile and ListFiles."""

from goldsmith.builder.components.encoding import decoded
from goldsmith.builder.components.given import flag, word
from goldsmith.builder.components.host import Host, Outcome
from goldsmith.builder.components.paths import matching, name_of, refuse_special
from goldsmith.errors import StepFailed
from goldsmith.model.component import Inputs


def read_file(inputs: Inputs, host: Host, seconds: float | None) -> Outcome:
    """A file's text, for later steps and, if asked for, the console log."""
    del seconds
    path = word(inputs, "path")
    refuse_special(host.root, path)
    content = decoded(inputs, path, host.root.read(path))
    return Outcome({"content": content}, content if flag(inputs, "printFileContent") else "")


def list_files(inputs: Inputs, host: Host, seconds: float | None) -> Outcome:
    """The files of a folder, sorted and joined by commas, as ``forEach`` with ``list`` takes them."""
    del seconds
    root, folder, pattern = (
        host.root,
        word(inputs, "path").rstrip("/") or "/",
        word(inputs, "fileNamePattern"),
    )
    if not root.is_dir(folder):
        raise StepFailed(
            f"there is no folder {folder!r}", hint="check the path, and the steps that should have made it"
        )
    if flag(inputs, "recursive"):
        paths = [path for path, _ in root.walk(folder)]
    else:
        paths = [f"{folder.rstrip('/')}/{name}" for name in root.listdir(folder)]
    files = [
        path for path in paths if root.is_file(path) and (not pattern or matching(name_of(path), pattern))
    ]
    return Outcome({"files": ",".join(files)})
