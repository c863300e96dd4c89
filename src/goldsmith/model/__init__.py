"""Frozen values; no input, no output."""
