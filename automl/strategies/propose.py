"""The controller: fit, imagine, keep what is new and affordable, choose by predicted hypervolume gain."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from automl.stats.seeds import seed_of
from automl.strategies.choose import Pool, best_of, choose, scatter
from automl.strategies.controller import imagine
from automl.strategies.draft import Draft
from automl.strategies.ends import accurate_places
from automl.strategies.evidence import gather
from automl.strategies.foretold import trusted, width_of
from automl.strategies.opening import nearest_to_baseline, open_search
from automl.strategies.outlook import fit_outlook, reward_of
from automl.strategies.recipe import STANDARD, Recipe
from automl.study.history import History, Origin, Proposal
from search_spaces.moves import crossover, mutate
from search_spaces.space import Candidate, SearchSpace


def controller(space: SearchSpace, history: History, count: int, seed: int) -> list[Proposal]:
    """The project's own strategy. Without enough measured trials, or where the predictor ranked the last rounds no
    better than chance, mutations of the front and random candidates stand in; the origins of the proposals tell."""
    return propose(space, history, count, seed, STANDARD)


def propose(space: SearchSpace, history: History, count: int, seed: int, recipe: Recipe) -> list[Proposal]:
    """Proposals by a recipe."""
    rng = np.random.default_rng(seed_of("controller", seed, len(history.trials)))
    draft = Draft(space, history)
    if recipe.opening:
        open_search(space, history, draft, count, rng)
    if len(draft) < count:
        evidence = gather(space, history)
        drawn, width = int(rng.integers(1 << 30)), width_of(history)
        outlook = fit_outlook(space, evidence, history.limits, recipe, seed=drawn, width=width)
        believed = outlook is not None and trusted(history)
        pool = Pool(space, draft)
        near = space.within_band(nearest_to_baseline(space, history), rng)
        parents = (*evidence.front()[: recipe.parents], near)
        if outlook is not None and believed and recipe.policies is not None:
            pool.add_answers(imagine(space, reward_of(outlook, evidence), rng, recipe.policies), Origin.CONTROLLER)
        _add_moves(pool, space, [(parent, Origin.MUTATION) for parent in parents], recipe, rng)
        for _ in range(recipe.random):
            pool.add(space.random(rng), Origin.RANDOM)
        if outlook is not None and believed:
            for _ in range(recipe.rounds):
                best = best_of(pool, outlook, evidence, recipe.parents)
                _add_moves(pool, space, best, recipe, rng)
            places = accurate_places(history.prefer, len(history.trials), count) if recipe.ends else [False] * count
            choose(space, pool, outlook, evidence, draft, places, recipe, rng)
        else:
            scatter(pool, outlook, evidence, draft, count, rng)
    draft.fill(count, lambda: space.random(rng), Origin.RANDOM)
    return draft.proposals


def _add_moves(
    pool: Pool,
    space: SearchSpace,
    parents: Sequence[tuple[Candidate, Origin]],
    recipe: Recipe,
    rng: np.random.Generator,
) -> None:
    """Mutations of the parents in turn, and children of two of them. They count for whoever made the (first) parent."""
    for turn in range(recipe.mutations):
        parent, origin = parents[turn % len(parents)]
        pool.add(mutate(space, parent, rng), origin)
    for _ in range(recipe.crossovers if len(parents) > 1 else 0):
        one, other = rng.choice(len(parents), 2, replace=False)
        pool.add(crossover(space, parents[one][0], parents[other][0], rng), parents[one][1])
