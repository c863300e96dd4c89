"""Prove an image: boot two clones of it, and look at them from inside."""
