from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

from automl.data.columns.numbers import FARTHEST, Scales, as_floats

SCALES = Scales(np.array([1.0, 0.5, 0.0]), np.array([2.0, 0.25, 1.0]), (False, True, False))


@pytest.mark.parametrize(
    ("column", "wanted"),
    [
        (pa.array([1, None, 3]), [1.0, np.nan, 3.0]),
        (pa.array([True, False, None]), [1.0, 0.0, np.nan]),
        (pa.array([0.5, np.nan], pa.float32()), [0.5, np.nan]),
    ],
)
def test_numbers_and_flags_are_floats_and_missing_is_nan(column: pa.Array, wanted: list[float]) -> None:
    found = as_floats(column)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, wanted)


def test_columns_are_transformed_shifted_and_scaled() -> None:
    values = np.array([[3.0, np.e - 1, 7.0], [np.nan, 1 - np.e, np.nan]])
    found = SCALES.standardised(values)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [[1.0, 2.0, 7.0], [0.0, -6.0, 0.0]], rtol=1e-6)
    assert values[0, 0] == 3.0, "what was given stays as it was"


def test_scales_of_some_columns_in_the_order_asked_for() -> None:
    some = SCALES.select([1, 0])
    np.testing.assert_array_equal(some.mean_D, [0.5, 1.0])
    assert some.log == (True, False)


def test_scales_come_back_from_json_bit_for_bit() -> None:
    odd = Scales(np.array([0.1, 1 / 3]), np.array([1e-300, 7.0]), (True, False))
    back = Scales.of_json(json.loads(json.dumps(odd.to_json())))
    np.testing.assert_array_equal(back.mean_D, odd.mean_D)
    np.testing.assert_array_equal(back.scale_D, odd.scale_D)
    assert back.log == odd.log


def test_a_scale_near_0_makes_no_infinite_values() -> None:
    scales = Scales(np.zeros(1), np.full(1, 1e-158), (False,))
    found = scales.standardised(np.array([[1.0], [-1e300], [np.nan], [1e-158]]))
    np.testing.assert_array_equal(found[:, 0], np.array([FARTHEST, -FARTHEST, 0, 1], np.float32))
