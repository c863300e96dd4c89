"""Whether a stored disk is what was stored. Disks are not synced when they are kept, since a build would wait for that."""

from goldsmith.disk.digest import disk_digest
from goldsmith.effects.machine_run import boot_id
from goldsmith.store.images import StoredImage, update


def is_sound(image: StoredImage) -> bool:
    """Whether the image's disk is there, and, if the machine was started since it was kept, what it was by content."""
    if not image.disk.exists():
        return False
    if image.facts.get("boot") == boot_id():
        return True
    if disk_digest(image.disk) != image.facts.get("disk_digest"):
        return False
    update(image, {**image.facts, "boot": boot_id()})
    return True
