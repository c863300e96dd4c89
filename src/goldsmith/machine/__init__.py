"""QEMU machines made from images."""
