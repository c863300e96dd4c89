"""Sealing: nothing that makes this build unique is left; every operation is a row of one table (``table.py``)."""
