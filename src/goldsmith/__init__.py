"""goldsmith: golden images as code, from recipe to retired."""

__version__ = "0.1.0"
