"""Read and check recipes."""
