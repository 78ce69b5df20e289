"""What ends a whole run."""


class RunError(Exception):
    """The run cannot reach its end; the text is the reason."""
