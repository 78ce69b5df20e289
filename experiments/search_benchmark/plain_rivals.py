"""Two rivals that need no library for search: local search, and what an engineer writes in an afternoon."""

from __future__ import annotations

from collections.abc import Sequence

import lightgbm
import numpy as np
from numpy.typing import NDArray

from automl.stats import pareto
from automl.stats.seeds import seed_of
from automl.strategies.draft import Draft
from automl.strategies.evidence import answers_of
from automl.strategies.opening import nearest_to_baseline
from automl.study.history import History, Origin, Proposal, State
from experiments.search_benchmark.rivals import MODEL, Told, draft_of, filled, front_of, told
from search_spaces.moves import mutate
from search_spaces.space import Candidate, SearchSpace

Floats = NDArray[np.float64]
MOST_STEPS = 500  # of local search, that may all lead to what is known
FIRST = 10
MIN_MEASURED = 6
MUTATIONS, RANDOM = 500, 200
SETTINGS = {
    "objective": "regression",
    "num_leaves": 8,
    "min_data_in_leaf": 3,
    "min_data_in_bin": 1,
    "learning_rate": 0.05,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "feature_fraction": 0.8,
    "num_threads": 1,
    "deterministic": True,
    "force_col_wise": True,
    "verbose": -1,
}
ROUNDS = 150


def local(space: SearchSpace, history: History, count: int, seed: int) -> list[Proposal]:
    """Pareto local search (Paquete, Chiarandini, Stützle 2004): one step from the baseline and from each trial that no
    other dominates; where the fewest neighbours were tried comes first."""
    rng = np.random.default_rng(seed_of("local", seed, len(history.trials)))
    near = nearest_to_baseline(space, history)
    draft = draft_of(space, history, count)
    parents = [near, *(candidate for candidate in front_of(history) if candidate.key != near.key)]
    explored = _neighbours_tried(space, history, near, parents)
    for _ in range(MOST_STEPS):
        if len(draft) >= count:
            break
        index = int(np.argmin(explored))
        explored[index] += 1
        draft.add(mutate(space, parents[index], rng), Origin.MUTATION)
    return filled(space, history, draft, count, seed)


def _neighbours_tried(
    space: SearchSpace, history: History, near: Candidate, parents: Sequence[Candidate]
) -> NDArray[np.int64]:
    """How many trials stem from each parent: from what differed least from them when they were proposed."""
    candidates = [near, *(trial.candidate for trial in history.trials)]
    rounds = np.array([-1, *(trial.round for trial in history.trials)])
    answers_ND = np.nan_to_num(answers_of(space, candidates), nan=-1.0)
    tried: dict[str, int] = {}
    for row in range(1, len(candidates)):
        earlier = np.flatnonzero(rounds < rounds[row])
        apart = (answers_ND[earlier] != answers_ND[row]).sum(axis=1)
        key = candidates[earlier[int(np.argmin(apart))]].key
        tried[key] = tried.get(key, 0) + 1
    return np.array([tried.get(parent.key, 0) for parent in parents], dtype=np.int64)


def lightgbm_mutations(space: SearchSpace, history: History, count: int, seed: int) -> list[Proposal]:
    """One LightGBM for each objective on the plain answers; of 500 mutations of the front and 200 random candidates
    those of largest predicted hypervolume gain, one after the other. Before that: mutations of the baseline, and
    chance, in turn."""
    rng = np.random.default_rng(seed_of("lightgbm-mutations", seed, len(history.trials)))
    draft = draft_of(space, history, count)
    near = nearest_to_baseline(space, history)
    known = told(space, history)
    measured = [one for one in known if one.point is not None]
    opening = count if len(measured) < MIN_MEASURED else min(count, FIRST - len(history.trials))
    for place in range(max(0, opening)):
        if place % 2 == 0:
            draft.fill(place + 1, lambda: mutate(space, near, rng), Origin.MUTATION)
        draft.fill(place + 1, lambda: space.random(rng), Origin.RANDOM)
    if len(draft) < count:
        pool = _pool(space, draft, (*front_of(history), near), rng)
        running = [one.candidate for one in known if one.state is State.RUNNING]
        coming = [*running, *(proposal.candidate for proposal in draft.proposals)]
        _choose(space, pool, measured, coming, draft, count, int(rng.integers(1 << 30)))
    return filled(space, history, draft, count, seed)


def _pool(space: SearchSpace, draft: Draft, parents: Sequence[Candidate], rng: np.random.Generator) -> list[Candidate]:
    """Distinct candidates that the draft could take."""
    made = [mutate(space, parents[turn % len(parents)], rng) for turn in range(MUTATIONS)]
    made += [space.random(rng) for _ in range(RANDOM)]
    return list({candidate.key: candidate for candidate in made if draft.fresh(candidate)}.values())


def _choose(
    space: SearchSpace,
    pool: Sequence[Candidate],
    measured: Sequence[Told],
    coming: Sequence[Candidate],
    draft: Draft,
    count: int,
    seed: int,
) -> None:
    """What was predicted of a chosen candidate, or of one that runs, counts as known for the next place."""
    rows = answers_of(space, [one.candidate for one in measured])
    points = np.array([one.point for one in measured], dtype=np.float64)
    models = [_fit(rows, points[:, objective], seed) for objective in range(2)]
    pool_N2 = _predicted(models, answers_of(space, pool))
    points = np.vstack([points, _predicted(models, answers_of(space, coming))])
    left = np.ones(len(pool), dtype=bool)
    while len(draft) < count and left.any():
        best = int(np.argmax(np.where(left, _gains(pool_N2, points), -1.0)))
        left[best] = False
        points = np.vstack([points, pool_N2[best]])
        draft.add(pool[best], MODEL)


def _gains(candidates_N2: Floats, points: Floats) -> Floats:
    """Hypervolume that each adds; where none adds any, all are moved ahead together until one does."""
    for ahead in (0.0, *np.geomspace(0.05, 1e3, 16)):
        added = pareto.improvements(candidates_N2 - ahead, points)
        if added.any():
            break
    return added


def _fit(rows: Floats, targets: Floats, seed: int) -> lightgbm.Booster:
    settings = {**SETTINGS, "seed": seed}
    return lightgbm.train(settings, lightgbm.Dataset(rows, targets, params=settings), num_boost_round=ROUNDS)


def _predicted(models: Sequence[lightgbm.Booster], rows: Floats) -> Floats:
    if not len(rows):
        return np.zeros((0, len(models)))
    return np.column_stack([model.predict(rows) for model in models])
