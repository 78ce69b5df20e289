"""What a trial that was stopped early would have reached, from its curve and the curves of trials trained to the end.

final NE = NE of the curve's tail + the drop that complete trials still made from the same place, corrected by the
slope of the tail where there are enough complete trials to fit it. All trials see the examples in comparable order,
so the difficulty of a stretch of the log cancels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from predictors.base import Floats, Prediction

TAIL_POINTS = 3
MIN_SLOPE_CURVES = 8


@dataclass(frozen=True, slots=True)
class Curve:
    """NE of the examples since the last point, at rising numbers of rows seen."""

    rows: Floats
    window_ne: Floats

    def __post_init__(self) -> None:
        if self.rows.shape != self.window_ne.shape or self.rows.ndim != 1 or not len(self.rows):
            raise ValueError(f"a curve must hold points, but found {self.rows.shape} and {self.window_ne.shape}")

    def tail(self, rows: float) -> tuple[float, float]:
        """Mean and slope (NE for each unit of log rows) of the last points up to `rows`."""
        seen = np.flatnonzero((self.rows <= rows) & np.isfinite(self.window_ne))[-TAIL_POINTS:]
        if not len(seen):
            return float("nan"), 0.0
        ne, x = self.window_ne[seen], np.log(self.rows[seen])
        slope = float(np.polyfit(x, ne, 1)[0]) if len(seen) > 1 and np.ptp(x) > 0 else 0.0
        return float(ne.mean()), slope


def extrapolate(stopped: Curve, complete: Sequence[Curve], finals: Floats) -> Prediction:
    """Final NE of a stopped trial; shape (1, 1).

    Raises:
        ValueError: where there is no complete trial to learn the drop from, or the curve has no finite point.
    """
    until = float(stopped.rows[-1])
    tails = np.array([curve.tail(until) for curve in complete], dtype=np.float64).reshape(-1, 2)
    usable = np.isfinite(tails).all(axis=1) & np.isfinite(finals)
    level, slope = stopped.tail(until)
    if not usable.any() or not np.isfinite(level):
        raise ValueError("a stopped curve must have finite points, and complete curves that reach as far")
    drops = np.asarray(finals, dtype=np.float64)[usable] - tails[usable, 0]
    slopes = tails[usable, 1]
    drop, spread = float(np.median(drops)), float(np.std(drops))
    if len(drops) >= MIN_SLOPE_CURVES and np.std(slopes) > 0:
        gradient, offset = np.polyfit(slopes, drops, 1)
        bounded = float(np.clip(slope, slopes.min(), slopes.max()))  # no line goes on for ever
        drop = float(offset + gradient * bounded)
        spread = float(np.std(drops - (offset + gradient * slopes)))
    return Prediction(np.array([[level + drop]]), np.array([[max(spread, 1e-4)]]))
