"""The controller: fit, imagine, keep what is new and affordable, choose by predicted hypervolume gain."""

from __future__ import annotations

import numpy as np

from automl.stats.seeds import seed_of
from automl.strategies.choose import Pool, choose, scatter
from automl.strategies.controller import imagine
from automl.strategies.draft import Draft
from automl.strategies.evidence import gather
from automl.strategies.opening import nearest_to_baseline, open_search
from automl.strategies.outlook import fit_outlook, reward_of, trusted
from automl.study.history import History, Origin, Proposal
from search_spaces.moves import mutate
from search_spaces.space import SearchSpace

MUTATIONS = 60
RANDOM = 30
PARENTS = 8


def controller(space: SearchSpace, history: History, count: int, seed: int) -> list[Proposal]:
    """The project's own strategy. Without enough measured trials, or where the predictor ranked the last rounds no
    better than chance, mutations of the front and random candidates stand in; the origins of the proposals tell."""
    rng = np.random.default_rng(seed_of("controller", seed, len(history.trials)))
    draft = Draft(space, history)
    open_search(space, history, draft, count, rng)
    if len(draft) < count:
        evidence = gather(space, history)
        outlook = fit_outlook(space, evidence, history.limits, seed=int(rng.integers(1 << 30)))
        parents = (*evidence.front()[:PARENTS], nearest_to_baseline(space, history))
        pool = Pool(space, draft)
        believed = outlook is not None and trusted(history)
        if outlook is not None and believed:
            pool.add_answers(imagine(space, reward_of(outlook, evidence), rng), Origin.CONTROLLER)
        for turn in range(MUTATIONS):
            pool.add(mutate(space, parents[turn % len(parents)], rng), Origin.MUTATION)
        for _ in range(RANDOM):
            pool.add(space.random(rng), Origin.RANDOM)
        if outlook is not None and believed:
            choose(space, pool, outlook, evidence, draft, count, rng)
        else:
            scatter(pool, outlook, evidence, draft, count, rng)
    draft.fill(count, lambda: space.random(rng), Origin.RANDOM)
    return draft.proposals
