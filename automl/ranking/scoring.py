"""Predictions of a trained model over a window, and what they are worth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from automl.ranking.examples import Examples
from automl.ranking.model import RankingModel
from automl.ranking.progress import Diverged
from automl.stats.metrics import NESums, auc


@dataclass(frozen=True, slots=True)
class Scores:
    """NE (lower is better), AUC, and calibration = sum of predictions / sum of labels."""

    ne: float
    auc: float
    calibration: float


def score(model: RankingModel, log: Examples, rows: slice, batch: int = 4096) -> NDArray[np.float64]:
    """Probabilities of a window's rows, in their order."""
    model.eval()
    out = np.empty(rows.stop - rows.start, np.float64)
    with torch.inference_mode():
        for start in range(rows.start, rows.stop, batch):
            part = slice(start, min(start + batch, rows.stop))
            ids = torch.from_numpy(np.array(log.ids_NF[part]))
            dense = torch.from_numpy(np.array(log.dense_ND[part]))
            logits = model(ids, dense)
            out[part.start - rows.start : part.stop - rows.start] = logits.double().sigmoid().numpy()
    return out


def evaluate(model: RankingModel, log: Examples, rows: slice, *, negatives_kept: float | None = None) -> Scores:
    """Metrics of a window, corrected where the log kept a share of its negatives.

    Raises:
        Diverged: where a prediction is not a number.
    """
    return scores_of(score(model, log, rows), log, rows, negatives_kept=negatives_kept)


def scores_of(
    probabilities_N: NDArray[np.float64], log: Examples, rows: slice, *, negatives_kept: float | None = None
) -> Scores:
    """Metrics of a window's predictions.

    Raises:
        Diverged: where a prediction is not a number.
    """
    labels_N, weights_N = log.labels_N[rows], log.weights_N[rows]
    if not np.isfinite(probabilities_N).all():
        raise Diverged("predictions of the scored window are not finite")
    sums = NESums.of(labels_N, probabilities_N, weights_N, negatives_kept=negatives_kept)
    return Scores(sums.ne, auc(labels_N, probabilities_N, weights_N), sums.calibration)
