"""The contract of a strategy, over every strategy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from automl.strategies import Strategy, strategy_of
from automl.strategies.evidence import gather
from automl.study.config import STRATEGIES
from automl.study.history import History, Limit, Metric, Origin, Proposal, Trial
from automl.testing import hold_strategy
from automl.testing import made_up as world
from automl.testing.strategies import CHECKS, played
from search_spaces.space import SearchSpace

every_strategy = pytest.mark.parametrize("name", sorted(STRATEGIES))


@pytest.fixture(scope="module")
def space() -> SearchSpace:
    return world.small_space()


@every_strategy
def test_a_name_of_the_table_is_that_of_a_function(name: str) -> None:
    assert getattr(strategy_of(name), "__name__") == name  # noqa: B009 (a Callable has no name)


@every_strategy
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_holds_to_the_contract(name: str, check: Callable[[Strategy], None]) -> None:
    check(strategy_of(name))


def forgets(space: SearchSpace, history: History, count: int, seed: int) -> list[Proposal]:
    """Proposes what runs."""
    return strategy_of("random")(space, replace(history, trials=()), count, seed)


def stingy(space: SearchSpace, history: History, count: int, seed: int) -> list[Proposal]:
    return strategy_of("random")(space, history, count - 1, seed)


class Counting:
    """Remembers how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, space: SearchSpace, history: History, count: int, seed: int) -> list[Proposal]:
        self.asked += 1
        return strategy_of("random")(space, history, count, seed + self.asked)


@pytest.mark.parametrize(
    ("strategy", "told"),
    [
        (forgets, "what runs must not be proposed again"),
        (stingy, "1 asked for must give 1"),
        (Counting(), "the same call must give the same"),
    ],
)
def test_the_contract_finds_what_breaks_it(strategy: Strategy, told: str) -> None:
    with pytest.raises(AssertionError, match=told):
        hold_strategy(strategy)


@every_strategy
def test_origins_say_who_proposed(name: str, space: SearchSpace) -> None:
    own = {
        "controller": {Origin.CONTROLLER, Origin.MUTATION, Origin.RANDOM},
        "evolution": {Origin.MUTATION},
        "nsga2": {Origin.NSGA2},
        "random": {Origin.RANDOM},
        "tpe": {Origin.TPE},
    }
    assert {p.origin for p in strategy_of(name)(space, played(), 7, 1)} <= own[name]


def test_limits_steer_the_controller(space: SearchSpace) -> None:
    """At least 1.5 times the baseline's speed: most of what is proposed keeps it."""

    def fast(limits: tuple[Limit, ...]) -> float:
        search = world.Search.start(space, limits)
        search.play(strategy_of("random"), 30, 30, seed=5)
        proposals = strategy_of("controller")(space, search.history, 10, 5)
        return sum(world.true_qps_ratio(p.candidate.model) >= 1.5 for p in proposals) / len(proposals)

    limited = fast(
        (Limit(Metric.QPS_RATIO, low=1.5), Limit(Metric.TRAIN_QPS_RATIO, low=0.8), Limit(Metric.NE_GAIN_PCT, high=5.0))
    )
    assert limited >= 0.8
    assert limited >= fast(())


def finds(strategy: Strategy, space: SearchSpace, seed: int) -> float:
    return world.true_hypervolume(world.Search.start(space).play(strategy, 40, 10, seed))


def test_the_controller_finds_more_than_chance(space: SearchSpace) -> None:
    seeds = (0, 1, 2)
    ours = [finds(strategy_of("controller"), space, seed) for seed in seeds]
    chance = [finds(strategy_of("random"), space, seed) for seed in seeds]
    assert sum(ours) > 2 * sum(chance)
    assert all(a > b for a, b in zip(ours, chance, strict=True))


@pytest.mark.parametrize("name", sorted(set(STRATEGIES) - {"random"}))
def test_learns_what_the_history_shows(name: str, space: SearchSpace) -> None:
    """Small batches are far better, all else is equal: most proposals have them, by chance it were two in five."""
    search = world.Search.start(space)
    search.play(strategy_of("random"), 120, 60, seed=2)  # NSGA-II selects after each fifty
    trials = []
    for trial in search.history.trials:
        assert trial.measurement is not None
        small = trial.candidate.model.train.batch_size <= 512
        speed = replace(trial.measurement.speed, qps_ratio=1.0)
        told = replace(trial.measurement, ne=0.85 if small else 0.95, speed=speed)
        trials.append(replace(trial, measurement=told))
    history = replace(search.history, trials=tuple(trials))
    found = [p.candidate.model.train.batch_size for seed in (0, 1) for p in strategy_of(name)(space, history, 10, seed)]
    assert sum(size <= 512 for size in found) >= 13


def test_a_limit_on_another_label_steers_the_controller(space: SearchSpace) -> None:
    """A second label is worse by 1% with small batches, which the first likes: few proposals have them."""
    search = world.Search.start(space)
    search.play(strategy_of("random"), 40, 40, seed=3)

    def with_ctr(trial: Trial, ne: float) -> Trial:
        assert trial.measurement is not None
        return replace(trial, measurement=replace(trial.measurement, nes={"ctr": ne, "cvr": trial.measurement.ne}))

    base = search.history.baseline
    base = replace(base, trials=tuple(with_ctr(trial, 0.8) for trial in base.trials))
    trials = [
        with_ctr(trial, 0.808 if trial.candidate.model.train.batch_size <= 512 else 0.8)
        for trial in search.history.trials
    ]
    limit = Limit(Metric.NE_GAIN_PCT, high=0.1, task="ctr")
    history = replace(search.history, baseline=base, trials=tuple(trials), limits=(limit,))
    evidence = gather(space, history)
    sizes = [candidate.model.train.batch_size for candidate in evidence.candidates]
    assert all(not fit or size > 512 for fit, size in zip(evidence.eligible_N[1:], sizes[1:], strict=True))

    def large(told: History) -> int:
        proposals = [p for seed in (5, 6) for p in strategy_of("controller")(space, told, 10, seed)]
        return sum(p.candidate.model.train.batch_size > 512 for p in proposals)

    assert large(history) >= 4 + 2 * large(replace(history, limits=()))
