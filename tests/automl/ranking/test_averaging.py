from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from automl.ranking.averaging import TailMean
from automl.ranking.model import RankingModel, build_model
from automl.ranking.training import make_steppers, train
from search_spaces.model import ModelSpec
from tests.worlds.models import Log, planted, spec

ROWS, DIM = 7, 2


@given(st.lists(st.sets(st.integers(0, ROWS - 1), min_size=1), max_size=12), st.integers(0, 2**32 - 1))
def test_the_mean_is_that_of_all_weights_after_every_step(steps: list[set[int]], seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    table, dense = torch.randn(ROWS, DIM, generator=draw), torch.randn(5, generator=draw)
    tail = TailMean(table, [dense])
    seen_tables: list[torch.Tensor] = []
    seen_dense: list[torch.Tensor] = []
    for touched in steps:
        rows = torch.tensor(sorted(touched))
        before = table[rows]
        table[rows] += torch.randn(len(rows), DIM, generator=draw)
        dense += torch.randn(5, generator=draw)
        tail.moved(rows, before, table[rows])
        tail.stepped()
        seen_tables.append(table.clone())
        seen_dense.append(dense.clone())
    wanted = (table.clone(), dense.clone())
    if steps:
        wanted = (torch.stack(seen_tables).mean(0), torch.stack(seen_dense).mean(0))
    tail.settle()
    assert torch.allclose(table, wanted[0], atol=1e-5)
    assert torch.allclose(dense, wanted[1], atol=1e-5)


@pytest.fixture(scope="module")
def log() -> Log:
    return planted()


BATCH = 100
TRAIN = slice(0, 5000)  # 50 steps


def all_weights(model: RankingModel) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    parts = [part for part in model.state_dict().values() if part.is_floating_point()]
    return np.concatenate([part.detach().double().reshape(-1).numpy() for part in parts])


def trained(candidate: ModelSpec, log: Log) -> RankingModel:
    model = build_model(candidate, log.inputs, seed=1)
    list(train(model, candidate, log, TRAIN, order_seed=1, weights_seed=1))
    return model


@pytest.mark.parametrize(
    "knobs",
    [{}, {"schedule": "cosine", "warmup": 0.1}, {"epochs": 2}, {"weight_decay": 0.01}],
    ids=["constant", "cosine", "epochs", "decay"],
)
@pytest.mark.parametrize("norm", ["none", "batch"])
def test_a_trained_model_is_the_mean_of_its_last_steps(knobs: dict[str, object], norm: str, log: Log) -> None:
    settings = {"batch_size": BATCH, "average": 0.2, "recalibrate": False, **knobs}
    candidate = spec(train=settings, deep=[{"mlp": {"width": 8, "norm": norm, "dropout": 0.1}}])
    model = build_model(candidate, log.inputs, seed=1)
    steps = []
    points = 50 * candidate.train.epochs  # one a step: the weights can be seen after each
    for _ in train(model, candidate, log, TRAIN, order_seed=1, weights_seed=1, points=points):
        steps.append(all_weights(model))
    assert len(steps) == points
    assert np.allclose(all_weights(model), np.mean(steps[-10:], axis=0), atol=2e-6)


def test_without_a_share_the_last_weights_stay(log: Log) -> None:
    candidate = spec(train={"batch_size": BATCH, "average": 0.0, "recalibrate": False})
    model = build_model(candidate, log.inputs, seed=1)
    for _ in train(model, candidate, log, TRAIN, order_seed=1, weights_seed=1):
        last = all_weights(model)
    assert np.array_equal(all_weights(model), last)
    step = spec(train={"batch_size": 5000, "average": 0.5, "recalibrate": False})
    one = spec(train={"batch_size": 5000, "average": 0.0, "recalibrate": False})
    assert np.array_equal(all_weights(trained(step, log)), all_weights(trained(one, log)))


def test_later_rows_are_learnt_from_the_mean_and_with_what_the_optimizers_know(log: Log) -> None:
    candidate = spec(train={"batch_size": BATCH, "average": 0.2, "recalibrate": False})
    model = build_model(candidate, log.inputs, seed=1)
    steppers = make_steppers(model, candidate, log, weights_seed=1)
    list(train(model, candidate, log, TRAIN, order_seed=1, weights_seed=1, steppers=steppers))
    sums = steppers[0].state()["sums"]
    settled = all_weights(model)
    assert sums.any()
    moved = []
    for _ in train(model, candidate, log, slice(5000, 5100), order_seed=2, weights_seed=1, steppers=steppers):
        moved.append(all_weights(model))
    fresh = build_model(candidate, log.inputs, seed=1)
    fresh.load_state_dict(trained(candidate, log).state_dict())
    list(train(fresh, candidate, log, slice(5000, 5100), order_seed=2, weights_seed=1))
    assert 0 < np.abs(moved[-1] - settled).max() < np.abs(all_weights(fresh) - settled).max()
