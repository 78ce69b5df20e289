from __future__ import annotations

import numpy as np

from automl.data.leaks.find import find_leaks
from automl.data.leaks.sample import Sample
from tests.automl.data.leaks.worlds import clicks, mean_by, with_dense


def test_each_feature_is_told_of_once_and_in_order() -> None:
    sample = clicks(rows=40_000)
    positive, user = sample.positive_N, sample.keys[0].codes_N
    notes = find_leaks(
        with_dense(
            sample,
            {
                "honest": np.random.default_rng(0).normal(size=len(sample)),
                "rate": mean_by(user, positive * 1.0),
                "dwell": positive * 9.0,
            },
        )
    )
    assert [note.at[-1] for note in notes] == ["rate", "dwell"]


def test_nothing_is_said_of_a_handful_of_rows() -> None:
    sample = clicks(rows=120, base=0.1)
    assert find_leaks(with_dense(sample, {"dwell": sample.positive_N * 9.0})) == []
    none = Sample(np.zeros(0, bool), None, None, (), ())
    assert find_leaks(none) == []
