"""What the finals may say of a pick, and the levels that it hangs on; docs/statistics.md states them."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

LEVEL: Final = 0.05  # of the tests; intervals are of 1 - LEVEL
FASTER: Final = 1.05  # a QPS ratio at or below this is no speed-up


class Verdict(StrEnum):
    """What the finals say of a pick."""

    BETTER = "better"
    FASTER = "faster"
    WORSE = "worse"
    NO_BETTER = "no better"
    UNFIT = "unfit"  # to ship: it failed or diverged on an order of the data
