"""What is believed of gains: luck is taken out, orders are told apart, and a choice for luck flatters nobody."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from automl.stats.seeds import trial_seeds
from automl.strategies.believed import MOST_LUCK, believe, weighed_by_luck
from automl.strategies.evidence import gather
from automl.study.baselines import summarize_baseline
from automl.study.history import Failure, Forecast, History, Repeat, Trial
from search_spaces.space import Candidate
from tests.worlds.studies import (
    BASELINE_NE,
    BASELINE_QPS,
    STUDY_SEED,
    baseline_repeat,
    candidates,
    complete,
    measured,
    running,
    small_space,
)

CANDIDATES = candidates(60, seed=3)


def baseline(on_orders: list[float]) -> History:
    """A history without trials, whose baseline has these NE in percent above its level on orders 0, 1, ..."""
    repeats = [baseline_repeat(order, BASELINE_NE * (1 + above / 100)) for order, above in enumerate(on_orders)]
    return History(summarize_baseline(repeats, BASELINE_QPS))


def trained(number: int, *above: float, forecast: float | None = None) -> Trial:
    """A trial with these NE in percent above the baseline's level on orders 0, 1, ..."""
    candidate = CANDIDATES[number]
    ne = [BASELINE_NE * (1 + one / 100) for one in above]
    first = complete(running(number, candidate), ne=ne[0], seeds=trial_seeds(STUDY_SEED, 0))
    repeats = tuple(_repeat(candidate, order, one) for order, one in enumerate(ne[1:], 1))
    foreseen = None if forecast is None else Forecast(BASELINE_NE * (1 + forecast / 100), 0.001, 1.0)
    return replace(first, repeats=repeats, forecast=foreseen)


def _repeat(candidate: Candidate, order: int, ne: float) -> Repeat:
    seeds = trial_seeds(STUDY_SEED, order)
    return Repeat(order=order, measurement=measured(candidate, ne=ne), seeds=seeds)


def test_without_trials_nothing_is_believed() -> None:
    assert len(believe(baseline([0.0, 0.1]), ()).mean_N) == 0


def test_an_order_moves_nothing_when_the_baseline_saw_it() -> None:
    """All models are .3% worse on order 0: single runs and means are told on one scale."""
    trials = [trained(n, 0.3 + 0.5 * n) for n in range(8)] + [trained(8, -0.7, -1.0, -1.0)]
    belief = believe(replace(baseline([0.3, 0.0, 0.0]), trials=tuple(trials)), trials)
    assert belief.level_N == pytest.approx([0.5 * n for n in range(8)] + [-1.0], abs=0.02)
    assert belief.count_N.tolist() == [1.0] * 8 + [3.0]


def test_luck_is_drawn_towards_what_was_expected_and_less_so_the_more_is_known() -> None:
    rng = np.random.default_rng(0)
    truth, luck = rng.normal(0.0, 0.1, 40), rng.normal(0.0, 0.1, 40)
    single = [trained(n, truth[n] + luck[n], forecast=0.0) for n in range(40)]
    past = replace(baseline([-0.1, 0.0, 0.1]), trials=tuple(single))
    belief = believe(past, single)
    raw = np.array([past.baseline.mean_gain_pct(trial) for trial in single])
    assert np.abs(belief.mean_N - belief.mean_N.mean()).max() < np.abs(raw - raw.mean()).max()
    more = [*single[1:], trained(0, truth[0] + luck[0], *(truth[0] + rng.normal(0, 0.1, 2)), forecast=0.0)]
    again = believe(replace(past, trials=tuple(more)), more)
    assert again.std_N[-1] < again.std_N[0]
    assert again.weights()[-1] > again.weights()[0] == pytest.approx(1.0)


def test_what_is_far_beyond_luck_stays_where_it_was_measured() -> None:
    trials = [trained(n, 2.0, forecast=2.0) for n in range(20)] + [trained(20, -2.0, forecast=2.0)]
    past = replace(baseline([-0.1, 0.0, 0.1]), trials=tuple(trials))
    belief = believe(past, trials)
    assert belief.mean_N[20] - belief.level_N[20] <= MOST_LUCK * belief.noise + 1e-9


def test_those_chosen_for_their_luck_are_not_flattered() -> None:
    """The five best of forty single runs are trained again on two orders. The means of their trainings are too good,
    what is believed of them is about the truth."""
    off_mean, off_belief = [], []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        truth = rng.normal(0.0, 0.08, 40)
        above = truth[:, None] + rng.normal(0.0, 0.12, (40, 3))
        chosen = np.argsort(above[:, 0])[:5]
        trials = tuple(trained(n, *(above[n] if n in chosen else above[n, :1]), forecast=0.0) for n in range(40))
        past = replace(baseline([0.0, 0.0, 0.0]), trials=trials)
        belief = believe(past, trials)
        means = np.array([past.baseline.mean_gain_pct(trial) for trial in trials])
        off_belief.append((belief.mean_N - truth)[chosen].mean())
        off_mean.append((means - truth)[chosen].mean())
    assert np.mean(off_mean) < -0.03
    assert abs(np.mean(off_belief)) < 0.02


def test_the_evidence_holds_what_is_believed_and_leaves_out_what_is_unfit() -> None:
    trials = [trained(n, 0.1 * n, 0.1 * n) for n in range(1, 10)]
    past = replace(baseline([0.0, 0.05]), trials=tuple(trials))
    evidence = gather(small_space(), past)
    assert evidence.believed_N[-len(trials) :] == pytest.approx(believe(past, trials).mean_N)
    broken = replace(
        trials[0],
        repeats=(replace(trials[0].repeats[0], failure=Failure("diverged", "NE is not a number"), measurement=None),),
    )
    fewer = gather(small_space(), replace(past, trials=(broken, *trials[1:])))
    assert fewer.eligible_N.sum() == evidence.eligible_N.sum() - 1


def test_trainings_are_weighed_as_by_the_whole_matrix_of_their_covariance() -> None:
    rng = np.random.default_rng(5)
    row = np.repeat(np.arange(12), rng.integers(1, 4, 12))
    spread, noise = rng.uniform(0, 0.5, 12), 0.1
    spread[3] = 0.0
    asked = rng.normal(size=(len(row), 4))
    shared = (row[:, None] == row[None, :]) * np.square(spread[row])[:, None]
    whole = np.linalg.solve(shared + noise**2 * np.eye(len(row)), asked)
    np.testing.assert_allclose(weighed_by_luck(asked, row, spread, noise), whole, rtol=1e-9)
