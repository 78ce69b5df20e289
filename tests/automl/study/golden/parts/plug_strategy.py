"""A strategy by a name that there is."""

from search_spaces.plugins import Plugins


def propose() -> None:
    """Never called."""


def plug(tables: Plugins) -> None:
    """A taken name."""
    tables.strategy("random", f"{__name__}:propose")
