"""Labels, one and several: the closed forms against autograd in float64, and against each other."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from automl.ranking.batches import Batch, Chunk
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


def _oracle(seen: Tensor, labels: Tensor, given: tuple[int | None, ...], weights: Tensor) -> tuple[Tensor, Tensor]:
    """By label the summed loss and how many rows it is of, in double precision, straight from the formulas."""
    probs = seen.sigmoid()
    losses, counts = [], []
    for task, place in enumerate(given):
        y, p = labels[:, task], probs[:, task]
        known = torch.isfinite(y)
        if place is not None:
            known = torch.isfinite(labels[:, place]) & (known | (labels[:, place] == 0))
            p = p * probs[:, place]
        y = y.nan_to_num()
        losses.append((-(y * p.log() + (1 - y) * (1 - p).log()) * known * weights).sum())
        counts.append((known * weights).sum())
    return torch.stack(losses), torch.stack(counts)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("given", [(), (None, 0, None), (None, 0, 0)])
@pytest.mark.parametrize("more", [{}, {"weight": 0.3}, {"uncertain": True}], ids=str)
def test_losses_of_several_labels_go_back_as_autograd_does(
    more: dict[str, Any], given: tuple[int | None, ...], weighted: bool
) -> None:
    generator = torch.Generator().manual_seed(0)
    seen = torch.randn(64, 3, generator=generator).double().mul_(3).requires_grad_()
    labels = (torch.rand(64, 3, generator=generator) < 0.4).float()
    labels[torch.rand(64, 3, generator=generator) < 0.2] = torch.nan
    for task, place in enumerate(given):
        if place is not None:
            labels[labels[:, place] != 1, task] = torch.nan
    weights = weights_of(weighted)
    by_row = torch.ones(64) if weights is None else weights[FIRST]
    loss = TasksLoss(3, given=given, **more)
    s = torch.tensor([0.3, -0.2, 0.5], dtype=torch.float64, requires_grad=True)
    sums, counts = _oracle(seen, labels.double(), given or (None,) * 3, by_row.double())
    if more.get("uncertain"):
        (own,) = loss.parameters()
        own.data.copy_(s.detach())
        own.grad = torch.zeros(3)
        total = (torch.exp(-s) * sums + 0.5 * s * counts).sum() / 64
    else:
        total = (sums * torch.tensor([1.0, *[more.get("weight", 1.0)] * 2]).double()).sum() / 64
    total.backward()
    head = torch.nn.Linear(3, 3)
    head.weight.data, head.bias.data = torch.eye(3), torch.zeros(3)
    head.weight.grad, head.bias.grad = torch.zeros(3, 3), torch.zeros(3)
    batch = Batch((), labels, None if weights is None else by_row)
    with torch.no_grad():
        _, below = loss.backward(head, seen.detach().float(), batch)
    torch.testing.assert_close(below.double(), seen.grad, rtol=1e-4, atol=1e-7)
    if more.get("uncertain"):
        assert own.grad is not None
        torch.testing.assert_close(own.grad.double(), s.grad, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("logit", [-60.0, 60.0])
def test_sure_predictions_of_both_labels_stay_finite(logit: float) -> None:
    head = torch.nn.Linear(2, 2)
    head.weight.data, head.bias.data = torch.eye(2), torch.zeros(2)
    head.weight.grad, head.bias.grad = torch.zeros(2, 2), torch.zeros(2)
    labels = torch.tensor([[0.0, torch.nan], [1.0, 0.0], [1.0, 1.0]])
    with torch.no_grad():
        _, below = TasksLoss(2, given=(None, 0)).backward(head, torch.full((3, 2), logit), Batch((), labels))
    assert torch.isfinite(below).all()
    assert below.abs().max() < 1
