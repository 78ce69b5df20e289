"""What the history says of candidates that were not trained: NE, speed, failure. Refitted for every proposal.

NE is ranked to normal scores before the fit, so that a diverged trial cannot dominate, and mapped back where a
forecast or a hypervolume needs it. Shapes: N candidates, D decisions, M members of the bag.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtr

from automl.strategies.evidence import Evidence, answers_of
from automl.strategies.foretold import AS_CLAIMED, Width
from automl.strategies.prior import Prior, fit_prior
from automl.strategies.recipe import STANDARD, Recipe
from automl.study.history import Forecast, Limit, Metric
from predictors.cost import SpeedModel, fit_speed
from predictors.gbdt import Bag, BagConfig, ScoreScale, fit_bag, normal_scores
from predictors.process import Process, fit_process
from search_spaces.encoding import Encoder
from search_spaces.space import SearchSpace

Floats = NDArray[np.float64]
MIN_MEASURED = 8  # fewer trials than these teach nothing
MIN_FAILED = 2
PENALTY = 3.0  # in standard deviations of either objective
_EXTRA = BagConfig(extra=True, column_share=0.8)
_FAILURE = BagConfig(members=1, trees=40, rate=0.1, objective="binary")


@dataclass(frozen=True, slots=True)
class Sight:
    """What is foreseen of N candidates."""

    score_MN: Floats  # normal score of NE, by each member; lower is better
    gain_MN: Floats  # the same in percent against the baseline
    log2_ratio_N: Floats
    chance_N: Floats  # of not failing and of keeping every limit; 0 where the space forbids it
    beyond_N: Floats  # octaves outside of the space's band on FLOPs; 0 inside, and where it has none
    width: Width = AS_CLAIMED

    def points(self, member: int | None) -> Floats:
        """Objectives (N, 2) if that member of the bag is right; None: their mean."""
        gain_N = self.gain_MN.mean(axis=0) if member is None else self.gain_MN[member]
        return np.column_stack([gain_N, -self.log2_ratio_N])

    def forecast(self, index: int, baseline_ne: float) -> Forecast:
        """Mean of the bag for one candidate, and the standard deviation of what a training of it will give."""
        gain_M = self.gain_MN[:, index]
        return Forecast(
            ne=float(baseline_ne * (1.0 + gain_M.mean() / 100.0)),
            ne_std=float(baseline_ne * self.width.std(gain_M.std()) / 100.0),
            qps_ratio=float(np.exp2(self.log2_ratio_N[index])),
            widened=self.width.widened,
        )


@dataclass(frozen=True, slots=True)
class Outlook:
    """The fitted predictors of one proposal."""

    encoder: Encoder
    ne: Bag | None
    process: Process | None
    scale: ScoreScale  # normal score to gain
    speed: SpeedModel
    train_speed: SpeedModel | None  # only where a limit asks for it
    failure: Bag | None
    limits: tuple[Limit, ...]
    prior: Prior | None = None
    tasks: Mapping[str, tuple[Bag, ScoreScale]] = field(default_factory=dict)  # of the labels that a limit names
    width: Width = AS_CLAIMED

    def see(self, answers_ND: Floats) -> Sight:
        """Foresee candidates given as answers."""
        rows, costs = self.encoder.rows_and_costs(answers_ND)
        scores = self._scores(rows)
        if self.prior is not None:
            scores = scores + self.prior.expected(rows)
        gains = self.scale.value(scores)
        speed = self.speed.predict(costs, rows)
        chance = self.encoder.allowed(answers_ND, costs).astype(np.float64)
        if self.failure is not None:
            chance *= expit(-self.failure.predict(rows).mean[:, 0])
        figures: dict[str, tuple[Floats, Floats]] = {
            Metric.QPS_RATIO: (speed.mean[:, 0], speed.std[:, 0]),
            Metric.NE_GAIN_PCT: (gains.mean(axis=0), self.width.std(gains.std(axis=0))),
        }
        if self.train_speed is not None:
            train = self.train_speed.predict(costs, rows)
            figures[Metric.TRAIN_QPS_RATIO] = (train.mean[:, 0], train.std[:, 0])
        for task, (bag, scale) in self.tasks.items():
            of_task = scale.value(bag.members(rows))
            figures[f"{Metric.NE_GAIN_PCT}.{task}"] = of_task.mean(axis=0), self.width.std(of_task.std(axis=0))
        for limit in self.limits:
            if limit.name in figures:
                chance *= _chance(limit, *figures[limit.name])
        return Sight(scores, gains, speed.mean[:, 0], chance, self.encoder.beyond(costs), self.width)

    def _scores(self, rows: Floats) -> Floats:
        """(M, N): the mean of the process and of each member of the bag."""
        if self.ne is None:
            assert self.process is not None
            return self.process.mean(rows)[None, :]
        members = self.ne.members(rows)
        return members if self.process is None else 0.5 * (members + self.process.mean(rows))


def fit_outlook(
    space: SearchSpace,
    evidence: Evidence,
    limits: Sequence[Limit],
    recipe: Recipe = STANDARD,
    *,
    seed: int,
    width: Width = AS_CLAIMED,
) -> Outlook | None:
    """Fit on the evidence; None while fewer than MIN_MEASURED trials were measured, or where the recipe has none."""
    if len(evidence) < MIN_MEASURED or not (recipe.trees or recipe.process):
        return None
    encoder = Encoder(space, derived=recipe.derived)
    rows, costs = encoder.rows_and_costs(evidence.answers_ND)
    scores = normal_scores(evidence.gain_N)
    prior = fit_prior(space, encoder, evidence.precedents, rows, scores)
    left = scores if prior is None else scores - prior.expected(rows)
    trained = np.isfinite(evidence.log2_train_ratio_N)
    train_speed = None
    if trained.sum() >= MIN_MEASURED and any(limit.metric is Metric.TRAIN_QPS_RATIO for limit in limits):
        train_speed = fit_speed(costs[trained], rows[trained], evidence.log2_train_ratio_N[trained], seed=seed)
    return Outlook(
        encoder=encoder,
        ne=fit_bag(rows, left, evidence.weight_N, seed=seed, config=_EXTRA if recipe.extra else BagConfig())
        if recipe.trees
        else None,
        process=fit_process(rows, left, evidence.weight_N) if recipe.process else None,
        scale=ScoreScale.of(evidence.gain_N),
        speed=fit_speed(costs, rows, evidence.log2_ratio_N, seed=seed),
        train_speed=train_speed,
        failure=_fit_failure(space, encoder, rows, evidence, seed),
        limits=tuple(limits),
        prior=prior,
        width=width,
        tasks={task: found for task in evidence.task_gains if (found := _fit_task(rows, evidence, task, seed))},
    )


def reward_of(outlook: Outlook, evidence: Evidence) -> Callable[[Floats, Floats], Floats]:
    """The controller's reward: -(1 - t) * score of NE + t * standardised log QPS for a trade-off t, less a penalty for
    what is likely to fail or to break a limit. The farther outside of a band on FLOPs the more: where few draws lie
    inside, one penalty for all would lead nowhere."""
    middle = float(evidence.log2_ratio_N.mean())
    spread = max(float(evidence.log2_ratio_N.std()), 0.1)

    def reward(answers_ND: Floats, trade_off_N: Floats) -> Floats:
        sight = outlook.see(answers_ND)
        speed = (sight.log2_ratio_N - middle) / spread
        score = sight.score_MN.mean(axis=0)
        wanted = (1.0 - trade_off_N) * -score + trade_off_N * speed
        return np.asarray(wanted - PENALTY * (1.0 - sight.chance_N + sight.beyond_N), dtype=np.float64)

    return reward


def _fit_failure(space: SearchSpace, encoder: Encoder, rows: Floats, evidence: Evidence, seed: int) -> Bag | None:
    if len(evidence.failed) < MIN_FAILED:
        return None
    failed, _ = encoder.rows_and_costs(answers_of(space, evidence.failed))
    labels = np.concatenate([np.zeros(len(rows)), np.ones(len(failed))])
    return fit_bag(np.vstack([rows, failed]), labels, seed=seed, config=_FAILURE)


def _fit_task(rows: Floats, evidence: Evidence, task: str, seed: int) -> tuple[Bag, ScoreScale] | None:
    """NE of one of several labels, where enough trials have it: those that were stopped early have none."""
    gain = evidence.task_gains[task]
    known = np.isfinite(gain)
    if known.sum() < MIN_MEASURED:
        return None
    scores = normal_scores(gain[known])
    return fit_bag(rows[known], scores, evidence.weight_N[known], seed=seed), ScoreScale.of(gain[known])


def _chance(limit: Limit, mean: Floats, std: Floats) -> Floats:
    """That a normal value keeps the limit."""
    low, high = (_foreseen(limit.metric, end) for end in limit.ends)
    spread = np.maximum(std, 1e-6)
    return np.asarray(ndtr((mean - low) / spread) * ndtr((high - mean) / spread), dtype=np.float64)


def _foreseen(metric: Metric, bound: float) -> float:
    """A bound on the scale on which the metric is foreseen."""
    match metric:
        case Metric.NE_GAIN_PCT:
            return bound
        case Metric.QPS_RATIO | Metric.TRAIN_QPS_RATIO:
            return float(np.log2(max(bound, 1e-9))) if math.isfinite(bound) else bound
