"""The contract of a strategy, over every strategy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from automl.strategies import Strategy, strategy_of
from automl.study.config import STRATEGIES
from automl.study.history import History, Limit, Metric, Origin, State
from search_spaces.space import SearchSpace, load_space
from tests.worlds import searches as world

every_strategy = pytest.mark.parametrize("name", sorted(STRATEGIES))


@pytest.fixture(scope="module")
def space() -> SearchSpace:
    return world.small_space()


@pytest.fixture(scope="module")
def played(space: SearchSpace) -> History:
    """Thirty trials at random: ended, stopped, failed; the last four still run."""
    search = world.Search.start(space)
    search.play(strategy_of("random"), 26, 13, seed=1)
    trials = list(search.history.trials)
    for number in (3, 11, 17):
        trials[number] = world.failed(replace(trials[number], measurement=None))
    for number in (5, 9):
        trials[number] = replace(trials[number], state=State.STOPPED)
    search.history = replace(search.history, trials=tuple(trials))
    search.begin(strategy_of("random")(space, search.history, 4, 2))
    return search.history


@every_strategy
def test_a_name_of_the_table_is_that_of_a_function(name: str) -> None:
    assert getattr(strategy_of(name), "__name__") == name  # noqa: B009 (a Callable has no name)


@every_strategy
@pytest.mark.parametrize("count", [1, 7])
def test_as_many_as_asked_new_and_allowed(name: str, count: int, space: SearchSpace, played: History) -> None:
    proposals = strategy_of(name)(space, played, count, 7)
    keys = [p.candidate.key for p in proposals]
    assert len(keys) == len(set(keys)) == count
    assert not set(keys) & {*played.known(), played.baseline.candidate.key}
    assert all(space.allows(p.candidate) for p in proposals)
    assert all(space.replay(p.candidate.values).key == p.candidate.key for p in proposals)


@every_strategy
def test_a_pure_function(name: str, space: SearchSpace, played: History) -> None:
    first, second = (strategy_of(name)(space, played, 3, 7) for _ in range(2))
    assert first == second
    other = strategy_of(name)(space, played, 3, 8)
    assert [p.candidate.key for p in first] != [p.candidate.key for p in other]


@every_strategy
def test_running_trials_are_known(name: str, space: SearchSpace, played: History) -> None:
    """What was proposed and has begun is not proposed again, though nothing was measured since."""
    proposals = strategy_of(name)(space, played, 3, 7)
    search = world.Search(space, played)
    search.begin(proposals)
    again = strategy_of(name)(space, search.history, 3, 7)
    assert not {p.candidate.key for p in again} & {p.candidate.key for p in proposals}


@every_strategy
def test_starts_from_nothing_and_from_failures(name: str, space: SearchSpace) -> None:
    search = world.Search.start(space)
    for _ in range(3):
        proposals = strategy_of(name)(space, search.history, 6, 0)
        assert len({p.candidate.key for p in proposals}) == 6
        search.begin(proposals)
        history = search.history
        ended = tuple(t if t.ended else world.failed(t) for t in history.trials)
        search.history = replace(history, trials=ended)


@every_strategy
def test_honours_where(name: str, played: History, space: SearchSpace) -> None:
    narrow = space.with_where(["params <= 150K", "count(interaction, cross) <= 1", "deep.repeat <= 3"])
    kept = tuple(t for t in played.trials if narrow.allows(t.candidate))
    proposals = strategy_of(name)(narrow, replace(played, trials=kept), 6, 3)
    assert len(proposals) == 6
    assert all(narrow.allows(p.candidate) for p in proposals)


@every_strategy
def test_an_exhausted_space_gives_what_is_left(name: str, tmp_path: Path) -> None:
    file = tmp_path / "tiny.yaml"
    file.write_text("embedding: {dim: {choice: [4, 8, 16]}}\ntrain: {batch_size: {choice: [512, 1024]}}\ndeep: []\n")
    tiny = load_space(file, world.INPUTS)
    search = world.Search.start(tiny)
    search.play(strategy_of(name), 4, 4, seed=0)
    assert len(strategy_of(name)(tiny, search.history, 5, 0)) == 2
    search.play(strategy_of(name), 6, 2, seed=0)
    assert strategy_of(name)(tiny, search.history, 5, 0) == []


@every_strategy
def test_one_continuous_knob_of_no_effect(name: str, tmp_path: Path) -> None:
    file = tmp_path / "same.yaml"
    file.write_text("deep: [{mlp: {width: 64, dropout: {float: [0.1, 0.1005]}}}]\n")
    search = world.Search.start(load_space(file, world.INPUTS))
    assert len(search.play(strategy_of(name), 14, 5, seed=0).known()) == 14


@every_strategy
def test_layers_of_several_blocks(name: str) -> None:
    search = world.Search.start(load_space("dhen-small", world.INPUTS))
    assert len(search.play(strategy_of(name), 20, 10, seed=0).known()) == 20


@every_strategy
def test_origins_say_who_proposed(name: str, space: SearchSpace, played: History) -> None:
    own = {
        "controller": {Origin.CONTROLLER, Origin.MUTATION, Origin.RANDOM},
        "evolution": {Origin.MUTATION},
        "nsga2": {Origin.NSGA2},
        "random": {Origin.RANDOM},
        "tpe": {Origin.TPE},
    }
    assert {p.origin for p in strategy_of(name)(space, played, 7, 1)} <= own[name]


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
