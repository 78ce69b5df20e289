"""How well a predictor ranked what it had not seen: round k + 1 by a model of rounds up to k.

A random split inside one search flatters (Kendall's tau .33 to .63 where forward it was -.24 to +.25), so only pairs
within a round count: a trend over the rounds that both forecast and measurement follow is no skill.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau

from predictors.base import Floats

MIN_GROUP = 8


@dataclass(frozen=True, slots=True)
class Ranked:
    """Kendall's tau of one group of trials that were forecast before they were trained."""

    round: int  # of the group's first trial
    tau: float
    count: int


def forward(
    rounds: NDArray[np.int64],
    rows: Floats,
    targets: Floats,
    fit_predict: Callable[[Floats, Floats, Floats], Floats],
    *,
    min_rows: int = 8,
) -> Floats:
    """(n,): forecasts of every row by `fit_predict(rows_before, targets_before, rows_now)`; NaN in the first rounds."""
    forecasts = np.full(len(rounds), np.nan)
    for current in np.unique(rounds):
        before, now = rounds < current, rounds == current
        if before.sum() >= min_rows:
            forecasts[now] = fit_predict(rows[before], targets[before], rows[now])
    return forecasts


def rankings(rounds: Sequence[int], forecasts: Floats, measured: Floats, *, min_group: int = MIN_GROUP) -> list[Ranked]:
    """Tau of each round; rounds of fewer than `min_group` trials are taken together with the next ones.

    Trials whose forecast or measurement is not finite do not count.
    """
    usable = np.flatnonzero(np.isfinite(forecasts) & np.isfinite(measured))
    order = usable[np.argsort(np.asarray(rounds)[usable], kind="stable")]
    groups: list[list[int]] = []
    for index in order:
        same_round = bool(groups) and rounds[groups[-1][-1]] == rounds[index]
        if groups and (same_round or len(groups[-1]) < min_group):
            groups[-1].append(int(index))
        else:
            groups.append([int(index)])
    found = [_ranked(int(rounds[g[0]]), forecasts[g], measured[g]) for g in groups if len(g) >= 2]
    return [ranked for ranked in found if np.isfinite(ranked.tau)]


def pooled_tau(ranked: Sequence[Ranked]) -> float:
    """Mean of the taus, each with the weight of its pairs; NaN where there is none."""
    pairs = np.array([r.count * (r.count - 1) / 2 for r in ranked], dtype=np.float64)
    return float(pairs @ np.array([r.tau for r in ranked]) / pairs.sum()) if len(ranked) else float("nan")


def tau(forecasts: Floats, measured: Floats) -> float:
    """Kendall's tau-b; NaN where one side is constant."""
    if len(forecasts) < 2 or np.ptp(forecasts) == 0 or np.ptp(measured) == 0:
        return float("nan")
    return float(kendalltau(forecasts, measured).statistic)


def _ranked(round_: int, forecasts: Floats, measured: Floats) -> Ranked:
    return Ranked(round_, tau(forecasts, measured), len(forecasts))
