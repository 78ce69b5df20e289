"""What a trial that was stopped early would have reached, from its level at the stop and what became of others there.

A line through the trials that were trained to their end: final NE over their NE at the same share of the training. Its
slope is seldom 1 (a level is noisy, and a bad start recovers in part). Middle and spread around it are those of the
half of the trials whose levels are nearest: a level far from the front says little about the front.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from predictors.base import Floats
from predictors.evaluate import tau

MIN_FOR_LINE = 8
STEEPEST = 1.5
LEAST_SPREAD = 1e-4
TO_STD = 1.4826  # of a median of absolute deviations


@dataclass(frozen=True, slots=True)
class Foreseen:
    """Final NE: middle and standard deviation; and how well levels ranked the final NE of the trials that tell."""

    ne: float
    std: float
    tau: float


def foresee(level: float, levels: Floats, finals: Floats) -> Foreseen:
    """Final NE of a trial at a level, from levels and final NE of others. With few of them: their median drop from
    there.

    Raises:
        ValueError: where the level is not finite, or no other trial has both.
    """
    usable = np.isfinite(levels) & np.isfinite(finals)
    if not usable.any() or not math.isfinite(level):
        raise ValueError("a level must be finite, and others must have one and a final NE")
    levels, finals = np.asarray(levels, np.float64)[usable], np.asarray(finals, np.float64)[usable]
    slope = 1.0
    if len(levels) >= MIN_FOR_LINE and np.ptp(levels) > 0:
        slope = float(np.clip(stats.theilslopes(finals, levels).slope, 0.0, STEEPEST))
    offsets = finals - slope * levels
    near = np.argsort(np.abs(levels - level), kind="stable")[: max(MIN_FOR_LINE, len(levels) // 2)]
    middle = float(np.median(offsets[near]))
    spread = TO_STD * float(np.median(np.abs(offsets[near] - middle)))
    return Foreseen(middle + slope * level, max(spread, LEAST_SPREAD), tau(levels, finals))
