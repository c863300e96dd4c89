"""Search any finished image for leaks: traces of the machine that made it, secrets, and remains of what was deleted."""
