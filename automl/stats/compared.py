"""What predictions of some rows are worth, paired: models trained S times each, all scored on the same rows.

N rows, S seeds (or orders of the data) at most, K models that are compared with one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from automl.stats.metrics import NESums, undo_sampling
from automl.stats.significance import Gain, examples_std, gains, log_losses

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ScoredRows:
    """Labels of the rows and what their luck hangs on.

    labels_N: 0 or 1. weights_N: what a row counts. clusters_N: rows of one number share luck; where all have the same,
    each row has its own. negatives_kept: the share of the negatives that the models were trained on and that is
    here; predictions are corrected for it, and kept negatives count for those that are not.
    """

    labels_N: Floats
    weights_N: Floats
    clusters_N: NDArray[np.int32]
    negatives_kept: float | None = None

    def __len__(self) -> int:
        return len(self.labels_N)

    def part(self, rows_N: NDArray[np.bool_]) -> ScoredRows:
        """Some of the rows."""
        return replace(
            self,
            labels_N=self.labels_N[rows_N],
            weights_N=self.weights_N[rows_N],
            clusters_N=self.clusters_N[rows_N],
        )

    @property
    def both_classes(self) -> bool:
        """Whether NE is defined on them: rows of either label count for something."""
        positive = float(self.weights_N @ self.labels_N)
        return positive > 0 and float(self.weights_N @ (1 - self.labels_N)) > 0

    def sums(self, probs_SN: Floats) -> tuple[NESums, ...]:
        """Of each seed."""
        return tuple(
            NESums.of(self.labels_N, probs_N, self.weights_N, negatives_kept=self.negatives_kept)
            for probs_N in probs_SN
        )

    def ne(self, probs_SN: Floats) -> Floats:
        """NE by seed."""
        return np.array([sums.ne for sums in self.sums(probs_SN)], dtype=np.float64)

    def gains(self, base_SN: Floats, others: Sequence[Floats]) -> tuple[Gain, ...]:
        """K models (S, N) against one, seed by seed and row by row; Holm's correction is over the K.

        A model with fewer seeds is compared on its own, the first of the S.

        Raises:
            ValueError: with fewer than two seeds, rows of one class, or rows that all share one luck.
        """
        if not others:
            return ()
        spread = [
            self._examples_std(self._losses(probs_SN) - self._losses(base_SN[: len(probs_SN)])) for probs_SN in others
        ]
        found = [self.ne(probs_SN) for probs_SN in others]
        return gains(self.ne(base_SN), found, np.array(spread), self.examples_freedom)

    def change_pct(self, base_N: Floats, other_N: Floats) -> tuple[float, float]:
        """How much higher the NE of one training is than that of another, in percent of it, and the standard error that
        comes from the choice of examples."""
        base_SN, other_SN = base_N[None], other_N[None]
        ne = float(self.ne(base_SN)[0])
        error = self._examples_std(self._losses(other_SN) - self._losses(base_SN))
        return 100 * (float(self.ne(other_SN)[0]) / ne - 1), 100 * error / ne

    @property
    def examples_freedom(self) -> int:
        """Degrees of freedom of what comes from the choice of examples."""
        return len(np.unique(self.luck)) - 1

    @property
    def luck(self) -> NDArray[np.int32]:
        """Clusters, or the rows themselves where there is one cluster."""
        one = np.ptp(self.clusters_N) == 0
        return np.arange(len(self), dtype=np.int32) if one else self.clusters_N

    def _losses(self, probs_SN: Floats) -> Floats:
        """Log loss by row, mean over the seeds."""
        kept = self.negatives_kept
        corrected = probs_SN if kept is None else undo_sampling(probs_SN, kept)
        return np.asarray(log_losses(self.labels_N, corrected).mean(axis=0), dtype=np.float64)

    def _examples_std(self, difference_N: Floats) -> float:
        """Standard error of an NE difference that comes from the choice of examples."""
        weights_N = self.weights_N
        if self.negatives_kept is not None:
            weights_N = np.where(self.labels_N == 1, weights_N, weights_N / self.negatives_kept)
        (sums,) = self.sums(np.full((1, len(self)), 0.5))
        return examples_std(difference_N, weights_N, self.luck, sums.entropy)
