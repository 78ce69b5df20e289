"""How far a long pass is, as it tells whoever shows it: what is counted (`rows read`), how many, and of how many.

0 of how many: that is not known. A pass begins where another name is told, and is over where all are there.
"""

from __future__ import annotations

from collections.abc import Callable

Passed = Callable[[str, int, int], None]


def unheard(what: str, done: int, total: int) -> None:
    """Nobody wants to know."""
