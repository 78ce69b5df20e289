"""What gain finals will be able to show, told before they are run from trainings on another window."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import median

import numpy as np
from numpy.typing import NDArray

from automl.stats.compared import ScoredRows
from automl.stats.significance import detectable_pct
from automl.stats.verdicts import LEVEL

Floats = NDArray[np.float64]


def planned_pct(
    seen: ScoredRows, base_SN: Floats, others: Sequence[Floats], test: ScoredRows, orders: int, level: float = LEVEL
) -> float:
    """The smallest NE gain that about so many orders and the rows of `test` will tell from chance; NaN without models.

    Of the middle model: its spread over orders as seen, and the examples' part carried over to the other rows. What is
    of single rows shrinks with their number, what rows of one cluster share with the pairs of them in all.
    """
    if not others:
        return math.nan
    found = seen.gains(base_SN, others)
    alone = replace(seen, clusters_N=np.zeros(len(seen), np.int32)).gains(base_SN, others)
    fewer, paired = len(seen) / len(test), _paired(test) / _paired(seen) if _paired(seen) else 0.0
    variances = [
        fewer * row.examples_std_pct**2 + paired * (one.examples_std_pct**2 - row.examples_std_pct**2)
        for one, row in zip(found, alone, strict=True)
    ]
    examples_std = math.sqrt(max(0.0, median(variances)))
    spread = median(gain.order_std_pct for gain in found)
    return detectable_pct(spread, orders, examples_std, test.examples_freedom, level)


def _paired(rows: ScoredRows) -> float:
    """The share of all pairs of rows that are of one cluster."""
    _, counts = np.unique(rows.luck, return_counts=True)
    return float((counts.astype(np.float64) ** 2).sum() - len(rows)) / len(rows) ** 2
