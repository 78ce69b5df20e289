"""Which trials a search would ship, by role. The best single run is mostly a lucky seed, so NE is shrunk first."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import KFold

from automl import pareto
from automl.history import History
from automl.strategies.evidence import Evidence, gather
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


def picks(space: SearchSpace, history: History, *, seed: int, top: int | None = None) -> tuple[Pick, ...]:
    """The picks of a search, each trial once, in the order of ROLES; at most `top`.

    accurate: lowest shrunken NE at the baseline's QPS or more. fast: highest QPS with shrunken NE no worse than the
    baseline's. balanced: largest hypervolume contribution of the rest. unlimited: lowest shrunken NE whatever its QPS.
    """
    evidence = gather(space, history)
    by_key = {trial.candidate.key: trial.number for trial in history.trials}
    index = [int(i) for i in np.flatnonzero(evidence.eligible_N) if evidence.candidates[i].key in by_key]
    if not index:
        return ()
    numbers = [by_key[evidence.candidates[i].key] for i in index]
    gain = shrunken(space, evidence, index, 100.0 * history.baseline.ne_std / history.baseline.ne, seed)
    ratio = np.exp2(evidence.log2_ratio_N[index])
    chosen: dict[str, int] = {}
    taken: set[int] = set()
    for role in ROLES:
        best = _best(role, gain, ratio, taken)
        if best is not None:
            chosen[role] = best
            taken.add(best)
    found = tuple(Pick(numbers[i], role, float(gain[i])) for role, i in chosen.items())
    return found if top is None else found[:top]


def roles(found: tuple[Pick, ...]) -> Mapping[str, int]:
    """Role to trial."""
    return {pick.role: pick.trial for pick in found}


def _best(role: str, gain: Floats, ratio: Floats, taken: set[int]) -> int | None:
    free = [i for i in range(len(gain)) if i not in taken]
    if role == "accurate":
        return min((i for i in free if ratio[i] >= 1.0), key=lambda i: gain[i], default=None)
    if role == "fast":
        return max((i for i in free if gain[i] <= 0.0), key=lambda i: ratio[i], default=None)
    if role == "unlimited":
        lowest = min(range(len(gain)), key=lambda i: gain[i])
        return None if lowest in taken else lowest
    points = pareto.objectives(gain, ratio)
    known = np.vstack([points[sorted(taken)], [[0.0, 0.0]]])
    worth = pareto.improvements(points, known)
    best = max(free, key=lambda i: worth[i], default=None)
    return best if best is not None and worth[best] > 0 else None


def shrunken(space: SearchSpace, evidence: Evidence, index: list[int], noise_pct: float, seed: int) -> Floats:
    """NE gains drawn towards what the predictor says of the same models without having seen them.

    Empirical Bayes: a gain is prior + signal + seed noise, so its best guess is prior + s (measured - prior) with
    s = signal variance / (signal variance + noise variance); the signal's variance is what the noise leaves of the
    residuals. The prior is the predictor's out-of-fold forecast; with few trials the median of the trials.
    """
    gain = evidence.gain_N[index]
    prior = np.full(len(gain), float(np.median(gain)))
    if len(evidence) >= MIN_FOR_PREDICTOR:
        prior = _out_of_fold(space, evidence, seed)[index]
    residual = gain - prior
    spread = (
        float(np.median(np.abs(residual)) * 1.4826) ** 2
    )  # robust: a few bad forecasts must not make all gains real
    signal = max(spread - noise_pct**2, 0.0)
    share = signal / (signal + noise_pct**2) if signal + noise_pct**2 > 0 else 1.0
    return np.asarray(prior + share * residual, dtype=np.float64)


def _out_of_fold(space: SearchSpace, evidence: Evidence, seed: int) -> Floats:
    rows, _ = Encoder(space).rows_and_costs(evidence.answers_ND)
    forecast = np.full(len(evidence), math.nan)
    for number, (seen, unseen) in enumerate(KFold(FOLDS, shuffle=True, random_state=seed % (1 << 31)).split(rows)):
        scores = normal_scores(evidence.ne_N[seen])
        bag = fit_bag(rows[seen], scores, evidence.weight_N[seen], seed=seed % (1 << 31) + number)
        forecast[unseen] = ScoreScale.of(evidence.gain_N[seen]).value(bag.predict(rows[unseen]).mean[:, 0])
    return forecast
