"""What a trial that was stopped early would have reached, from its curve and the curves of trials trained to the end.

A line through the complete trials: final NE over the mean NE of the last points at the place where the curve stops. Its
slope is below 1 (a level is noisy, and a bad start recovers in part), so the forecast of a curve that looks extreme is
drawn back to the others. All trials see the examples in comparable order, so the difficulty of a stretch cancels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from predictors.base import Floats, Prediction

TAIL_POINTS = 5
MIN_FOR_LINE = 8


@dataclass(frozen=True, slots=True)
class Curve:
    """NE of the examples since the last point, at rising numbers of rows seen."""

    rows: Floats
    window_ne: Floats

    def __post_init__(self) -> None:
        if self.rows.shape != self.window_ne.shape or self.rows.ndim != 1 or not len(self.rows):
            raise ValueError(f"a curve must hold points, but found {self.rows.shape} and {self.window_ne.shape}")

    def level(self, rows: float) -> float:
        """Mean NE of the last points up to `rows`; NaN where there is none."""
        seen = np.flatnonzero((self.rows <= rows) & np.isfinite(self.window_ne))[-TAIL_POINTS:]
        return float(self.window_ne[seen].mean()) if len(seen) else float("nan")


def extrapolate(stopped: Curve, complete: Sequence[Curve], finals: Floats) -> Prediction:
    """Final NE of a stopped trial; shape (1, 1). With few complete trials: its level and their median drop from there.

    Raises:
        ValueError: where there is no complete trial to learn from, or the curve has no finite point.
    """
    until = float(stopped.rows[-1])
    levels = np.array([curve.level(until) for curve in complete], dtype=np.float64)
    usable = np.isfinite(levels) & np.isfinite(finals)
    level = stopped.level(until)
    if not usable.any() or not np.isfinite(level):
        raise ValueError("a stopped curve must have finite points, and complete curves that reach as far")
    levels, ends = levels[usable], np.asarray(finals, dtype=np.float64)[usable]
    slope = 1.0
    if len(levels) >= MIN_FOR_LINE and np.ptp(levels) > 0:
        slope = float(np.clip(stats.theilslopes(ends, levels).slope, 0.0, 1.0))
    offsets = ends - slope * levels
    spread = float(np.median(np.abs(offsets - np.median(offsets))) * 1.4826)
    return Prediction(np.array([[float(np.median(offsets)) + slope * level]]), np.array([[max(spread, 1e-4)]]))
