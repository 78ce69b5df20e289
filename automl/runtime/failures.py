"""What ends a whole run."""


class RunFailed(Exception):
    """The run cannot reach its end; the text is the reason."""
