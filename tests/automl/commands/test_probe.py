"""What the parts of a trial take, told by doing a little of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from automl.commands import probe as probing
from automl.commands.probe import Probed, probe, trial_seconds
from automl.data.simulated.log import simulate
from automl.ranking.progress import Diverged, Progress
from automl.study.problem import Problem, load_problem
from search_spaces.model import ModelSpec
from tests.automl.commands.test_check import BASELINE, SPACE, STUDY

ROW, SETTLED, SCORED, BATCH = 1e-3, 0.25, 2e-4, 0.003  # seconds of what the made-up trainer does
WARM_UP = 5.0  # seconds that only the first call of anything takes


@pytest.fixture(scope="module")
def problem(tmp_path_factory: pytest.TempPathFactory) -> Problem:
    folder = tmp_path_factory.mktemp("probed")
    simulate(folder / "log", rows=2400, users=100, items=50, seed=1)
    for name, text in (("study.yaml", STUDY), ("space.yaml", SPACE), ("baseline.yaml", BASELINE)):
        (folder / name).write_text(text)
    return load_problem(folder / "study.yaml")


class MadeUp:
    """A clock, and a trainer whose work moves it by known seconds."""

    def __init__(self) -> None:
        self.now, self.trained = 0.0, list[tuple[int, int]]()
        self._warm: set[str] = set()

    def busy(self) -> float:
        return self.now

    def work(self, what: str, seconds: float) -> None:
        self.now += seconds + (0.0 if what in self._warm else WARM_UP)
        self._warm.add(what)

    def train(self, built: object, spec: ModelSpec, log: object, rows: slice, **_: Any) -> Iterator[Progress]:
        self.trained.append((rows.start, rows.stop))
        assert (spec.train.epochs, spec.train.recalibrate) == (1, False)
        self.work("train", ROW * (rows.stop - rows.start))
        yield Progress(rows.stop - rows.start, 0.9, 0.9)
        self.now += SETTLED

    def evaluate(self, built: object, log: object, rows: slice) -> None:
        self.work("score", SCORED * (rows.stop - rows.start))

    def serving_graph(self, built: object) -> Callable[[object], None]:
        return lambda batch: self.work("serve", BATCH)


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> MadeUp:
    made = MadeUp()
    for name in ("train", "evaluate", "serving_graph"):
        monkeypatch.setattr(probing, name, getattr(made, name))
    return made


def with_train(model: ModelSpec, **knobs: Any) -> ModelSpec:
    return replace(model, train=replace(model.train, **knobs))


def test_only_work_is_counted_and_no_warm_up(
    problem: Problem, made_up: MadeUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probing, "_TRAINED", 100.0)  # as long as there are rows
    monkeypatch.setattr(probing, "_SCORED", 100.0)
    monkeypatch.setattr(probing, "AT_ONCE", 64)
    found = probe(problem, with_train(problem.baseline, batch_size=100, epochs=3), made_up.busy)
    assert found.trained_row == pytest.approx(ROW)
    assert found.settled == pytest.approx(SETTLED)
    assert found.scored_row == pytest.approx(SCORED)
    assert found.batch == pytest.approx(BATCH)
    assert found.build == 0.0


def test_training_is_believed_once_it_is_long_enough(
    problem: Problem, made_up: MadeUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first pass never is: it is the warm-up. The next reads other rows, where there are some."""
    monkeypatch.setattr(probing, "_TRAINED", 0.15)
    probe(problem, with_train(problem.baseline, batch_size=100), made_up.busy)
    assert made_up.trained == [(0, 100), (100, 300)]


def test_a_model_that_diverges_costs_what_another_does(
    problem: Problem, made_up: MadeUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    def diverges(built: object, spec: ModelSpec, log: object, rows: slice, **_: Any) -> Iterator[Progress]:
        made_up.now += ROW * (rows.stop - rows.start)
        raise Diverged("NE rose")
        yield

    monkeypatch.setattr(probing, "train", diverges)
    found = probe(problem, problem.baseline, made_up.busy)
    assert (found.trained_row, found.settled) == (pytest.approx(ROW), 0.0)


def test_a_real_model_is_probed(problem: Problem) -> None:
    ticks = iter(range(100_000))
    found = probe(problem, problem.baseline, lambda: float(next(ticks)))
    assert min(found.build, found.batch, found.trained_row, found.scored_row) > 0


OWN = Probed(build=0.5, batch=0.004, trained_row=1e-3, settled=0.25, scored_row=2e-4)
REFERENCE = replace(OWN, build=0.3, batch=0.002)
ROWS, SCORED_ROWS = 1500, 300  # of the windows; all rows that were trained on are scored for the refit


def test_a_trial_is_the_sum_of_its_parts(problem: Problem) -> None:
    """0.6 s of pairs of 0.006 s are 50 blocks of two pairs, the warm-up 5 pairs more."""
    timing = 0.3 + 0.006 * (5 + 2 * 50)
    told = trial_seconds(problem, problem.baseline, OWN, REFERENCE)
    assert told == pytest.approx(0.5 + timing + 1e-3 * ROWS + 0.25 + 2e-4 * (SCORED_ROWS + ROWS))
    assert told - trial_seconds(problem, problem.baseline, OWN, REFERENCE, timed=False) == pytest.approx(timing)


def test_every_pass_is_counted_and_no_refit_where_none_is_asked_for(problem: Problem) -> None:
    def told(**knobs: Any) -> float:
        return trial_seconds(problem, with_train(problem.baseline, **knobs), OWN, REFERENCE)

    assert told(epochs=3) - told(epochs=1) == pytest.approx(2 * 1e-3 * ROWS)
    assert told(recalibrate=True) - told(recalibrate=False) == pytest.approx(2e-4 * ROWS)


def test_a_slow_model_is_timed_on_the_fewest_blocks_and_figures_take_no_time(problem: Problem) -> None:
    slow = replace(OWN, batch=1.0)
    trial, repeat = (trial_seconds(problem, problem.baseline, slow, slow, timed=timed) for timed in (True, False))
    assert trial - repeat == pytest.approx(0.5 + 2.0 * (5 + 2 * 20))
    analytic = replace(
        problem,
        config=problem.config.model_copy(update={"qps": problem.config.qps.model_copy(update={"clock": "analytic"})}),
    )
    trial, repeat = (trial_seconds(analytic, problem.baseline, slow, slow, timed=timed) for timed in (True, False))
    assert trial - repeat == pytest.approx(0.5)


def test_a_window_that_is_one_batch_is_learnt_twice(problem: Problem, made_up: MadeUp) -> None:
    found = probe(problem, with_train(problem.baseline, batch_size=4096), made_up.busy)
    assert made_up.trained == [(0, 1500), (0, 1500)]
    assert found.trained_row == pytest.approx(ROW)
