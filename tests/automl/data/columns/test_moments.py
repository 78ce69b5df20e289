from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from automl.data.columns.moments import Moments

PARTS = st.lists(st.lists(st.one_of(st.floats(-1e6, 1e6), st.just(float("nan"))), max_size=8), max_size=5)


@given(PARTS)
def test_moments_of_parts_are_those_of_the_whole(parts: list[list[float]]) -> None:
    moments = Moments(1)
    for part in parts:
        moments.add(0, np.array(part, np.float64))
    whole = np.array([value for part in parts for value in part], np.float64)
    known = whole[~np.isnan(whole)]
    assert moments.count[0] == len(known)
    if len(known):
        np.testing.assert_allclose(moments.mean[0], known.mean(), rtol=1e-9, atol=1e-6)
        np.testing.assert_allclose(np.sqrt(moments.spread[0] / len(known)), known.std(), rtol=1e-6, atol=1e-6)


def test_a_small_deviation_beside_a_large_mean_is_kept() -> None:
    moments, values = Moments(1), 1e9 + np.array([0.0, 1.0, 2.0, 3.0])
    for part in np.split(values, 2):
        moments.add(0, part)
    np.testing.assert_allclose(moments.scale[0], np.std([0, 1, 2, 3]), rtol=1e-6)


def test_a_constant_and_a_column_without_values_have_scale_one() -> None:
    moments = Moments(2)
    moments.add(0, np.full(5, 0.1))
    np.testing.assert_array_equal(moments.scale, [1.0, 1.0])


def test_moments_stand_beside_those_of_other_columns() -> None:
    left, right = Moments(1), Moments(2)
    left.add(0, np.array([1.0, 3.0]))
    right.add(1, np.array([5.0]))
    both = left.beside(right)
    np.testing.assert_array_equal(both.mean, [2.0, 0.0, 5.0])
    np.testing.assert_array_equal(both.count, [2, 0, 1])
