"""How a contract says what must hold; not by `assert`, which Python may leave out."""

from __future__ import annotations


def hold(what: bool, must: str) -> None:
    """Go on where it holds.

    Raises:
        AssertionError: with what must hold.
    """
    if not what:
        raise AssertionError(must)
