"""What every image gets, whatever its recipe says: one file for each, called from ``apply.py``."""
