"""The compiled forest gives LightGBM's own numbers."""

from __future__ import annotations

import lightgbm
import numpy as np
import pytest

from predictors.trees import MAX_LEAVES, compile_forest


def boosted(rows: np.ndarray, targets: np.ndarray, **settings: object) -> lightgbm.Booster:
    fixed = {"num_threads": 1, "verbose": -1, "use_missing": False, "min_data_in_leaf": 3, "min_data_in_bin": 1}
    params = {"objective": "regression", **fixed, **settings}
    return lightgbm.train(params, lightgbm.Dataset(rows, targets, params=params), 40)


@pytest.mark.parametrize("leaves", [2, 5, MAX_LEAVES])
@pytest.mark.parametrize("decimals", [0, 8])
def test_same_as_lightgbm(leaves: int, decimals: int) -> None:
    rng = np.random.default_rng(leaves)
    rows = rng.normal(size=(80, 6)).round(decimals)
    rows[rng.random(rows.shape) < 0.2] = -1e6
    booster = boosted(rows, rows[:, 0] + rows[:, 1] ** 2 % 3, num_leaves=leaves)
    new = np.vstack([rows, rng.normal(size=(200, 6)).round(decimals), np.zeros((1, 6))])
    forest = compile_forest([booster.model_to_string()], 6)
    assert forest.evaluate(new)[0] == pytest.approx(booster.predict(new), rel=1e-12, abs=1e-9)


def test_several_boosters_one_after_another() -> None:
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(50, 3))
    boosters = [boosted(rows, rng.normal(size=50), num_leaves=4) for _ in range(3)]
    values = compile_forest([b.model_to_string() for b in boosters], 3).evaluate(rows)
    for part, booster in zip(values, boosters, strict=True):
        assert part == pytest.approx(booster.predict(rows))


def test_a_tree_without_splits() -> None:
    rows = np.ones((5, 2))
    booster = boosted(rows, np.full(5, 3.5))
    values = compile_forest([booster.model_to_string()], 2).evaluate(rows)
    assert values[0] == pytest.approx(booster.predict(rows))


def test_large_trees_are_refused() -> None:
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(400, 3))
    booster = boosted(rows, rows[:, 0], num_leaves=31)
    with pytest.raises(ValueError, match="at most 9 leaves"):
        compile_forest([booster.model_to_string()], 3)
