"""From a pool of candidates to a batch: for each place one member of the bag, and the candidate of largest gain.

Thompson sampling: a member of the bag is drawn and believed. The candidate that would add most hypervolume, times its
chance to end within the limits, gets the place, and then counts as known for the next one, like the trials that still
run; so a batch spreads over the front of itself.
Some places go to the lowest NE (automl/strategies/ends.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from automl.stats import pareto
from automl.strategies.draft import Draft
from automl.strategies.ends import most_accurate
from automl.strategies.evidence import Evidence, answers_of
from automl.strategies.outlook import Outlook
from automl.strategies.recipe import Recipe
from automl.study.history import Origin
from search_spaces.space import Candidate, SearchSpace

Floats = NDArray[np.float64]
LIKELY = 0.5


class Pool:
    """Distinct candidates that a draft could take, each with the generator that made it first."""

    def __init__(self, space: SearchSpace, draft: Draft) -> None:
        self._space = space
        self._draft = draft
        self._keys: set[str] = set()
        self._rows: list[Floats] = []
        self.candidates: list[Candidate] = []
        self.origins: list[Origin] = []

    def __len__(self) -> int:
        return len(self.candidates)

    def add(self, candidate: Candidate, origin: Origin, answers_D: Floats | None = None) -> None:
        """Take a candidate in if it is new; `answers_D` where its row is known already."""
        if candidate.key in self._keys or not self._draft.fresh(candidate):
            return
        self._keys.add(candidate.key)
        self._rows.append(self._space.answers(candidate) if answers_D is None else answers_D)
        self.candidates.append(candidate)
        self.origins.append(origin)

    def add_answers(self, answers_ND: Floats, origin: Origin) -> None:
        """Take in what is new of the rows of a matrix."""
        for answers_D in answers_ND:
            self.add(self._space.candidate(answers_D), origin, answers_D)

    def answers(self) -> Floats:
        """(N, D): the rows of the candidates."""
        return np.array(self._rows, dtype=np.float64).reshape(len(self), len(self._space.decisions))


def choose(
    space: SearchSpace,
    pool: Pool,
    outlook: Outlook,
    evidence: Evidence,
    draft: Draft,
    accurate: Sequence[bool],
    recipe: Recipe,
    rng: np.random.Generator,
) -> None:
    """Add to the draft until it holds a proposal for each of `accurate`, or the pool is empty."""
    count = len(accurate)
    if not len(pool) or len(draft) >= count:
        return
    sight = outlook.see(pool.answers())
    coming = [*evidence.pending, *(proposal.candidate for proposal in draft.proposals)] if recipe.aware else []
    awaited = outlook.see(answers_of(space, coming))
    left = np.ones(len(pool), dtype=bool)
    while len(draft) < count and left.any():
        member = int(rng.integers(len(sight.gain_MN))) if recipe.thompson else None
        points = sight.points(member)
        given = points[~left] if recipe.aware else points[:0]
        known = np.vstack([evidence.points, awaited.points(member), given])
        best = most_accurate(points, left & (sight.chance_N >= LIKELY)) if accurate[len(draft)] else None
        if best is None:
            worth = np.where(left, worths(points, known, np.where(left, sight.chance_N, 0.0)), -1.0)
            best = int(np.argmax(worth))
        left[best] = False
        draft.add(pool.candidates[best], pool.origins[best], sight.forecast(best, evidence.baseline_ne))


def best_of(pool: Pool, outlook: Outlook, evidence: Evidence, count: int) -> list[tuple[Candidate, Origin]]:
    """The candidates that would add most hypervolume, one after the other, by what the bag says on the whole; and who
    made each."""
    sight = outlook.see(pool.answers())
    points, known = sight.points(None), evidence.points
    chosen: list[int] = []
    for _ in range(min(count, len(pool))):
        worth = worths(points, known, sight.chance_N)
        worth[chosen] = -1.0
        chosen.append(int(np.argmax(worth)))
        known = np.vstack([known, points[chosen[-1]]])
    return [(pool.candidates[index], pool.origins[index]) for index in chosen]


def scatter(
    pool: Pool, outlook: Outlook | None, evidence: Evidence, draft: Draft, count: int, rng: np.random.Generator
) -> None:
    """Add at random from the pool. An outlook that is not believed still makes its forecasts, so that it can be
    judged again."""
    sight = outlook.see(pool.answers()) if outlook is not None and len(pool) else None
    for index in rng.permutation(len(pool)):
        if len(draft) >= count:
            break
        forecast = None if sight is None else sight.forecast(int(index), evidence.baseline_ne)
        draft.add(pool.candidates[index], pool.origins[index], forecast)


def worths(candidates: Floats, known: Floats, chance_N: Floats) -> Floats:
    """Hypervolume that each candidate is expected to add to what is known.

    Where none that is likely to end within the limits adds any, all are moved ahead together until one does, so that
    there is always an order among those.
    """
    likely = chance_N >= min(LIKELY, float(chance_N.max(initial=0.0)))
    ahead = 0.0
    while True:
        worth = pareto.improvements(candidates - ahead, known) * chance_N
        if worth[likely].any() or ahead > 1e3:
            return np.asarray(worth, dtype=np.float64)
        ahead = max(0.05, 2.0 * ahead)
