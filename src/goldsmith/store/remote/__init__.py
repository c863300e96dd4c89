"""Images to and from other places: registries, directories, web servers."""
