"""Formats that are made from a raw disk; a format is one file."""
