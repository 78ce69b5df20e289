"""The words of the finals; apart from the tests behind them, whose libraries take a second to load."""

from __future__ import annotations

from enum import StrEnum


class Verdict(StrEnum):
    """What the finals say of a pick, as docs/statistics.md defines it."""

    BETTER = "better"
    FASTER = "faster"
    WORSE = "worse"
    NO_BETTER = "no better"
