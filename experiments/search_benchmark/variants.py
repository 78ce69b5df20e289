"""The controller with parts taken away or changed, or told what is preferred, by name: what each is worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from automl.strategies import Strategy
from automl.strategies.propose import propose
from automl.strategies.recipe import STANDARD, Recipe
from automl.study.history import History, Prefer, Proposal
from search_spaces.space import SearchSpace

RECIPES: Mapping[str, Recipe] = {
    "controller": STANDARD,
    "no predictor": replace(STANDARD, trees=False, process=False),
    "trees": replace(STANDARD, process=False, extra=False),
    "extra trees": replace(STANDARD, process=False),
    "process": replace(STANDARD, trees=False),
    "no extra": replace(STANDARD, extra=False),
    "no controller": replace(STANDARD, policies=None),
    "no moves": replace(STANDARD, mutations=0, crossovers=0, rounds=0),
    "no opening": replace(STANDARD, opening=False),
    "not aware": replace(STANDARD, aware=False),
    "no derived features": replace(STANDARD, derived=False),
    "mean": replace(STANDARD, thompson=False),
    "no places for ends": replace(STANDARD, ends=False),
    "one round": replace(STANDARD, rounds=0),
    "4 rounds": replace(STANDARD, rounds=4),
    "mean, 4 rounds": replace(STANDARD, rounds=4, thompson=False),
}


def _preferring(space: SearchSpace, history: History, count: int, seed: int, prefer: Prefer) -> list[Proposal]:
    return propose(space, replace(history, prefer=prefer), count, seed, STANDARD)


VARIANTS: Mapping[str, Strategy] = {
    **{name: partial(propose, recipe=recipe) for name, recipe in RECIPES.items()},
    "prefer accurate": partial(_preferring, prefer=Prefer.ACCURATE),
}
