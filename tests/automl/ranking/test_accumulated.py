"""Several batches that make one step are one batch of their rows."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from automl.ranking.batches import Chunk
from automl.ranking.features import read
from automl.ranking.losses import TasksLoss
from automl.ranking.model import build_member, build_model
from automl.ranking.place import put
from automl.ranking.stepper import Stepper
from automl.ranking.training import train
from search_spaces.model import ModelSpec
from tests.worlds.models import Log, planted, planted_tasks, spec

ROWS = slice(0, 5000)


def asked(size: int, accumulate: int, **train: object) -> ModelSpec:
    settings = {"batch_size": size, "accumulate": accumulate, "dense_lr": 0.01, "average": 0.3, **train}
    return spec(train=settings, deep=[{"mlp": {"width": 16, "norm": "layer"}}])


def learned(candidate: ModelSpec, log: Log) -> tuple[dict[str, torch.Tensor], list[float]]:
    model = build_model(candidate, log.inputs, seed=1)
    told = list(train(model, candidate, log, ROWS, order_seed=1, weights_seed=1, points=5))
    return model.state_dict(), [point.window_ne for point in told]


@pytest.mark.parametrize("log", [planted(), planted_tasks()], ids=["one", "several"])
@pytest.mark.parametrize("knobs", [{}, {"schedule": "cosine", "warmup": 0.1, "optimizer": "sgd"}], ids=["adam", "sgd"])
def test_so_many_batches_are_one_of_as_many_times_the_size(log: Log, knobs: dict[str, object]) -> None:
    (whole, of_whole), (parts, of_parts) = learned(asked(400, 1, **knobs), log), learned(asked(100, 4, **knobs), log)
    for name, part in whole.items():
        torch.testing.assert_close(parts[name], part, rtol=1e-3, atol=1e-4, msg=name)
    assert np.allclose(of_whole, of_parts, rtol=1e-4)
    one, _ = learned(asked(100, 1, **knobs), log)
    assert not torch.allclose(one["head.weight"], whole["head.weight"], atol=1e-2)


def test_a_row_of_several_batches_takes_one_step() -> None:
    log = planted(rows=90)
    moved = []
    for size, accumulate in ((90, 1), (30, 3), (40, 3)):  # the last of them: even parts, the last step is a short one
        candidate = asked(size, accumulate)
        model = build_member(candidate, log.inputs, seed=1).train()
        stepper = Stepper(model, candidate, TasksLoss())
        waiting = []
        for _ in stepper.steps(Chunk(read(log, slice(0, 90)), put(log.labels_N[:90, None]))):
            waiting.append(stepper.waiting)
        assert waiting == [True] * (len(waiting) - 1) + [False]
        moved.append(model.table.weight_RE.clone())
    for other in moved[1:]:
        torch.testing.assert_close(other, moved[0], rtol=1e-4, atol=1e-6)
