"""The only doors to the world: processes, sandboxes, files, the network and the clock."""
