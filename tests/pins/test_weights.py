"""Weights after 50 steps of every trainer: plain, of several tasks, taught; and what a student of a stream predicts."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from automl.exfm.columns import Columns
from automl.exfm.student.run import StudentRun
from automl.exfm.teacher.ensemble import Teacher
from automl.ranking.model import RankingModel, build_model
from automl.ranking.process import prepare_process
from automl.ranking.scoring import score
from automl.ranking.training import train
from search_spaces.model import ModelSpec
from tests.pins.pinned import hold_arrays
from tests.worlds.models import BLOCKS, Log, planted, spec
from tests.worlds.streams import make_world, said, task

STEPS, BATCH = 50, 64
ROWS = STEPS * BATCH
# No batch norm: what stands before it has a gradient of zero, and Adam makes steps of full size out of its last bits.
TOWER = [{"mlp": {"width": 16, "dropout": 0.2}}, {"mlp": {"width": 8, "norm": "layer"}}]


def _spec(**parts: object) -> ModelSpec:
    return spec(**{"deep": TOWER, "train": {"batch_size": BATCH, "dense_lr": 0.01}, **parts})


def _log() -> Log:
    """With weights that differ, and a teacher of two tasks that is silent here and there."""
    log = planted(rows=ROWS + 1000)
    rng = np.random.default_rng(1)
    teacher_NT = rng.normal(size=(len(log.labels_N), 2)).astype(np.float32)
    teacher_NT[::7] = np.nan
    ages_N = rng.uniform(0, 48, len(log.labels_N)).astype(np.float32)
    weights_N = rng.choice([0.5, 1.0, 2.0], len(log.labels_N)).astype(np.float32)
    return replace(log, weights_N=weights_N, teacher_NT=teacher_NT, ages_N=ages_N, own=1)


def _state(model: RankingModel) -> dict[str, NDArray[np.float32]]:
    return {name: value.detach().numpy() for name, value in model.state_dict().items()}


def _trained(candidate: ModelSpec) -> dict[str, NDArray[np.float32]]:
    log = _log()
    model = build_model(candidate, log.inputs, seed=3)
    points = list(train(model, candidate, log, slice(0, ROWS), order_seed=4, weights_seed=5, points=5))
    curve = np.array([[point.rows, point.window_ne, point.lifetime_ne] for point in points])
    return {**_state(model), "curve": curve, "probabilities": score(model, log, slice(ROWS, ROWS + 1000))}


def _several_tasks() -> dict[str, NDArray[np.float32]]:
    log = _log()
    labels_NT = np.stack([log.labels_N, np.roll(log.labels_N, 1), np.roll(log.labels_N, 2)], 1)
    labels_NT[::5, 1] = np.nan
    columns = Columns((0, 1, 2), (0, 1))
    teacher = Teacher(_spec(), log.inputs, columns, tasks=3, members=2, seed=9)
    teacher.learn(log, np.arange(ROWS), labels_NT[:ROWS], 0)
    held = {f"{m}.{name}": part.numpy() for m, state in enumerate(teacher.state()) for name, part in state.items()}
    return {**held, "logits": teacher.logits(log, slice(ROWS, len(labels_NT)))}


def _streamed(recipe: str) -> dict[str, NDArray[np.float32]]:
    with tempfile.TemporaryDirectory() as folder:
        world = make_world(Path(folder), rows=3000, days=5)
        rng = np.random.default_rng(2)
        heard_NT = (world.truth_NT + rng.normal(0, 0.3, world.truth_NT.shape)).astype(np.float32)
        run = StudentRun(task(world, said(world, Path(folder) / "run", heard_NT), recipe))
        list(run.run())
        chosen = np.array([ord(choice[0]) for choice in run.choices], np.float64)
        return {**_state(run.model()), "logits": run.logits_N, "choices": chosen}


WEIGHTS: Mapping[str, Callable[[], Mapping[str, NDArray[np.float32]]]] = {
    "plain": lambda: _trained(_spec()),
    "plain, every block, scheduled, twice": lambda: _trained(
        _spec(
            interaction=[dict(block) for block in BLOCKS] + [{"cross": {"rank": 2}, "dot": {}, "fuse": "concat"}],
            wiring="parallel",
            train={
                "batch_size": BATCH, "dense_lr": 0.01, "epochs": 2, "schedule": "cosine", "warmup": 0.1,
                "order": "time", "weight_decay": 0.01,
            },
            embedding={"dim": 4, "lr": 0.1, "min_count": 2, "weight_decay": 0.001},
        )
    ),
    "several tasks": _several_tasks,
    "taught by both heads": lambda: _trained(
        _spec(distill={"heads": "both", "weight": 2.0, "beta": 0.5, "half_life_hours": 24.0, "averaged": True})
    ),
    "taught plainly": lambda: _trained(_spec(distill={"heads": "plain", "alpha": 0.7})),
    "taught, calibrated": lambda: _trained(_spec(distill={"heads": "calibrated", "adapter_width": 4})),
    "a student of a stream, auto": lambda: _streamed("auto"),
    "a student of a stream, both heads": lambda: _streamed("auxiliary-adapter"),
}  # fmt: skip


def made(name: str) -> Mapping[str, NDArray[np.float32]]:
    """On one thread: sums are split among threads, and so are their last bits."""
    prepare_process(1)
    return WEIGHTS[name]()


@pytest.mark.parametrize("name", WEIGHTS)
def test_training_gives_the_numbers_that_it_gave(name: str) -> None:
    hold_arrays(name, made(name))
