"""Progressive NE: of predictions made before the model learnt from them; the hot loop never waits for a value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
import torch
from torch import Tensor

from automl.ranking.place import fetch
from automl.stats.metrics import NESums

EXPLODED_NE = 3.0


@dataclass(frozen=True, slots=True)
class Progress:
    """NE of the rows since the last point, and of all so far; NaN where only one class was seen."""

    rows: int
    window_ne: float
    lifetime_ne: float


def mean_progress(told: Sequence[Progress]) -> Progress:
    """Of several models that are trained side by side on equally many rows: the mean of their NE."""
    window, lifetime = (fmean(values) for values in zip(*((p.window_ne, p.lifetime_ne) for p in told), strict=True))
    return Progress(told[0].rows, window, lifetime)


class Diverged(Exception):  # noqa: N818
    """Training cannot go on: predictions or weights are not finite, or NE exploded."""


class Prequential:
    """Collects logits and labels of batches; makes a point of them about `points` times over `total` rows.

    Rows whose label is NaN count as rows and for nothing else.
    """

    def __init__(self, total: int, points: int) -> None:
        self.rows = 0
        self._total, self._points, self._told = total, points, 0
        self._lifetime = NESums()
        self._batches: list[tuple[Tensor, Tensor, Tensor | None]] = []

    def add(self, logits_B: Tensor, labels_B: Tensor, weights_B: Tensor | None) -> None:
        self._batches.append((logits_B, labels_B, weights_B))
        self.rows += len(logits_B)

    @property
    def due(self) -> bool:
        """Whether the next point was reached; the last row always is one."""
        return self.rows * self._points >= (self._told + 1) * self._total

    def state(self) -> Tensor:
        """Rows and sums, at a point: fp64."""
        sums = self._lifetime
        told = (self.rows, self._told, sums.cross_entropy, sums.positive, sums.negative, sums.predicted)
        return torch.tensor(told, dtype=torch.float64)

    def restore(self, state: Tensor) -> None:
        """Go on from the point of such a state."""
        rows, told, *sums = state.tolist()
        self.rows, self._told, self._lifetime = int(rows), int(told), NESums(*sums)

    def point(self) -> Progress:
        """NE since the last point and of all.

        Raises:
            Diverged: where training cannot go on.
        """
        logits = torch.cat([logits for logits, _, _ in self._batches]).double()
        if not torch.isfinite(logits).all():
            raise Diverged(f"predictions are not finite after {self.rows} rows")
        labels = np.concatenate([fetch(labels) for _, labels, _ in self._batches])
        weights = np.concatenate([np.ones(len(y)) if w is None else fetch(w) for _, y, w in self._batches])
        known = ~np.isnan(labels)
        window = NESums.of(labels[known], fetch(torch.sigmoid(logits))[known], weights[known])
        if window.ne > EXPLODED_NE:
            raise Diverged(f"NE rose to {window.ne:.3g} after {self.rows} rows")
        self._lifetime = self._lifetime + window
        self._batches.clear()
        self._told = self.rows * self._points // self._total
        return Progress(self.rows, window.ne, self._lifetime.ne)
