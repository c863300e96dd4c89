"""What is true of an image: leaks, identities, tests, contents."""
