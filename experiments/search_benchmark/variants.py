"""The controller with parts taken away or changed, by name: what each part is worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from automl.strategies import Strategy
from automl.strategies.propose import propose
from automl.strategies.recipe import STANDARD, Recipe

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
    "no accurate places": replace(STANDARD, accurate_every=0),
    "one round": replace(STANDARD, rounds=0),
    "4 rounds": replace(STANDARD, rounds=4),
    "accurate 5": replace(STANDARD, accurate_every=5),
    "mean, 4 rounds": replace(STANDARD, rounds=4, thompson=False),
}


def variant(name: str) -> Strategy:
    """The controller by that recipe.

    Raises:
        KeyError: where there is none of that name.
    """
    return partial(propose, recipe=RECIPES[name])
