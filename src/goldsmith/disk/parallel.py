"""Ordered work on all cores, for those who look for it beside the formats; it moved to ``effects.parallel``."""

from goldsmith.effects.parallel import in_order

__all__ = ["in_order"]
