"""One bias, refitted once a model is trained: its mean prediction on the latest training rows becomes their base rate.

Orders of the rows leave a model with odds that are a few percent off, one this way, one that; and a log drifts. The
refit takes .05% of NE from every model on KuaiRand. No row is read that training did not see. N rows.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit

from automl.ranking.examples import Examples
from automl.ranking.features import read_parts
from automl.ranking.model import Ranker, members_of
from automl.ranking.place import fetch, put
from automl.ranking.scoring import logits_of

Floats = NDArray[np.float64]
LEAST_ROWS, SHARE = 20_000, 0.1  # the latest tenth: of a log of two weeks, more than a day
_BEYOND = 40.0  # a logit so far out is a probability of 0 or 1


def recent_rows(trained: slice) -> slice:
    """The latest of the rows that a model was trained on, up to the end of the slice `trained`."""
    count = max(LEAST_ROWS, int(SHARE * (trained.stop - trained.start)))
    return slice(max(0, trained.stop - count), trained.stop)


def recalibrate(model: Ranker, log: Examples, rows: slice) -> None:
    """Move the bias of each head by `shift` of these rows, each label's by those in which it is defined. The model is
    left in eval mode."""
    logits = fetch(logits_of(model.eval(), read_parts(log, rows)).double())
    labels, weights_N = log.labels_N if log.labels_NT is None else log.labels_NT, log.weights_N[rows].astype(np.float64)
    columns = zip(logits.reshape(len(logits), -1).T, labels[rows].reshape(len(logits), -1).T, strict=True)
    found = [_shift_where_defined(logits_N, labels_N.astype(np.float64), weights_N) for logits_N, labels_N in columns]
    with torch.no_grad():
        for member in members_of(model):
            member.head.bias.add_(put(np.array(found, np.float32), member.there))


def _shift_where_defined(logits_N: Floats, labels_N: Floats, weights_N: Floats) -> float:
    known_N = ~np.isnan(labels_N)
    if known_N.all():
        return shift(logits_N, labels_N, weights_N)
    return shift(logits_N[known_N], labels_N[known_N], weights_N[known_N]) if known_N.any() else 0.0


def shift(logits_N: Floats, labels_N: Floats, weights_N: Floats) -> float:
    """What must be added to all logits, so that predictions and labels have one weighted sum: the least cross entropy.

    Rows of one class ask for an infinite one; they move nothing.
    """
    wanted, most = float(weights_N @ labels_N), float(weights_N.sum())
    if not 0.0 < wanted < most:
        return 0.0

    def excess(by: float) -> float:
        return float(weights_N @ expit(logits_N + by)) - wanted

    reach = float(np.abs(logits_N).max()) + _BEYOND
    return float(brentq(excess, -reach, reach, xtol=1e-10))
