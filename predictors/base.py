"""The contract of a predictor: rows and targets in, Prediction out.

Shapes: N candidates, D features, O objectives, M members of a bag. Features are float64; NaN means "does not apply".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Prediction:
    """Mean and standard deviation, both of shape (n, objectives)."""

    mean: Floats
    std: Floats

    def __post_init__(self) -> None:
        if self.mean.ndim != 2 or self.mean.shape != self.std.shape:
            raise ValueError(
                f"mean and std must have one shape (n, objectives), but found {self.mean.shape} and {self.std.shape}"
            )
        if (self.std < 0).any():
            raise ValueError("std must not be negative")

    def __len__(self) -> int:
        return len(self.mean)


class Predictor(Protocol):
    """Something that was fitted and answers for new rows."""

    def predict(self, rows: Floats) -> Prediction: ...


def checked(rows: Floats, targets: Floats, weights: Floats | None) -> tuple[Floats, Floats, Floats]:
    """The training set of a predictor as float64 (n, d), (n,), (n,); weights of 1 where there are none.

    Raises:
        ValueError: where lengths differ, there is no row, or a target or weight is not finite.
    """
    rows = np.ascontiguousarray(rows, dtype=np.float64)
    targets = np.asarray(targets, dtype=np.float64)
    weights = np.ones(len(targets)) if weights is None else np.asarray(weights, dtype=np.float64)
    if rows.ndim != 2 or targets.shape != (len(rows),) or weights.shape != (len(rows),):
        raise ValueError(
            "rows (n, d), targets (n,) and weights (n,) must agree, "
            f"but found {rows.shape}, {targets.shape}, {weights.shape}"
        )
    if not len(rows):
        raise ValueError("there must be at least one row to fit")
    if not (np.isfinite(targets).all() and np.isfinite(weights).all()):
        raise ValueError("targets and weights must be finite")
    return rows, targets, weights
