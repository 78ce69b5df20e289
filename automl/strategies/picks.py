"""Which trials a search would ship, by role. The best single run is mostly a lucky seed, so NE is shrunk first."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import KFold

from automl.stats import pareto
from automl.strategies.believed import LEAST_SPREAD, MOST_LUCK
from automl.strategies.evidence import Evidence, gather
from automl.study.history import History
from predictors.gbdt import ScoreScale, fit_bag, normal_scores
from search_spaces.encoding import Encoder
from search_spaces.space import SearchSpace

Floats = NDArray[np.float64]
MIN_FOR_PREDICTOR = 20
FOLDS = 5
ROLES = ("accurate", "fast", "balanced", "unlimited")


@dataclass(frozen=True, slots=True)
class Pick:
    """A trial chosen for a role, with the NE gain it is believed to have."""

    trial: int
    role: str
    shrunken_gain_pct: float


@dataclass(frozen=True, slots=True)
class _Field:
    """What may be picked: trials, their believed NE gains in percent and their QPS ratios."""

    trials: tuple[int, ...]
    gain: Floats
    ratio: Floats


def picks(
    space: SearchSpace,
    history: History,
    *,
    seed: int,
    top: int | None = None,
    margin_pct: float = math.inf,
    confirmed: Mapping[int, Floats] | None = None,
) -> tuple[Pick, ...]:
    """The picks of a search, each trial once, in the order of ROLES; at most `top`.

    accurate: lowest shrunken NE at the baseline's QPS or more. fast: highest QPS, not below the baseline's, with
    shrunken NE no worse than its. balanced: largest hypervolume contribution of the rest, NE worse by at most
    `margin_pct`. unlimited: lowest shrunken NE whatever its QPS. With `confirmed` (gains by trial, on several orders of
    the data) only those trials are looked at, by their means.
    """
    field = _field(space, history, seed, confirmed)
    if field is None:
        return ()
    chosen: dict[str, int] = {}
    for role in ROLES:
        best = _best(role, field, set(chosen.values()), margin_pct)
        if best is not None:
            chosen[role] = best
    found = tuple(Pick(field.trials[i], role, float(field.gain[i])) for role, i in chosen.items())
    return found if top is None else found[:top]


def entrants(space: SearchSpace, history: History, *, seed: int, count: int = 10) -> tuple[int, ...]:
    """Trials that may turn out to be picks and are worth more trainings: the best few of each role, `count` at most."""
    field = _field(space, history, seed, None)
    if field is None:
        return ()
    everyone = range(len(field.trials))
    by_gain = sorted(everyone, key=lambda i: field.gain[i])
    accurate = [i for i in by_gain if field.ratio[i] >= 1.0]
    fast = sorted((i for i in accurate if field.gain[i] <= 0.0), key=lambda i: -field.ratio[i])
    worth = pareto.contributions(pareto.objectives(field.gain, field.ratio))
    balanced = sorted(everyone, key=lambda i: -worth[i])
    share = count // 3
    ordered = [*accurate[:share], *fast[:share], *by_gain[:1], *balanced, *by_gain]
    return tuple(field.trials[i] for i in list(dict.fromkeys(ordered))[:count])


def _field(space: SearchSpace, history: History, seed: int, confirmed: Mapping[int, Floats] | None) -> _Field | None:
    evidence = gather(space, history)
    by_key = {trial.candidate.key: trial.number for trial in history.trials}
    index = [int(i) for i in np.flatnonzero(evidence.eligible_N) if evidence.candidates[i].key in by_key]
    numbers = [by_key[evidence.candidates[i].key] for i in index]
    counts = {trial.number: len(trial.trainings) for trial in history.trials}
    gain = evidence.gain_N[index]
    noise = history.noise_pct / np.sqrt([counts[number] for number in numbers])
    if confirmed is not None:
        kept = [k for k, number in enumerate(numbers) if number in confirmed]
        index, numbers = [index[k] for k in kept], [numbers[k] for k in kept]
        gain = np.array([confirmed[number].mean() for number in numbers])
        noise = np.full(len(numbers), _noise_of_means([confirmed[number] for number in numbers]))
    if not index:
        return None
    believed = shrunken(gain, prior_gains(space, evidence, index, seed), noise)
    return _Field(tuple(numbers), believed, np.exp2(evidence.log2_ratio_N[index]))


def _noise_of_means(gains: Sequence[Floats]) -> float:
    """Standard error of a mean gain, from what the orders of the data make of the same model. What an order does to all
    of them, the baseline's own luck on it first of all, tells no model from another and is left out.

    Two-way analysis of variance: models x orders, what is left of (models - 1) (orders - 1) degrees of freedom.
    """
    repeats, models = (len(gains[0]), len(gains)) if gains else (0, 0)
    if repeats < 2:
        return 0.0
    table_MR = np.stack(gains)
    left_MR = table_MR - table_MR.mean(1, keepdims=True)
    if models > 1:
        left_MR -= left_MR.mean(0)
    return math.sqrt(float(np.square(left_MR).sum()) / (max(models - 1, 1) * (repeats - 1)) / repeats)


def roles(found: tuple[Pick, ...]) -> Mapping[str, int]:
    """Role to trial."""
    return {pick.role: pick.trial for pick in found}


def _best(role: str, field: _Field, taken: set[int], margin_pct: float) -> int | None:
    gain, ratio = field.gain, field.ratio
    free = [i for i in range(len(gain)) if i not in taken]
    if role == "accurate":
        return min((i for i in free if ratio[i] >= 1.0), key=lambda i: gain[i], default=None)
    if role == "fast":
        return max((i for i in free if gain[i] <= 0.0 and ratio[i] >= 1.0), key=lambda i: ratio[i], default=None)
    if role == "unlimited":
        lowest = min(range(len(gain)), key=lambda i: gain[i])
        return None if lowest in taken else lowest
    points = pareto.objectives(gain, ratio)
    worth = pareto.improvements(points, np.vstack([points[sorted(taken)], [[0.0, 0.0]]]))
    best = max((i for i in free if gain[i] <= margin_pct), key=lambda i: worth[i], default=None)
    return best if best is not None and worth[best] > 0 else None


def shrunken(gain: Floats, prior: Floats, noise_pct: Floats | float) -> Floats:
    """NE gains drawn towards a prior that has not seen them; the noise is that of each gain, or of all of them.

    Empirical Bayes: a gain is prior + signal + noise, so its best guess is prior + s (measured - prior) with
    s = signal variance / (signal variance + noise variance); the signal's variance is what the noise leaves of the
    residuals, by a robust estimate: a few bad forecasts must not make all gains real. None is believed to be better
    than it was measured by more than bad luck goes; what looks too good may be luck as a whole, since the best of many
    is looked for.
    """
    residual = gain - prior
    spread = float(np.median(np.abs(residual)) * 1.4826) ** 2
    noise = np.broadcast_to(np.asarray(noise_pct, dtype=np.float64) ** 2, gain.shape)
    usual = float(noise.mean()) if len(gain) else 0.0
    signal = max(spread - usual, LEAST_SPREAD**2 * usual)
    luck = residual * np.divide(noise, signal + noise, out=np.zeros(len(gain)), where=signal + noise > 0)
    return np.asarray(gain - np.minimum(luck, MOST_LUCK * np.sqrt(noise)), dtype=np.float64)


def prior_gains(space: SearchSpace, evidence: Evidence, index: list[int], seed: int) -> Floats:
    """The predictor's out-of-fold forecast of the trials; with few of them their median."""
    if len(evidence) < MIN_FOR_PREDICTOR:
        return np.full(len(index), float(np.median(evidence.gain_N[index])))
    return _out_of_fold(space, evidence, seed)[index]


def _out_of_fold(space: SearchSpace, evidence: Evidence, seed: int) -> Floats:
    rows, _ = Encoder(space).rows_and_costs(evidence.answers_ND)
    forecast = np.full(len(evidence), math.nan)
    for number, (seen, unseen) in enumerate(KFold(FOLDS, shuffle=True, random_state=seed % (1 << 31)).split(rows)):
        scores = normal_scores(evidence.gain_N[seen])
        bag = fit_bag(rows[seen], scores, evidence.weight_N[seen], seed=seed % (1 << 31) + number)
        forecast[unseen] = ScoreScale.of(evidence.gain_N[seen]).value(bag.predict(rows[unseen]).mean[:, 0])
    return forecast
