"""What is planned is about what is found, on rows that nobody had seen."""

from __future__ import annotations

import math
from statistics import median

import numpy as np
import pytest
from numpy.typing import NDArray

from automl.stats.compared import ScoredRows
from automl.stats.planned import planned_pct

Floats = NDArray[np.float64]
SEEDS, USERS = 5, 400


def window(rows: int, seed: int) -> ScoredRows:
    rng = np.random.default_rng(seed)
    users_N = rng.integers(0, USERS, rows).astype(np.int32)
    return ScoredRows((rng.random(rows) < 0.3).astype(float), np.ones(rows), users_N)


def models(rows: ScoredRows, seed: int, *, of_users: float) -> list[Floats]:
    """The baseline and three others: luck of the order, of single rows, and of users (the same in every window)."""
    rng, tastes = np.random.default_rng(seed), np.random.default_rng(99)
    told_N, found = -0.85 + 0.5 * (rows.labels_N - 0.3), []
    for number in range(4):
        taste_U = tastes.normal(0, of_users if number else 0.0, USERS)
        row_N = rng.normal(0, 0.2, len(rows)) if number else 0.0
        order_S1 = rng.normal(0, 0.02, (SEEDS, 1))
        found.append(1 / (1 + np.exp(-(told_N + order_S1 + taste_U[rows.clusters_N] + row_N))))
    return found


@pytest.mark.parametrize("of_users", [0.0, 0.3])
@pytest.mark.parametrize("times", [1, 5])
def test_it_is_about_what_the_finals_find(of_users: float, times: int) -> None:
    seen, test = window(4000, 1), window(4000 * times, 2)
    base, *others = models(seen, 3, of_users=of_users)
    planned = planned_pct(seen, base, others, test, SEEDS)
    there, *these = models(test, 4, of_users=of_users)
    found = median(gain.half_width_pct for gain in test.gains(there, these))
    assert planned == pytest.approx(found, rel=0.35)


def test_more_orders_and_more_rows_tell_more() -> None:
    seen = window(4000, 1)
    base, *others = models(seen, 3, of_users=0.3)
    by_rows = [planned_pct(seen, base, others, window(rows, 2), SEEDS) for rows in (4000, 16_000, 64_000)]
    assert by_rows == sorted(by_rows, reverse=True)
    by_orders = [planned_pct(seen, base, others, window(4000, 2), orders) for orders in (3, 5, 10)]
    assert by_orders == sorted(by_orders, reverse=True)


def test_the_same_rows_and_orders_are_planned_as_they_are() -> None:
    seen = window(4000, 1)
    base, *others = models(seen, 3, of_users=0.3)
    (gain,) = seen.gains(base, others[:1])
    assert planned_pct(seen, base, others[:1], seen, SEEDS) == pytest.approx(gain.half_width_pct)


def test_nothing_is_planned_without_models() -> None:
    seen = window(100, 1)
    assert math.isnan(planned_pct(seen, np.zeros((2, 100)), [], seen, SEEDS))
