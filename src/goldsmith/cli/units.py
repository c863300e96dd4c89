"""Numbers as people read them, and texts that others have written."""

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


def visible(text: str) -> str:
    """One line of a text of others, with what does not print as an escape: it could move the cursor, or look like our own lines."""
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)
