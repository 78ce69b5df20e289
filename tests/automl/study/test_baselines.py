"""The baseline in the record."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from automl.study.baselines import summarize_baseline
from tests.worlds.studies import baseline_repeat, measured


def test_the_baselines_train_qps_is_a_mean_of_those_measured() -> None:
    repeats = [baseline_repeat(0, 0.9), baseline_repeat(1, 0.9), baseline_repeat(2, 0.9)]
    speeds = (30_000.0, 50_000.0, None)
    changed = [
        replace(r, measurement=measured(r.candidate, ne=0.9, train_qps=speed))
        for r, speed in zip(repeats, speeds, strict=True)
    ]
    assert summarize_baseline(changed, 1.0).train_qps == pytest.approx(40_000)
    assert math.isnan(summarize_baseline(changed[2:], 1.0).train_qps)


def test_it_does_not_matter_which_repeat_ended_first() -> None:
    repeats = [baseline_repeat(order, ne) for order, ne in enumerate((0.91, 0.9, 0.92))]
    found = summarize_baseline(repeats, 1.0)
    assert summarize_baseline([repeats[2], repeats[0], repeats[1]], 1.0) == found
    assert [trial.seeds["repeat"] for trial in found.trials] == [0, 1, 2]
