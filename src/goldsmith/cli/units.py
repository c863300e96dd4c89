"""Numbers as people read them."""

STEP = 1000


def bytes_of(count: object) -> str:
    """Bytes in the largest unit in which they are 1 or more, as ``353.2 MB``; empty for what is no number."""
    if not isinstance(count, int):
        return ""
    value, sign = float(abs(count)), "-" if count < 0 else ""
    for unit in ("B", "kB", "MB", "GB"):
        if value < STEP:
            return f"{sign}{value:.0f} {unit}" if unit == "B" else f"{sign}{value:.1f} {unit}"
        value /= STEP
    return f"{sign}{value:.1f} TB"
