"""Does not load."""

NUMBER = 1 / 0
