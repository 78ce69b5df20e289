"""What a worker does with a model: days that are scored one by one, each with what was known before it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from automl.data.store.log import EncodedLog
from automl.data.store.sampled import one_in, sampled
from automl.ranking.model import RankingModel, build_model
from automl.ranking.progress import Diverged, Progress
from automl.ranking.scoring import check, score
from automl.ranking.training import make_steppers, train
from automl.runtime.jobs import TrainModel
from automl.runtime.work import train_and_score, window_rows
from automl.stats.seeds import seed_of
from automl.study.problem import FINALS_FIT, encode, load_problem
from search_spaces.model import ModelSpec
from tests.worlds.judged import write_judged_study

SPEC = ModelSpec.from_tree(
    {
        "embedding": {"dim": 8, "lr": 0.05},
        "interaction": [{"cross": {"rank": 4}}],
        "deep": [{"mlp": {"width": 16, "dropout": 0.2}}],
        "train": {"batch_size": 128, "dense_lr": 0.003, "epochs": 2},
    }
)
Floats = NDArray[np.float64]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> EncodedLog:
    problem = load_problem(write_judged_study(tmp_path_factory.mktemp("work"), three_days=True))
    return encode(problem, FINALS_FIT)


def asked(log: EncodedLog, folder: Path, **changes: Any) -> TrainModel:
    plain = TrainModel(
        model=SPEC.to_tree(),
        log=str(log.folder),
        train=FINALS_FIT,
        score="test",
        weights_seed=11,
        order_seed=22,
        predictions=str(folder / "probs.npy"),
        weights=str(folder / "weights.pt"),
    )
    return replace(plain, **changes)


def predicted(job: TrainModel) -> Floats:
    assert list(train_and_score(job))[-1].failure is None
    assert job.predictions is not None
    probs_N: Floats = np.load(job.predictions)
    return probs_N


def starts(log: EncodedLog) -> tuple[int, ...]:
    return tuple(rows.start for _, rows in log.days("test")[1:])


def test_each_day_is_scored_with_what_was_known_before_it(log: EncodedLog, tmp_path: Path) -> None:
    """By hand: one optimizer goes on from day to day, one pass each, and the last day is not trained."""
    model = build_model(SPEC, log.inputs, seed=11)
    steppers = make_steppers(model, SPEC, log, weights_seed=11)
    list(train(model, SPEC, log, window_rows(log, FINALS_FIT), order_seed=22, weights_seed=11, steppers=steppers))
    once = replace(SPEC, train=replace(SPEC.train, epochs=1))
    parts, days = [], [rows for _, rows in log.days("test")]
    for number, rows in enumerate(days):
        parts.append(score(model, log, rows))
        seeds = {name: seed_of("day", seed, number) for name, seed in (("order_seed", 22), ("weights_seed", 11))}
        list(train(model, once, log, rows, **seeds, steppers=steppers))
    found = predicted(asked(log, tmp_path, days=starts(log)))
    np.testing.assert_array_equal(found, np.concatenate(parts))
    plain = predicted(asked(log, tmp_path))
    first = len(parts[0])
    np.testing.assert_array_equal(found[:first], plain[:first])
    assert not np.allclose(found[first:], plain[first:], atol=1e-4)


def test_what_is_kept_is_the_model_before_the_test_days(log: EncodedLog, tmp_path: Path) -> None:
    plain = asked(log, tmp_path, weights=str(tmp_path / "plain.pt"))
    daily = asked(log, tmp_path, weights=str(tmp_path / "daily.pt"), days=starts(log))
    predicted(plain)
    predicted(daily)
    assert plain.weights is not None
    assert daily.weights is not None
    before, after = torch.load(plain.weights), torch.load(daily.weights)
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_loop_of_ones_own_is_given_the_days_too(log: EncodedLog, tmp_path: Path) -> None:
    told: list[tuple[slice, int, int, object]] = []

    def loop(model: RankingModel, spec: ModelSpec, log: EncodedLog, rows: slice, **how: Any) -> Iterator[Progress]:
        told.append((rows, spec.train.epochs, how["order_seed"], how["steppers"]))
        yield from train(model, spec, log, rows, **how)

    list(train_and_score(asked(log, tmp_path, days=starts(log)), training=loop))
    days = [rows for _, rows in log.days("test")]
    assert [rows for rows, *_ in told] == [window_rows(log, FINALS_FIT), *days[:-1]]
    assert [epochs for _, epochs, *_ in told] == [2, 1, 1]
    assert len({seed for *_, seed, _ in told}) == 3
    assert len({id(stepper) for *_, stepper in told}) == 1
    assert told[0][3] is not None
    told.clear()
    list(train_and_score(asked(log, tmp_path), training=loop))
    assert [stepper for *_, stepper in told] == [None]


def test_checks_at_its_stops_change_nothing_of_a_training(log: EncodedLog, tmp_path: Path) -> None:
    plain = list(train_and_score(asked(log, tmp_path, predictions=str(tmp_path / "a"))))
    steps = list(
        train_and_score(asked(log, tmp_path, stops=(0.25, 0.5), check_rows=300, predictions=str(tmp_path / "b")))
    )
    np.testing.assert_array_equal(np.load(tmp_path / "a"), np.load(tmp_path / "b"))
    assert [point.window_ne for point in steps[-1].curve] == [point.window_ne for point in plain[-1].curve]
    checks = {n: point.check_ne for n, point in enumerate(steps[-1].curve, 1) if point.check_ne is not None}
    assert list(checks) == [5, 10], "at a quarter and a half of twenty points"
    assert all(0.5 < ne < 1.2 for ne in checks.values())
    assert [point.check_ne for point in steps[0].curve][-1] == checks[5], "the stop tells its own"


def test_a_training_that_was_cut_off_goes_on_from_its_checkpoint(log: EncodedLog, tmp_path: Path) -> None:
    stops = (0.25, 0.5, 0.75)
    whole = list(train_and_score(asked(log, tmp_path, stops=stops, days=starts(log), predictions=str(tmp_path / "a"))))
    job = asked(log, tmp_path, stops=stops, days=starts(log), predictions=str(tmp_path / "b"), checkpoint_s=0.0)
    job = replace(job, checkpoint=str(tmp_path / "checkpoints" / "one.pt"))
    first = train_and_score(job)
    early = [next(first) for _ in range(13)]  # two stops, and checkpoints at eleven points
    first.close()
    assert [step.share for step in early if not step.kept] == pytest.approx([0.25, 0.5], abs=0.01)
    before = float(torch.load(tmp_path / "checkpoints" / "one.pt", weights_only=True)["cpu_seconds"])
    late = list(train_and_score(job))
    assert all(step.cpu_seconds > before > 0 for step in late if not step.kept)
    assert [step.share for step in late if not step.kept] == pytest.approx([0.75, 1.0], abs=0.01)
    assert early[-1].share < min(step.share for step in late)
    assert late[-1].curve == whole[-1].curve
    first_, second = late[-1].measurement, whole[-1].measurement
    assert first_ is not None
    assert second is not None
    assert first_.ne == second.ne
    np.testing.assert_array_equal(np.load(tmp_path / "a"), np.load(tmp_path / "b"))


def test_a_loop_of_ones_own_leaves_no_checkpoint(log: EncodedLog, tmp_path: Path) -> None:
    job = asked(log, tmp_path, checkpoint=str(tmp_path / "one.pt"), checkpoint_s=0.0)
    steps = list(train_and_score(job, training=lambda *args, **how: train(*args, **how)))
    assert not any(step.kept for step in steps)
    assert not (tmp_path / "one.pt").exists()


def test_parts_are_trained_first_and_change_nothing_of_the_training(log: EncodedLog, tmp_path: Path) -> None:
    plain = list(train_and_score(asked(log, tmp_path, predictions=str(tmp_path / "a"))))
    steps = list(train_and_score(asked(log, tmp_path, parts=(8, 2), predictions=str(tmp_path / "b"))))
    np.testing.assert_array_equal(np.load(tmp_path / "a"), np.load(tmp_path / "b"))
    first, last = steps[0].measurement, steps[-1].measurement
    assert (steps[0].share, steps[0].curve, steps[0].done) == (0.0, (), False)
    assert first is not None
    assert last is not None
    assert [part.every for part in first.parts] == [8, 2]
    assert last.parts == first.parts
    assert last.cpu_seconds["parts"] > 0
    assert last.cpu_seconds["train"] > 0
    assert plain[-1].measurement is not None
    assert plain[-1].measurement.parts == ()


def test_a_part_is_a_training_of_its_own_on_one_row_in_n(log: EncodedLog, tmp_path: Path) -> None:
    """By hand: those rows as a log, the model's own schedule, the scored window by the last weights."""
    rows = window_rows(log, FINALS_FIT)
    part = sampled(log, "part", one_in(rows, 4, seed_of("part", 22, 4)))
    model = build_model(SPEC, log.inputs, seed=11)
    list(train(model, SPEC, part, part.windows["part"], order_seed=22, weights_seed=11, points=1))
    window, count = log.windows["test"], len(part)
    ne = check(model, log, window, count)
    steps = list(train_and_score(asked(log, tmp_path, parts=(4,))))
    assert steps[0].measurement is not None
    assert steps[0].measurement.part_ne(4) == ne
    assert math.isnan(steps[0].measurement.part_ne(8))


def test_a_model_that_diverges_on_a_part_is_trained_no_further(log: EncodedLog, tmp_path: Path) -> None:
    def loop(model: RankingModel, spec: ModelSpec, log: EncodedLog, rows: slice, **how: Any) -> Iterator[Progress]:
        raise Diverged(f"NE rose after {rows.stop} rows")
        yield

    (step,) = train_and_score(asked(log, tmp_path, parts=(4,)), training=loop)
    assert step.done
    assert step.failure is not None
    assert step.failure.kind == "diverged"


def test_parts_that_a_checkpoint_tells_are_not_trained_again(log: EncodedLog, tmp_path: Path) -> None:
    whole = list(train_and_score(asked(log, tmp_path, parts=(8, 4))))
    job = asked(log, tmp_path, parts=(8, 4), checkpoint=str(tmp_path / "one.pt"), checkpoint_s=0.0)
    first = train_and_score(job)
    assert next(first).kept, "they are worth a checkpoint of their own"
    first.close()
    again = train_and_score(job)
    part = next(again)
    assert not part.kept
    assert part.measurement is not None
    assert whole[0].measurement is not None
    assert part.measurement.parts == whole[0].measurement.parts
    assert "parts" not in part.measurement.seconds, "nothing was trained for them"
    assert part.measurement.cpu_seconds["parts"] > 0, "but before"
    assert next(again).kept
    again.close()
    last = [step for step in train_and_score(job) if not step.kept]
    assert [step.done for step in last] == [True], "who was promoted is not asked about again"
    assert last[0].measurement is not None
    assert whole[-1].measurement is not None
    assert (last[0].measurement.ne, last[0].measurement.parts) == (
        whole[-1].measurement.ne,
        whole[-1].measurement.parts,
    )
