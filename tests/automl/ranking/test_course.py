"""A training that is cut off at a point goes on from there to the same weights, bit for bit."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
import pytest
import torch

from automl.ranking import batches
from automl.ranking.course import Course
from automl.ranking.model import build_model
from automl.ranking.place import Noise
from automl.ranking.progress import Progress
from automl.ranking.training import train
from search_spaces.model import ModelSpec
from tests.worlds.histories import remembered
from tests.worlds.models import Log, planted, planted_tasks, spec

ROWS = slice(100, 3000)
POINTS = 10
NORMS = [{"mlp": {"width": 16, "norm": "batch", "dropout": 0.2}}]
TRAIN = {"batch_size": 100, "dense_lr": 0.01, "average": 0.35}
PLANTED = planted(rows=3200)
TAUGHT = replace(
    PLANTED,
    teacher_NT=np.random.default_rng(0).normal(size=(3200, 1)).astype(np.float32),
    ages_N=np.zeros(3200, np.float32),
    own=0,
)
CASES: dict[str, tuple[Log, dict[str, Any]]] = {
    "plain": (PLANTED, {}),
    "two passes": (PLANTED, {"train": TRAIN | {"epochs": 2, "schedule": "cosine", "warmup": 0.1}}),
    "in the order of time": (PLANTED, {"train": TRAIN | {"order": "time", "average": 0.0}}),
    "members": (PLANTED, {"members": 2}),
    "several batches a step": (PLANTED, {"train": TRAIN | {"accumulate": 3, "optimizer": "sgd", "dense_lr": 0.03}}),
    "lazy Adam": (PLANTED, {"embedding": {"dim": 4, "lr": 0.01, "optimizer": "adam"}}),
    "bfloat16": (PLANTED, {"train": TRAIN | {"precision": "bf16"}}),
    "several labels": (planted_tasks(rows=3200), {"tasks": {"losses": "uncertainty"}}),
    "a history": (remembered(rows=3200), {"history": {"din": {}}}),
    "an adapter": (TAUGHT, {"distill": {"heads": "both"}}),
}


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several in a pass; points lie within them."""
    monkeypatch.setattr(batches, "BLOCK_ROWS", 128)
    monkeypatch.setattr(batches, "CHUNK_BLOCKS", 8)


def written(course: Course) -> dict[str, torch.Tensor]:
    """As a file of tensors brings it back."""
    file = BytesIO()
    torch.save(course.state(), file)
    file.seek(0)
    found: dict[str, torch.Tensor] = torch.load(file, weights_only=True)
    return found


def run(
    candidate: ModelSpec, log: Log, course: Course, seed: int, upto: int | None = None
) -> tuple[dict[str, torch.Tensor], list[Progress], dict[str, torch.Tensor]]:
    """Weights, points, and the course where it is cut off: after `upto` points."""
    model, told = build_model(candidate, log.inputs, seed=seed), list[Progress]()
    state = {}
    for point in train(model, candidate, log, ROWS, order_seed=2, weights_seed=3, points=POINTS, course=course):
        told.append(point)
        if len(told) == upto:
            state = written(course)
            break
    return model.state_dict(), told, state


@pytest.mark.parametrize("name", CASES)
def test_it_ends_with_the_same_weights(name: str) -> None:
    log, parts = CASES[name]
    candidate = spec(**{"train": TRAIN, "deep": NORMS, **parts})
    weights, points, _ = run(candidate, log, Course(), 1)
    assert len(points) == POINTS
    for upto in (3, 8):  # before the mean of the weights is collected, and within
        _, early, state = run(candidate, log, Course(), 1, upto)
        found, late, _ = run(candidate, log, Course(state), 9)  # what it was made with is overwritten
        assert early + late == points
        assert all(torch.equal(part, found[key]) for key, part in weights.items())


def test_what_is_not_reached_again_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    candidate = spec(deep=NORMS, train=TRAIN)
    _, _, state = run(candidate, PLANTED, Course(), 1, 8)
    seen: list[int] = []
    read = batches.read
    monkeypatch.setattr(batches, "read", lambda log, chosen: (seen.append(len(chosen)), read(log, chosen))[1])
    run(candidate, PLANTED, Course(state), 1)
    assert sum(seen) < 1100  # the last of three chunks


def test_noise_goes_on_where_it_was() -> None:
    noise, like = Noise(3), torch.empty(1001)
    noise.int16(like)
    state = noise.state()
    wanted = noise.int16(like)
    other = Noise(4)
    other.restore(state)
    assert torch.equal(other.int16(like), wanted)
