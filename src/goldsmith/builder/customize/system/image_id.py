"""``IMAGE_ID`` and ``IMAGE_VERSION`` in os-release: the machine knows which image it came from."""

from goldsmith.effects.root import Root

PATHS = ("/etc/os-release", "/usr/lib/os-release")


def apply(tree: Root, image_id: str, image_version: str) -> None:
    """Write both fields into the file behind ``/etc/os-release``, which usually is a link to ``/usr/lib``."""
    path = next((path for path in PATHS if tree.is_file(path)), PATHS[0])
    text = tree.read_text(path) if tree.is_file(path) else ""
    tree.write(path, with_image(text, image_id, image_version).encode(errors="surrogateescape"))


def with_image(text: str, image_id: str, image_version: str) -> str:
    """An os-release text with these two fields; all other lines stay."""
    fields = {"IMAGE_ID": image_id, "IMAGE_VERSION": image_version}
    kept = [line for line in text.splitlines() if line.split("=", 1)[0] not in fields]
    return "\n".join([*kept, *(f"{name}={value}" for name, value in fields.items())]) + "\n"
