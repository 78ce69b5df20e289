"""A student on the stream: what it may know, what it makes of good and bad teachers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from automl.data.store.stream import EncodedStream
from automl.exfm.student import run as module
from automl.exfm.student.auto import Chooser
from automl.exfm.student.facts import read_run
from automl.exfm.student.jobs import job_name
from automl.exfm.student.run import StudentRun, run_student
from automl.stats.metrics import NESums
from automl.study.exfm_figures import NONE
from tests.worlds.streams import World, make_world, said, task


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Enough windows to choose."""
    return make_world(tmp_path_factory.mktemp("long"), rows=6000, days=8)


@pytest.fixture(scope="module")
def told(long: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return said(long, tmp_path_factory.mktemp("told"), long.truth_NT)


@pytest.fixture(scope="module")
def none(long: World, told: Path) -> StudentRun:
    return ran(long, told, "none")


def ran(*arguments: Any, **changes: Any) -> StudentRun:
    student = StudentRun(task(*arguments, **changes))
    list(student.run())
    return student


def ne(world: World, student: StudentRun, first: int = 3) -> float:
    rows_N = student._examples_N
    late = rows_N >= world.stream.windows[first].rows.start
    labels = np.asarray(world.stream.labels_NT[rows_N, student._assigned.task])
    return NESums.of(labels[late], 1 / (1 + np.exp(-student.logits_N[late].astype(float)))).ne


def noise(logits_NT: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.random.default_rng(0).normal(size=logits_NT.shape).astype(np.float32) * 2


def upside_down(logits_NT: NDArray[np.float32]) -> NDArray[np.float32]:
    return -logits_NT


def tripled(logits_NT: NDArray[np.float32]) -> NDArray[np.float32]:
    return logits_NT + np.float32(np.log(3))


def test_takes_the_teachers_arm_where_it_helps(long: World, told: Path, none: StudentRun) -> None:
    auto = ran(long, told)
    for choice, window in zip(auto.choices[:2], long.stream.windows, strict=False):  # until then it is none, to the bit
        assert choice == NONE
        first, last = np.searchsorted(auto._examples_N, [window.rows.start, window.rows.stop])
        assert np.array_equal(auto.logits_N[first:last], none.logits_N[first:last])
    assert auto.choices[0] == NONE
    assert NONE not in auto.choices[4:]
    assert not any(auto.muted[3:])
    assert ne(long, auto) < 0.99 * ne(long, none)


@pytest.mark.parametrize("distort", [noise, upside_down])
def test_falls_back_to_none_where_there_is_nothing_to_learn(
    long: World, told: Path, none: StudentRun, distort: Any
) -> None:
    """Muted, all arms go on as none would: nothing is lost."""
    auto = ran(long, told, distort=distort)
    plain = ran(long, told, "plain-averaged", distort=distort)
    heard = auto.muted.count(False)  # noise may have the luck of one window
    assert heard <= 1 or distort is upside_down  # calibration may turn it round again
    assert ne(long, auto) <= 1.001 * ne(long, none)
    assert ne(long, plain) > 1.02 * ne(long, none)


def test_a_biased_teacher_does_no_harm(long: World, told: Path, none: StudentRun) -> None:
    auto = ran(long, told, distort=tripled)
    assert ne(long, auto) <= 1.003 * ne(long, none)
    assert ne(long, ran(long, told, "plain-averaged", distort=tripled)) > ne(long, none)
    assert ne(long, auto) < ne(long, none), "calibrated, it gains as without the bias"


def flipped(world: World, window: int) -> EncodedStream:
    """The same stream, but all labels that arrive after a window's start are others."""
    stream = world.stream
    labels_NT = np.array(stream.labels_NT)
    later_NT = np.asarray(stream.arrivals_NT) >= stream.windows[window].start_ns
    labels_NT = np.where(later_NT, 1 - labels_NT, labels_NT).astype(np.float32)
    return replace(stream, labels_NT=labels_NT, fingerprint=f"{stream.fingerprint}-{window}")


@pytest.mark.parametrize("window", [2, 4])
def test_never_looks_ahead(world: World, tmp_path: Path, window: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Labels that arrive later, of rows before too, change no choice, score or drop up to then."""
    before = ran(world, said(world, tmp_path / "a", world.truth_NT))
    other = flipped(world, window)
    run = said(world, tmp_path / "b", world.truth_NT, other)
    monkeypatch.setattr(module, "open_stream", lambda folder: other)
    after = ran(world, run)
    assert before.choices[: window + 1] == after.choices[: window + 1]
    assert before.muted[:window] == after.muted[:window]
    cut = np.searchsorted(before._examples_N, world.stream.windows[window].rows.stop)
    assert np.array_equal(before.logits_N[:cut], after.logits_N[:cut])
    assert not np.array_equal(before.logits_N, after.logits_N)


def test_the_chooser_sees_labels_when_they_arrive_late_ones_too(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    monkeypatch.setattr(Chooser, "see", lambda self, losses, teacher: seen.append(len(losses[NONE])))
    ran(world, said(world, tmp_path, world.truth_NT))
    stream = world.stream
    judged = stream.arrivals_NT[stream.windows[0].rows.stop :, 0]  # the first window was scored by untrained students
    arrived = [int(((judged >= w.start_ns) & (judged < w.end_ns)).sum()) for w in stream.windows]
    assert seen == arrived
    late = [int((stream.arrivals_NT[w.rows, 0] >= w.end_ns).sum()) for w in stream.windows[1:-1]]
    assert min(late) > 0, "or the test shows nothing of late ones"


def test_a_fixed_recipe_learns_every_label_once(world: World, tmp_path: Path) -> None:
    student = ran(world, said(world, tmp_path, world.truth_NT), "auxiliary")
    last = world.stream.windows[-1].end_ns
    assert student.learnt == int((world.stream.arrivals_NT[:, 0] < last).sum())
    assert np.isfinite(student.logits_N).all()
    assert student.choices == ["auxiliary"] * len(world.stream.windows)


def test_sampled_negatives_are_made_up_for(world: World, tmp_path: Path) -> None:
    """Predictions are of the whole log, though half of the negatives were never seen."""
    run = said(world, tmp_path, world.truth_NT)
    for recipe in ("none", "plain"):
        student = ran(world, run, recipe, negatives_kept=0.5)
        whole = ran(world, run, recipe)
        assert student.learnt < 0.85 * whole.learnt
        labels = np.asarray(world.stream.labels_NT[student._examples_N, 0])
        late = student._examples_N >= world.stream.windows[2].rows.start
        p = 1 / (1 + np.exp(-student.logits_N[late].astype(float)))
        assert p.mean() == pytest.approx(labels[late].mean(), rel=0.12)


def test_a_teacher_without_a_word_is_none(world: World, tmp_path: Path) -> None:
    silent = said(world, tmp_path, np.full_like(world.truth_NT, np.nan))
    none = ran(world, silent, "none")
    for recipe in ("auto", "plain-averaged", "auxiliary-averaged", "auxiliary-adapter", "calibrated"):
        assert np.array_equal(ran(world, silent, recipe).logits_N, none.logits_N)


def test_results_are_whole_and_the_same_again(world: World, tmp_path: Path) -> None:
    run = said(world, tmp_path, world.truth_NT)
    first, second = (replace(task(world, run), out=run / name) for name in ("one", "two"))
    for one in (first, second):
        run_student(one)
    assert not list(run.glob("*.part"))
    assert np.array_equal(np.load(first.out / "logits.npy"), np.load(second.out / "logits.npy"))
    states = [torch.load(one.out / "model.pt", weights_only=True) for one in (first, second)]
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    facts = read_run(first.out)
    assert len(facts.choices) == len(world.stream.windows)
    assert facts.serving in facts.train_seconds


def test_seeds_of_one_recipe_that_run_at_once_write_apart(tmp_path: Path) -> None:
    outs = [tmp_path / job_name("vm", "plain", seed) for seed in (0, 1)]
    assert len(set(outs)) == 2
