"""The levels that verdicts hang on, in one place; docs/statistics.md states them."""

from __future__ import annotations

from typing import Final

LEVEL: Final = 0.05  # of the tests; intervals are of 1 - LEVEL
FASTER: Final = 1.05  # a QPS ratio at or below this is no speed-up
