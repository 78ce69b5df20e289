"""What `auto` bases its choice on: what every arm predicted when a row was seen, against the label once it is known.

N examples of one student, M of them whose labels have just arrived.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from automl.exfm.student.auto import Chooser
from automl.exfm.student.calibration import Calibrator
from automl.stats.significance import log_losses
from automl.study.exfm_figures import NONE


class Judge:
    """Keeps the predictions of all arms until their labels arrive, however late, and the teacher's calibration."""

    def __init__(self, arms: Sequence[str], examples_N: NDArray[np.int64]) -> None:
        self.chooser = Chooser(tuple(arms))
        self._calibrator = Calibrator()
        self._examples_N = examples_N
        self._scored = {arm: np.full(len(examples_N), np.nan, np.float32) for arm in arms}

    def note(self, part: slice, logits: Mapping[str, NDArray[np.float32]]) -> None:
        """What the arms predicted for some of the examples, before any of their labels was known."""
        for arm, predicted in logits.items():
            self._scored[arm][part] = predicted

    def hear(
        self, rows_M: NDArray[np.int64], labels_M: NDArray[np.float32], said_M: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Judge by labels that have arrived; what the teacher said of these rows, calibrated on all labels so far.

        The teacher itself is judged as what could be made of it: calibrated on what was known before.
        """
        at_M = np.searchsorted(self._examples_N, rows_M)
        truth_M = labels_M.astype(np.float64)
        fair_M = np.isfinite(self._scored[NONE][at_M])  # an untrained student proves nothing
        seen = {arm: expit(self._scored[arm][at_M[fair_M]], dtype=np.float64) for arm in self.chooser.alive}
        losses = {arm: log_losses(truth_M[fair_M], p_M) for arm, p_M in seen.items()}
        heard_M = np.isfinite(said_M)
        teacher_M = log_losses(truth_M, expit(self._calibrator.logits(said_M)))
        self.chooser.see(losses, np.where(heard_M, teacher_M, np.nan)[fair_M])
        self._calibrator.see(said_M[heard_M], truth_M[heard_M])
        return self._calibrator.logits(said_M).astype(np.float32)
