"""Several labels at once: against autograd, against one label alone, and on from a state."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from automl.ranking.model import RankingModel, build_model
from automl.ranking.multitask import TaskStepper
from automl.ranking.training import Stepper
from search_spaces.model import ModelSpec
from tests.worlds.models import planted, spec

LOG = planted(rows=640)
DEEP = [{"mlp": {"width": 16, "dropout": 0.2, "norm": "batch"}}]


def labels_of(tasks: int) -> Tensor:
    """The planted label and others, NaN here and there."""
    generator = torch.Generator().manual_seed(0)
    labels = (torch.rand(640, tasks, generator=generator) < 0.3).float()
    labels[:, 0] = torch.from_numpy(LOG.labels_N)
    if tasks > 1:
        labels[torch.rand(640, tasks, generator=generator) < 0.3] = torch.nan
    return labels


def rows_of(model: RankingModel, part: slice) -> tuple[Tensor, Tensor]:
    return model.table.rows(torch.from_numpy(LOG.ids_NF[part])), torch.from_numpy(LOG.dense_ND[part])


def steps(model: RankingModel, stepper: TaskStepper, labels_NT: Tensor, parts: list[slice]) -> None:
    model.train()
    for part in parts:
        model.noise.reseed(part.start)
        stepper.step(*rows_of(model, part), labels_NT[part])


PARTS = [slice(start, start + 64) for start in range(0, 640, 64)]


def built(tasks: int, candidate: ModelSpec | None = None) -> tuple[RankingModel, TaskStepper]:
    candidate = candidate or spec(deep=DEEP)
    model = build_model(candidate, LOG.inputs, seed=0, tasks=tasks)
    return model, TaskStepper(model, candidate)


def same(first: RankingModel, second: RankingModel) -> bool:
    states = first.state_dict(), second.state_dict()
    return all(torch.equal(states[0][name], states[1][name]) for name in states[0])


@pytest.mark.parametrize("tasks", [1, 2, 3])
def test_gradients_are_those_of_the_sum_of_mean_losses(tasks: int) -> None:
    model, _ = built(tasks)
    twin = build_model(spec(deep=DEEP), LOG.inputs, seed=0, tasks=tasks).double().train()
    labels = labels_of(tasks)[:64]
    rows, dense = rows_of(twin, slice(0, 64))
    embedded = twin.table.gather(rows).requires_grad_()
    twin.noise.reseed(0)
    logits = twin.head(twin.top(embedded, dense.double()))
    known = torch.isfinite(labels)
    losses = torch.nn.functional.binary_cross_entropy_with_logits(
        logits[known], labels[known].double(), reduction="none"
    )
    torch.autograd.backward(losses.sum() / 64)
    model.train()
    model.noise.reseed(0)
    TaskStepper(model, spec(deep=DEEP)).step(*rows_of(model, slice(0, 64)), labels, 0.0)
    for mine, oracle in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(mine.grad.double(), oracle.grad, rtol=1e-4, atol=1e-7)


def test_rows_without_labels_teach_nothing() -> None:
    candidate = spec(deep=[{"mlp": {"width": 16}}])
    labels = labels_of(2)
    model, stepper = built(2, candidate)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    steps(model, stepper, torch.full_like(labels, torch.nan), PARTS[:2])
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    labels[:, 1] = torch.nan
    steps(model, stepper, labels, PARTS)
    assert torch.isfinite(model.head.weight).all()
    assert torch.equal(model.head.weight[1], before["head.weight"][1])
    assert not torch.equal(model.head.weight[0], before["head.weight"][0])


def test_one_task_is_the_plain_model_bit_for_bit() -> None:
    model, stepper = built(1)
    plain = build_model(spec(deep=DEEP), LOG.inputs, seed=0).train()
    alone = Stepper(plain, spec(deep=DEEP))
    steps(model, stepper, labels_of(1), PARTS)
    for part in PARTS:
        plain.noise.reseed(part.start)
        alone.step(*rows_of(plain, part), labels_of(1)[part, 0], None, 1.0)
    assert same(model, plain)


def test_a_state_goes_on_to_the_same_bits() -> None:
    labels = labels_of(3)
    whole, stepper = built(3)
    steps(whole, stepper, labels, PARTS)
    first, half = built(3)
    steps(first, half, labels, PARTS[:4])
    state = half.state()
    kept = {name: value.clone() for name, value in state.items()}
    steps(first, half, labels, PARTS[4:6])  # a state is a copy
    assert all(torch.equal(value, kept[name]) for name, value in state.items())
    other = build_model(spec(deep=DEEP), LOG.inputs, seed=9, tasks=3)
    again = TaskStepper(other, spec(deep=DEEP))
    again.restore(state)
    steps(other, again, labels, PARTS[4:])
    assert same(whole, other)
    half.restore(state)
    steps(first, half, labels, PARTS[4:])
    assert same(whole, first)
    assert all(torch.equal(value, again.state()[name]) for name, value in stepper.state().items())
