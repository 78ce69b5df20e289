"""The parts of the controller: opening, policies, trust in the predictor, choice of the batch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from automl.stats import pareto
from automl.strategies import strategy_of
from automl.strategies.choose import worths
from automl.strategies.controller import ControllerConfig, imagine
from automl.strategies.draft import Draft
from automl.strategies.evidence import gather
from automl.strategies.foretold import track_record, trusted
from automl.strategies.opening import OPENING, open_search
from automl.strategies.outlook import fit_outlook
from automl.study.history import Forecast, History, Origin, State
from automl.testing import made_up as world
from search_spaces.model import Embedding
from search_spaces.space import Candidate, SearchSpace


@pytest.fixture(scope="module")
def space() -> SearchSpace:
    return world.small_space()


@pytest.fixture(scope="module")
def played(space: SearchSpace) -> History:
    return world.Search.start(space).play(strategy_of("random"), 40, 20, seed=3)


def opening(space: SearchSpace, history: History, count: int) -> list[Origin]:
    draft = Draft(space, history)
    open_search(space, history, draft, count, np.random.default_rng(0))
    return [proposal.origin for proposal in draft.proposals]


def test_opens_near_the_baseline(space: SearchSpace) -> None:
    search = world.Search.start(space)
    origins = opening(space, search.history, OPENING)
    assert [origins.count(o) for o in (Origin.DEFAULT, Origin.MUTATION, Origin.RANDOM)] == [1, 7, 4]
    search.begin(strategy_of("controller")(space, search.history, 5, 0))
    assert opening(space, search.history, 20) == origins[5:]


def test_a_baseline_outside_the_space_is_approached_first(space: SearchSpace) -> None:
    history = world.Search.start(space).history
    outside = replace(world.HUMAN, embedding=Embedding(dim=17))
    history = replace(history, baseline=replace(history.baseline, candidate=Candidate({}, outside)))
    draft = Draft(space, history)
    open_search(space, history, draft, 2, np.random.default_rng(0))
    assert draft.proposals[1].candidate.key == space.nearest(outside).key
    assert len(gather(space, history)) == 0


def test_policies_climb_a_reward_that_is_known(space: SearchSpace) -> None:
    """Small embeddings for one end of the trade-off, large learning rates for the other."""
    at = {decision.path: d for d, decision in enumerate(space.decisions)}

    def reward(answers: np.ndarray, trade_off: np.ndarray) -> np.ndarray:
        small = -answers[:, at["embedding.dim"]] / 7.0
        fast = np.log(answers[:, at["train.dense_lr"]]) / 4.0
        return trade_off * small + (1 - trade_off) * fast

    found = imagine(space, reward, np.random.default_rng(0))
    rng = np.random.default_rng(1)
    chance = space.sample(None, 500, rng)
    half = np.full(len(found), 0.5)
    assert reward(found, half).mean() > np.quantile(reward(chance, np.full(500, 0.5)), 0.9)
    assert len(np.unique(found, axis=0)) == len(found) <= 3 * ControllerConfig().kept


def test_policies_are_the_same_for_the_same_seed(space: SearchSpace) -> None:
    def reward(answers: np.ndarray, trade_off: np.ndarray) -> np.ndarray:
        return np.nansum(answers, axis=1) * trade_off

    config = ControllerConfig(steps=5, samples=16, last_steps=2)
    first, second = (imagine(space, reward, np.random.default_rng(4), config) for _ in range(2))
    assert np.array_equal(first, second, equal_nan=True)


def test_forecasts_are_attached_and_rank_the_unseen(space: SearchSpace, played: History) -> None:
    outlook = fit_outlook(space, gather(space, played), (), seed=0)
    assert outlook is not None
    answers = space.sample(None, 300, np.random.default_rng(9))
    sight = outlook.see(answers)
    models = [space.candidate(row).model for row in answers]
    ne = np.array([world.true_ne(model) for model in models])
    assert np.corrcoef(sight.score_MN.mean(axis=0), ne)[0, 1] > 0.5
    speed = np.log2([world.true_qps_ratio(model) for model in models])
    assert np.corrcoef(sight.log2_ratio_N, speed)[0, 1] > 0.97
    proposals = strategy_of("controller")(space, played, 5, 0)
    assert all(p.forecast is not None and p.forecast.ne > 0 and p.forecast.ne_std >= 0 for p in proposals)


def with_forecasts(history: History, sign: float) -> History:
    """Forecasts that rank every round perfectly, or perfectly wrong."""
    told = [
        replace(t, forecast=Forecast(0.9 + sign * (t.measurement.ne - 0.9), 0.01, 1.0))
        for t in history.trials
        if t.measurement is not None
    ]
    return replace(history, trials=tuple(told))


def test_a_predictor_that_ranks_no_better_than_chance_is_not_used(space: SearchSpace, played: History) -> None:
    good, bad = with_forecasts(played, 1.0), with_forecasts(played, -1.0)
    assert [ranked.tau for ranked in track_record(bad)] == pytest.approx([-1.0, -1.0])
    assert trusted(played)
    assert trusted(good)
    assert not trusted(bad)
    proposals = strategy_of("controller")(space, bad, 10, 0)
    assert len(proposals) == 10
    assert {p.origin for p in proposals} <= {Origin.MUTATION, Origin.RANDOM}
    assert all(p.forecast is not None for p in proposals), "so that the predictor can be judged again"
    believed = [p.origin for seed in range(3) for p in strategy_of("controller")(space, good, 10, seed)]
    assert Origin.CONTROLLER in believed


def test_failures_are_foreseen(space: SearchSpace) -> None:
    """Every candidate with large batches fails: fewer of them are proposed than chance would."""
    search = world.Search.start(space, noise=0.0)
    search.begin(strategy_of("random")(space, search.history, 40, 0))
    trials = [world.failed(t) if t.candidate.model.train.batch_size >= 2048 else t for t in search.history.trials]
    search.history = replace(search.history, trials=tuple(trials))
    search.end_all()
    outlook = fit_outlook(space, gather(space, search.history), (), seed=0)
    assert outlook is not None
    answers = space.sample(None, 200, np.random.default_rng(5))
    large = np.array([space.candidate(row).model.train.batch_size >= 2048 for row in answers])
    chance = outlook.see(answers).chance_N
    assert chance[large].mean() < 0.4 < 0.6 < chance[~large].mean()


def test_there_is_always_an_order() -> None:
    known = np.array([[-1.0, -1.0]])
    behind = np.array([[0.5, 0.5], [0.0, 0.0], [0.9, 0.9]])
    assert pareto.improvements(behind, known).tolist() == [0.0, 0.0, 0.0]
    assert int(np.argmax(worths(behind, known, np.ones(3)))) == 1


def test_what_a_limit_forbids_is_not_chosen_for_adding_most() -> None:
    """The first adds hypervolume but breaks a limit; of the others, which add none, the one nearest to it is best."""
    known = np.array([[0.0, 0.0]])
    candidates = np.array([[-0.5, -0.5], [0.9, 0.5], [0.5, 0.5]])
    assert int(np.argmax(worths(candidates, known, np.array([0.0, 0.9, 0.9])))) == 2
    assert int(np.argmax(worths(candidates, known, np.array([1e-9, 0.9, 0.9])))) == 2


def test_a_stopped_trial_counts_but_is_never_on_the_front(space: SearchSpace, played: History) -> None:
    stopped = replace(played, trials=tuple(replace(t, state=State.STOPPED) for t in played.trials))
    evidence = gather(space, stopped)
    assert len(evidence) == len(played.trials) + 1, "and the baseline, which lies inside the space"
    assert evidence.eligible_N.sum() == 1
    assert evidence.weight_N[1:].max() < 1.0
