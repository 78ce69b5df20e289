"""What earlier studies lead one to expect, and how much of it this study's own trials bear out.

A bag that is fitted to the precedents alone foresees every trial of this study, so how well it ranks them is no
flattery. Their correlation, less a standard error, is the weight of what it says; the study's own predictor learns what
that leaves. Precedents that rank this study's trials the other way round weigh nothing; of those that say nothing of
them about one in five passes by chance for some trials, with a weight that falls as trials end. N trials or candidates.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from automl.stats import pareto
from automl.strategies.evidence import answers_of
from automl.study.history import Limit, Metric
from automl.study.precedents import Precedent
from predictors.gbdt import Bag, fit_bag, normal_scores
from search_spaces.encoding import Encoder
from search_spaces.space import Candidate, SearchSpace

Floats = NDArray[np.float64]
SEED = 0  # of a bag that is the same in every round


@dataclass(frozen=True, slots=True)
class Prior:
    """Expected normal scores of NE, weighed."""

    bag: Bag
    weight: float

    def expected(self, rows: Floats) -> Floats:
        """(N,): to be added to what the study's own predictor says."""
        return np.asarray(self.weight * self.bag.predict(rows).mean[:, 0], dtype=np.float64)


def fit_prior(
    space: SearchSpace, encoder: Encoder, precedents: tuple[Precedent, ...], rows: Floats, scores_N: Floats
) -> Prior | None:
    """What the precedents say of this study's trials, given as feature rows and normal scores; None without any."""
    if not precedents:
        return None
    bag = _bag(space, encoder, precedents)
    said = bag.predict(rows).mean[:, 0]
    return Prior(bag, weight_of(said, scores_N))


def weight_of(said_N: Floats, scores_N: Floats) -> float:
    """How much of what was said is borne out: the slope on it, shrunk by a standard error of the correlation."""
    if len(said_N) < 3:
        return 0.0
    spread = float(said_N.std())
    if spread == 0 or float(scores_N.std()) == 0:
        return 0.0
    correlation = float(np.corrcoef(said_N, scores_N)[0, 1])
    borne_out = correlation - 1.0 / math.sqrt(len(said_N))
    return max(0.0, borne_out) * float(scores_N.std()) / spread


def leading(space: SearchSpace, precedents: Sequence[Precedent], limits: Sequence[Limit] = ()) -> Iterator[Candidate]:
    """The candidates of this space nearest to the front of each study, largest contributions first, one of each study
    after the other. The front is of what is fit to ship and keeps this study's limits, as far as they can be asked."""
    fit = [one for one in precedents if one.fit and keeps(one, limits)]
    fronts = []
    for study in dict.fromkeys(one.study for one in fit):
        own = [one for one in fit if one.study == study]
        points = pareto.objectives(np.array([one.ne_gain_pct for one in own]), np.array([one.qps_ratio for one in own]))
        fronts.append([own[i] for i in pareto.leaders(points)])
    turns = max((len(front) for front in fronts), default=0)
    ordered = [front[turn] for turn in range(turns) for front in fronts if turn < len(front)]
    return (here(space, one) for one in ordered)


def keeps(precedent: Precedent, limits: Sequence[Limit]) -> bool:
    """Whether it keeps the limits, but those on what its study did not tell of it: speed of training, and the NE of one
    of several labels."""
    told = {Metric.QPS_RATIO: precedent.qps_ratio, Metric.NE_GAIN_PCT: precedent.ne_gain_pct}
    asked = [limit for limit in limits if limit.task is None and limit.metric in told]
    return all(limit.excess(told[limit.metric]) <= 0 for limit in asked)


def here(space: SearchSpace, precedent: Precedent) -> Candidate:
    """A precedent's model, or what comes closest to it in this space."""
    return space.locate(precedent.model) or space.nearest(precedent.model)


def _bag(space: SearchSpace, encoder: Encoder, precedents: tuple[Precedent, ...]) -> Bag:
    candidates = [here(space, one) for one in precedents]
    scores = np.concatenate([
        normal_scores(np.array([one.ne_gain_pct for one in precedents if one.study == study]))
        for study in dict.fromkeys(one.study for one in precedents)
    ])  # fmt: skip
    rows, _ = encoder.rows_and_costs(answers_of(space, candidates))
    return fit_bag(rows, scores, seed=SEED)
