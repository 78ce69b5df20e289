from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl.ranking.clocks import AnalyticClock
from automl.ranking.model import RankingModel, build_model
from automl.ranking.place import PROCESSOR, CpuClock
from automl.ranking.throughput import interval, quiet_qps, time_ratio, timed_batches, trimmed_mean
from tests.worlds.models import planted, spec

LOG = planted(2000)
BATCHES = timed_batches(LOG, slice(0, 2000), 100)
SMALL, LARGE = spec(), spec(deep=[{"mlp": {"width": 512}}, {"mlp": {"width": 512}}])


class NoisyClock:
    """Seconds that a width costs, times noise of a drifting machine with rare long stalls; nothing is run."""

    there = PROCESSOR

    def __init__(self, seed: int, noise: float) -> None:
        self._rng, self._noise = np.random.default_rng(seed), noise
        self.calls: list[tuple[str, int]] = []

    def seconds(self, model: RankingModel, rows: int, run: Callable[[], object]) -> float:
        self.calls.append((model.spec.key, rows))
        drift = 1 + 0.3 * math.sin(len(self.calls) / 300)
        stall = 20 if self._noise and self._rng.random() < 0.02 else 1
        return 1e-3 * (1 + (model.spec == LARGE)) * drift * stall * math.exp(self._noise * self._rng.normal())


def models() -> tuple[RankingModel, RankingModel]:
    return build_model(SMALL, LOG.inputs, seed=0), build_model(LARGE, LOG.inputs, seed=0)


def test_the_ratio_is_found_through_noise_drift_and_stalls() -> None:
    small, large = models()
    hits = 0
    for seed in range(20):
        clock = NoisyClock(seed, 0.1)
        speed = time_ratio(small, large, BATCHES, max_seconds=3.0, clock=clock)
        assert speed.qps_ratio == pytest.approx(2.0, rel=0.05)
        hits += speed.qps_ratio_low <= 2.0 <= speed.qps_ratio_high
    assert hits >= 17


def test_models_take_turns_on_the_same_batches_and_stop_when_sure() -> None:
    small, large = models()
    clock = NoisyClock(0, 0.0)
    speed = time_ratio(small, large, BATCHES, max_seconds=1e9, clock=clock)
    a, b = SMALL.key, LARGE.key
    assert [key for key, _ in clock.calls[10:18]] == [a, b, b, a] * 2
    assert {rows for _, rows in clock.calls} == {100}
    assert speed.qps_ratio_high / speed.qps_ratio_low < 1.021
    assert len(clock.calls) < 1000


def test_time_is_bounded() -> None:
    small, large = models()
    clock = NoisyClock(0, 1.0)
    time_ratio(small, large, BATCHES, max_seconds=0.2, clock=clock)
    assert len(clock.calls) < 200


def test_the_analytic_clock_is_a_function_of_cost_alone() -> None:
    small, large = models()
    kind = {"max_seconds": 1.0, "clock": AnalyticClock()}
    one = time_ratio(small, large, BATCHES, **kind)
    assert one == time_ratio(small, large, BATCHES[:1], **kind)
    assert one.qps_ratio > 1
    assert one.qps_ratio_low == pytest.approx(one.qps_ratio)
    back = time_ratio(large, small, BATCHES, **kind)
    assert back.qps_ratio == pytest.approx(1 / one.qps_ratio)
    ratio = quiet_qps(small, BATCHES, **kind) / quiet_qps(large, BATCHES, **kind)
    assert ratio == pytest.approx(one.qps_ratio)


def test_the_cpu_clock_runs_the_models() -> None:
    small, large = models()
    kind = {"max_seconds": 0.2, "clock": CpuClock()}
    speed = time_ratio(small, large, BATCHES, **kind)
    assert 1 < speed.qps_ratio < 1000
    assert speed.qps_ratio_low <= speed.qps_ratio <= speed.qps_ratio_high
    assert quiet_qps(small, BATCHES, **kind) > 0


def test_batches_are_different_rows_and_all_of_one_size() -> None:
    found = timed_batches(LOG, slice(150, 1990), 400)
    assert [batch.ids_BF.tolist() for batch in found] == [
        LOG.ids_NF[k : k + 400].tolist() for k in (150, 550, 950, 1350)
    ]
    assert len(timed_batches(LOG, slice(0, 2000), 10)) == 64
    (few,) = timed_batches(LOG, slice(0, 5), 100)
    assert len(few) == 5


@given(st.lists(st.floats(-5, 5), min_size=20, max_size=80))
def test_the_interval_holds_the_trimmed_mean(values: list[float]) -> None:
    middle, half = interval(np.array(values))
    assert half >= 0
    assert min(values) - 1e-9 <= middle <= max(values) + 1e-9


def test_a_fifth_of_wild_values_at_either_end_does_not_move_the_mean() -> None:
    values = np.concatenate([np.ones(60), np.full(20, 1e9), np.full(20, -1e9)])
    assert trimmed_mean(values)[0] == 1
