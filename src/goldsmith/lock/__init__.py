"""Resolve a recipe to a lock."""
