"""Where images and packages are kept."""
