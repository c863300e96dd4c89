"""Files with holes, for those who look for them beside the formats; they moved to ``effects.sparse``."""

from goldsmith.effects.sparse import chunks, copy_sparse, extents

__all__ = ["chunks", "copy_sparse", "extents"]
