"""Who is told what of long work, for whoever shows it: how far a pass is, and lines that people should read.

Of a pass what is counted (`rows read`), how many, and of how many; 0 of how many: that is not known. A pass begins
where another name is told, and is over where all are there.
"""

from __future__ import annotations

from collections.abc import Callable

Passed = Callable[[str, int, int], None]
Told = Callable[[str], None]


def unheard(what: str, done: int, total: int) -> None:
    """Nobody wants to know how far it is."""


def untold(words: str) -> None:
    """Nobody wants to read it."""
