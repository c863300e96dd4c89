"""Customizations: one file for each, all of them rows of one table (``table.py``)."""
