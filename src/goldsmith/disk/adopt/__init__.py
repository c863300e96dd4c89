"""Take an image that others have made into the store: a disk, an OCI archive, or the archive of a root."""
