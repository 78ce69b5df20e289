"""Labels, one and several: the closed forms against autograd in float64, and against each other."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from automl.ranking.batches import Chunk
from automl.ranking.features import read
from automl.ranking.losses import LabelLoss, Loss, TasksLoss, linear_backward
from automl.ranking.model import RankingModel, build_member, build_model
from automl.ranking.stepper import Stepper
from search_spaces.model import ModelSpec
from tests.worlds.models import fields_of, planted, spec

LOG = planted(rows=640)
DEEP = [{"mlp": {"width": 16, "dropout": 0.2, "norm": "batch"}}]
FIRST = slice(0, 64)
PARTS = [slice(start, start + 64) for start in range(0, 640, 64)]


def labels_of(tasks: int) -> Tensor:
    """The planted label and others, NaN here and there."""
    generator = torch.Generator().manual_seed(0)
    labels = (torch.rand(640, tasks, generator=generator) < 0.3).float()
    labels[:, 0] = torch.from_numpy(LOG.labels_N)
    if tasks > 1:
        labels[torch.rand(640, tasks, generator=generator) < 0.3] = torch.nan
    return labels


def weights_of(weighted: bool) -> Tensor | None:
    return torch.rand(640, generator=torch.Generator().manual_seed(1)) * 2 if weighted else None


def chunk_of(labels: Tensor, weights: Tensor | None, part: slice) -> Chunk:
    return Chunk(read(LOG, part), labels[part], None if weights is None else weights[part])


def learn(model: RankingModel, loss: Loss, candidate: ModelSpec, chunks: list[Chunk]) -> None:
    stepper = Stepper(model.train(), candidate, loss)
    for number, chunk in enumerate(chunks):
        model.noise.reseed(number)
        list(stepper.steps(chunk))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("loss", "tasks"), [(LabelLoss(), 1), (TasksLoss(), 1), (TasksLoss(), 2), (TasksLoss(), 3)])
def test_gradients_are_those_of_the_sum_of_mean_losses(loss: Loss, tasks: int, weighted: bool) -> None:
    labels, weights = labels_of(tasks)[FIRST], weights_of(weighted)
    twin = build_member(spec(deep=DEEP), LOG.inputs, seed=0, tasks=tasks).double().train()
    rows, dense = twin.read(read(LOG, FIRST))
    twin.noise.reseed(0)
    logits = twin.head(twin.top(fields_of(twin, [rows, dense.double()])))
    losses = torch.nn.functional.binary_cross_entropy_with_logits(
        logits, labels.nan_to_num().double(), reduction="none"
    ) * torch.isfinite(labels)
    by_row = torch.ones(64).double() if weights is None else weights[FIRST].double()
    torch.autograd.backward((losses.sum(1) * by_row).sum() / 64)
    model = build_member(spec(deep=DEEP), LOG.inputs, seed=0, tasks=tasks).train()
    model.noise.reseed(0)
    given = labels.squeeze(1) if isinstance(loss, LabelLoss) else labels
    stepper = Stepper(model, spec(deep=DEEP), loss)
    ((_, seen),) = stepper.steps(chunk_of(given, weights, FIRST), lambda _: 0.0)
    torch.testing.assert_close(seen.double().view_as(logits), logits.detach(), rtol=1e-4, atol=1e-6)
    for mine, oracle in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(mine.grad.double(), oracle.grad, rtol=1e-4, atol=2e-7)


@pytest.mark.parametrize("outputs", [1, 3])
def test_a_layer_goes_back_as_autograd_does_bit_for_bit(outputs: int) -> None:
    torch.manual_seed(0)
    layer, x, grad = torch.nn.Linear(24, outputs), torch.randn(64, 24), torch.randn(64, outputs)
    leaf = x.clone().requires_grad_()
    layer(leaf).backward(grad)
    wanted = [part.grad.clone() for part in (layer.weight, layer.bias)]
    with torch.no_grad():
        below = linear_backward(layer, x, grad)
    assert torch.equal(below, leaf.grad)
    assert all(torch.equal(part.grad, one) for part, one in zip((layer.weight, layer.bias), wanted, strict=True))


def test_rows_without_labels_teach_nothing() -> None:
    candidate = spec(deep=[{"mlp": {"width": 16}}])
    labels = labels_of(2)
    model = build_member(candidate, LOG.inputs, seed=0, tasks=2)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    nothing = torch.full_like(labels, torch.nan)
    learn(model, TasksLoss(), candidate, [chunk_of(nothing, None, part) for part in PARTS[:2]])
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    labels[:, 1] = torch.nan
    learn(model, TasksLoss(), candidate, [chunk_of(labels, None, part) for part in PARTS])
    assert torch.isfinite(model.head.weight).all()
    assert torch.equal(model.head.weight[1], before["head.weight"][1])
    assert not torch.equal(model.head.weight[0], before["head.weight"][0])


@pytest.mark.parametrize("weighted", [False, True])
def test_several_labels_of_which_there_is_one_are_one_label_bit_for_bit(weighted: bool) -> None:
    labels, weights, candidate = labels_of(1), weights_of(weighted), spec(deep=DEEP)
    models = [build_model(candidate, LOG.inputs, seed=0) for _ in range(2)]
    learn(models[0], TasksLoss(), candidate, [chunk_of(labels, weights, part) for part in PARTS])
    learn(models[1], LabelLoss(), candidate, [chunk_of(labels[:, 0], weights, part) for part in PARTS])
    states = [model.state_dict() for model in models]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
