"""Machines that stay: made, started, snapshotted, cloned, renamed and deleted by name."""
