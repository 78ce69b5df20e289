"""Predictions of a trained model, and what they are worth. N rows, T tasks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from automl.ranking.examples import Examples
from automl.ranking.features import AT_ONCE, Features, read_parts
from automl.ranking.place import fetch
from automl.ranking.progress import Diverged
from automl.stats.metrics import NESums, auc

CHECKED_AT_ONCE = 256  # neighbouring rows of a check at most, and so many stretches at least where there are the rows:
FEWEST_STRETCHES = 16  # many of a window say more of it than a few


@dataclass(frozen=True, slots=True)
class Scores:
    """NE (lower is better), AUC, and calibration = sum of predictions / sum of labels; of the primary label of several,
    and then the NE of each in its order."""

    ne: float
    auc: float
    calibration: float
    nes: tuple[float, ...] | None = None


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
    probabilities: NDArray[np.float64], log: Examples, rows: slice, *, negatives_kept: float | None = None
) -> Scores:
    """Metrics of a window's predictions, (N,) of one label or (N, T) of several, each where it is defined.

    Raises:
        Diverged: where a prediction is not a number.
    """
    if not np.isfinite(probabilities).all():
        raise Diverged("predictions of the scored window are not finite")
    if log.labels_NT is None:
        return _scores(log.labels_N[rows], probabilities, log.weights_N[rows], negatives_kept)
    of_tasks = []
    for labels_N, probabilities_N in zip(log.labels_NT[rows].T, probabilities.T, strict=True):
        known_N = ~np.isnan(labels_N)
        weights_N = log.weights_N[rows][known_N]
        of_tasks.append(_scores(labels_N[known_N], probabilities_N[known_N], weights_N, negatives_kept))
    return replace(of_tasks[log.primary], nes=tuple(scores.ne for scores in of_tasks))


def check(model: nn.Module, log: Examples, window: slice, count: int) -> float | None:
    """NE of about so many rows of a window, spread evenly over it, of the primary label; None where it is not a
    number. The model goes on training as if it had not been asked."""
    spans = spread(window, count)
    if not spans:
        return None
    sums = NESums()
    for rows in spans:
        probabilities, labels_N = score(model, log, rows), log.labels_N[rows]
        if log.labels_NT is not None:
            probabilities = probabilities[:, log.primary]
        known_N = ~np.isnan(labels_N) & np.isfinite(probabilities)
        sums = sums + NESums.of(labels_N[known_N], probabilities[known_N], log.weights_N[rows][known_N])
    model.train()
    return sums.ne if math.isfinite(sums.ne) else None


def spread(window: slice, count: int) -> list[slice]:
    """Stretches of neighbouring rows, all of one length and evenly spread over a window from its first row to its last:
    about `count` rows in all, and the whole window where it has no more."""
    if count >= window.stop - window.start:
        return [window] if window.stop > window.start else []
    if count < 1:
        return []
    length = min(CHECKED_AT_ONCE, max(1, count // FEWEST_STRETCHES))
    starts = np.linspace(window.start, window.stop - length, count // length).astype(int)
    return [slice(int(start), int(start) + length) for start in starts]


def _scores(
    labels_N: NDArray[np.float32],
    probabilities_N: NDArray[np.float64],
    weights_N: NDArray[np.float32],
    negatives_kept: float | None,
) -> Scores:
    sums = NESums.of(labels_N, probabilities_N, weights_N, negatives_kept=negatives_kept)
    return Scores(sums.ne, auc(labels_N, probabilities_N, weights_N), sums.calibration)
