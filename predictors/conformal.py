"""Widths that hold what they promise: how far forecasts were off tells how far the next ones will be.

Split conformal prediction (Vovk et al. 2005; Lei et al. 2018): a forecast's error over the width that it claimed is a
score. Where past and new scores are exchangeable, the bound here holds a new one with at least the chance that was
asked for, whatever their distribution. N forecasts.
"""

from __future__ import annotations

import math

import numpy as np

from predictors.base import Floats

LEVEL = 0.9  # of the intervals that widths are made for
NORMAL = 1.6449  # standard deviations in which a normal value stays with that chance
FIRST = 2.0  # times a width, until enough forecasts were judged: searches on two logs had 1.5 to 2.5
NEWEST = 20  # errors that count: of 60 and of all of them, intervals are wider than they need be


def bound(scores_N: Floats, level: float) -> float:
    """The least of the scores that holds a new one with a chance of `level`; infinite where they are too few to tell.

    Raises:
        ValueError: where the level is not between 0 and 1.
    """
    if not 0.0 < level < 1.0:
        raise ValueError(f"level must be between 0 and 1, but found {level}")
    rank = math.ceil((len(scores_N) + 1) * level - 1e-9)  # the new one has each place with the same chance
    return float(np.sort(scores_N)[rank - 1]) if rank <= len(scores_N) else math.inf


def widening(errors_N: Floats, widths_N: Floats) -> float:
    """By what standard deviations are to be multiplied, so that NORMAL of them hold an error with a chance of LEVEL.

    FIRST, or the worst that was seen, while there are too few errors. Only the NEWEST of them count, which stand last,
    and none that is not finite.
    """
    usable = np.flatnonzero(np.isfinite(errors_N) & (widths_N > 0))[-NEWEST:]
    scores = np.abs(errors_N[usable]) / widths_N[usable]
    found = bound(scores, LEVEL)
    return (found if math.isfinite(found) else max(FIRST * NORMAL, float(scores.max(initial=0.0)))) / NORMAL
