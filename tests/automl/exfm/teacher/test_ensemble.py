"""The foundation model learns, and is the same wherever it is loaded or goes on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from automl.exfm.columns import Columns
from automl.exfm.teacher.ensemble import SavedTeacher, Teacher
from automl.stats.metrics import NESums
from tests.worlds.streams import World, model


def teacher_of(world: World, *, members: int = 2, seed: int = 0, fields: int = 4) -> Teacher:
    stream = world.stream
    columns = Columns.of(stream.columns()[:fields], stream.dense_columns())
    return Teacher(model(), columns.inputs(stream), columns, tasks=2, members=members, seed=seed)


def learn(teacher: Teacher, world: World, *windows: int) -> Teacher:
    stream = world.stream
    for k in windows:
        window = stream.windows[k].rows
        rows = np.arange(window.start, window.stop)
        teacher.learn(stream, rows, stream.labels_NT[rows], k)
    return teacher


def logits(teacher: Teacher | SavedTeacher, world: World) -> NDArray[np.float32]:
    return teacher.logits(world.stream, world.stream.windows[-1].rows)


@pytest.mark.parametrize("members", [1, 3])
def test_learns_every_task(world: World, members: int) -> None:
    teacher = learn(teacher_of(world, members=members), world, *range(5))
    rows = world.stream.windows[-1].rows
    for task in range(2):
        labels = world.stream.labels_NT[rows, task]
        known = np.isfinite(labels)
        p = 1 / (1 + np.exp(-logits(teacher, world)[known, task].astype(float)))
        assert NESums.of(labels[known], p).ne < (0.98, 1.05)[task]


def test_says_the_mean_of_its_members(world: World) -> None:
    both = learn(teacher_of(world, members=2), world, 0)
    one = learn(teacher_of(world, members=1), world, 0)
    rest = 2 * logits(both, world) - logits(one, world)
    assert np.abs(rest - logits(one, world)).max() > 1e-3
    assert np.array_equal(logits(both, world), logits(learn(teacher_of(world, members=2), world, 0), world))


def test_saved_and_loaded_says_the_same(world: World, tmp_path: Path) -> None:
    teacher = learn(teacher_of(world, fields=3), world, 0, 1)
    teacher.save(tmp_path)
    assert np.array_equal(logits(SavedTeacher(tmp_path), world), logits(teacher, world))


def test_goes_on_from_a_state_to_the_same_bits(world: World) -> None:
    whole = learn(teacher_of(world), world, 0, 1, 2)
    half = learn(teacher_of(world), world, 0, 1)
    state = half.state()
    learn(half, world, 2)
    again = teacher_of(world, seed=0)
    again.restore(state)
    learn(again, world, 2)
    assert np.array_equal(logits(half, world), logits(whole, world))
    assert np.array_equal(logits(again, world), logits(whole, world))
    half.restore(state)
    assert np.array_equal(logits(learn(half, world, 2), world), logits(whole, world))


def test_sent_back_to_its_start_it_starts_at_the_base_rate_again(world: World) -> None:
    teacher = teacher_of(world)
    start = teacher.state()
    learn(teacher, world, 1)
    teacher.restore(start)
    assert np.array_equal(logits(learn(teacher, world, 0), world), logits(learn(teacher_of(world), world, 0), world))


def test_nothing_to_learn_changes_nothing(world: World) -> None:
    teacher = learn(teacher_of(world), world, 0)
    before = logits(teacher, world)
    teacher.learn(world.stream, np.zeros(0, np.int64), np.zeros((0, 2), np.float32), 1)
    assert np.array_equal(logits(teacher, world), before)
