"""Holm's correction is statsmodels' to the bit."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from automl.stats.holm import holm


@pytest.fixture(autouse=True, scope="module")
def no_collections() -> Iterator[None]:
    """statsmodels collects all garbage at every call, which many examples cannot afford."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gc.collect", lambda *_: 0)
        yield


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0, 1) | st.sampled_from([0.0, 0.01, 0.05, 0.5, 1.0, float("nan")]), max_size=12))
def test_it_is_statsmodels(p: list[float]) -> None:
    wanted = multipletests(p, method="holm")[1] if p else []
    np.testing.assert_array_equal(holm(p), wanted)


def test_by_hand() -> None:
    assert holm([0.04, 0.01, 0.03]) == [0.06, 0.03, 0.06]
    assert holm([]) == []
