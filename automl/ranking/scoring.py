"""Predictions of a trained model, and what they are worth. N rows, T tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from automl.ranking.examples import Examples
from automl.ranking.features import AT_ONCE, Features, read_parts
from automl.ranking.place import fetch
from automl.ranking.progress import Diverged
from automl.stats.metrics import NESums, auc


@dataclass(frozen=True, slots=True)
class Scores:
    """NE (lower is better), AUC, and calibration = sum of predictions / sum of labels."""

    ne: float
    auc: float
    calibration: float


def logits_of(serve: Callable[[Features], Tensor], parts: Iterable[Features]) -> Tensor:
    """Logits (N,) or (N, T) of rows that come part by part, in their order."""
    with torch.inference_mode():
        return torch.cat([serve(part) for part in parts])


def probabilities_of(logits: Tensor) -> NDArray[np.float64]:
    """Probabilities of logits, in float64."""
    return fetch(logits.double().sigmoid())


def score(model: nn.Module, log: Examples, rows: slice, at_once: int = AT_ONCE) -> NDArray[np.float64]:
    """Probabilities of a window's rows, in their order."""
    return probabilities_of(logits_of(model.eval(), read_parts(log, rows, at_once)))


def evaluate(model: nn.Module, log: Examples, rows: slice, *, negatives_kept: float | None = None) -> Scores:
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
