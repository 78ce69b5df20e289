"""Experts, gates and towers of several labels against a double loop, and what holds for every one of them."""

from __future__ import annotations

import io

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from automl.ranking.batches import Chunk
from automl.ranking.features import read
from automl.ranking.losses import head_backward
from automl.ranking.model import RankingModel, build_member
from automl.ranking.place import put
from automl.ranking.serving import TensorsIn, serving_graph
from automl.ranking.tasks import Mmoe, Ple, TaskHead, TaskLayers, TowerGates
from automl.ranking.training import make_steppers
from search_spaces.model import Tasks
from tests.worlds.models import planted_tasks, spec

LOG = planted_tasks(rows=600)
ROWS = read(LOG, slice(0, 64))
KINDS = (
    {"tower_layers": 2, "tower_width": 5},
    {"sharing": "mmoe", "experts": 3, "width": 6},
    {"sharing": "mmoe", "experts": 2, "width": 6, "layers": 3, "tower_layers": 1, "tower_dropout": 0.2},
    {"sharing": "ple", "experts": 2, "task_experts": 3, "width": 6},
    {"sharing": "ple", "experts": 2, "task_experts": 1, "width": 6, "layers": 3, "tower_layers": 1, "esmm": True},
    {"tower_layers": 1, "tower_width": 5, "gate_hidden": 3},
    {"sharing": "mmoe", "experts": 2, "width": 6, "tower_layers": 2, "tower_width": 5, "gate_hidden": 4},
)


def model_of(tasks: dict[str, object]) -> RankingModel:
    return build_member(spec(tasks=tasks), LOG.inputs, seed=3)


def _linear(layer: nn.Linear, part: slice, x: Tensor) -> Tensor:
    return layer.weight[part] @ x + layer.bias[part]


def _mmoe(layer: Mmoe, x: Tensor, width: int) -> list[Tensor]:
    experts = []
    for e in range(layer.experts):
        out = _linear(layer.first, slice(e * width, (e + 1) * width), x).relu()
        for deeper in layer.rest:
            out = (deeper.weight_SIO[e].T @ out + deeper.bias_SO[e]).relu()
        experts.append(out)
    mixed = []
    for t in range(layer.tasks):
        gate = _linear(layer.gates, slice(t * layer.experts, (t + 1) * layer.experts), x).softmax(0)
        mixed.append(sum((gate[e] * experts[e] for e in range(layer.experts)), torch.zeros(width)))
    return mixed


def _ple(layer: Ple, x: Tensor, width: int) -> list[Tensor]:
    streams, everyone = [x] * layer.tasks, x
    for level in layer.levels:
        spans = [slice(e * width, (e + 1) * width) for e in range(max(level.shared_experts, level.own_experts))]
        shared = [_linear(level.shared, span, everyone).relu() for span in spans[: level.shared_experts]]
        own = [
            [
                (level.own.weight_SIO[t][:, span].T @ streams[t] + level.own.bias_SO[t][span]).relu()
                for span in spans[: level.own_experts]
            ]
            for t in range(layer.tasks)
        ]
        gates = [
            (level.gates.weight_SIO[t].T @ streams[t] + level.gates.bias_SO[t]).softmax(0) for t in range(layer.tasks)
        ]
        mixed = [
            sum((g * out for g, out in zip(gates[t], [*shared, *own[t]], strict=True)), torch.zeros(width))
            for t in range(layer.tasks)
        ]
        if level.gate is not None:
            gate = (level.gate.weight @ everyone + level.gate.bias).softmax(0)
            outs = [*shared, *(out for of_task in own for out in of_task)]
            everyone = sum((g * out for g, out in zip(gate, outs, strict=True)), torch.zeros(width))
        streams = mixed
    return streams


def _gate(gates: TowerGates, layer: int, task: int, x0: Tensor) -> Tensor:
    """Of one layer of one tower."""
    width, hidden = gates.shape[2], gates.second.weight_SIO.shape[1]
    told = _linear(gates.first, slice(layer * hidden, (layer + 1) * hidden), x0).relu()
    span = slice(task * width, (task + 1) * width)
    return 2 * (gates.second.weight_SIO[layer][:, span].T @ told + gates.second.bias_SO[layer][span]).sigmoid()


@pytest.mark.parametrize("tasks", KINDS, ids=str)
def test_forward_is_that_of_the_double_loop(tasks: dict[str, object]) -> None:
    model = model_of(tasks).eval()
    asked = model.asked(model.read(ROWS))
    fields = [part[:5] for part in model.fields(asked, model.table.gather(asked.rows_P))]
    x_BW, x0_BI = model.backbone(fields), torch.cat(fields, 1).flatten(1)
    seen = model.head(model.parts(x_BW, fields)) if model.parts is not None else None
    assert isinstance(model.parts, TaskLayers)
    assert seen is not None
    for b, x in enumerate(x_BW):
        mixed = [x] * 2
        if model.parts.mixed is not None:
            width = Tasks(**tasks).width  # type: ignore[arg-type]
            by = _mmoe if isinstance(model.parts.mixed, Mmoe) else _ple
            mixed = by(model.parts.mixed, x, width)  # type: ignore[arg-type]
        for t in range(2):
            out = mixed[t]
            for k, tower in enumerate(model.parts.towers):
                out = (tower.weight_SIO[t].T @ out + tower.bias_SO[t]).relu()
                if model.parts.gates is not None:
                    out = out * _gate(model.parts.gates, k, t, x0_BI[b])
            logit = model.head.weight[t] @ out + model.head.bias[t]
            torch.testing.assert_close(seen[b, t], logit, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("tasks", KINDS, ids=str)
def test_weights_and_flops_are_as_promised(tasks: dict[str, object]) -> None:
    model, cost = model_of(tasks).eval(), spec(tasks=tasks).cost(LOG.inputs)
    assert model.table.weight_RE.numel() + sum(part.numel() for part in model.parameters()) == cost.params
    with FlopCounterMode(display=False) as counter:
        model(ROWS)
    assert counter.get_total_flops() == 64 * cost.flops


@pytest.mark.parametrize("tasks", KINDS, ids=str)
def test_gradients_reach_every_weight_and_rows_do_not_meet(tasks: dict[str, object]) -> None:
    model = model_of(tasks).train()
    model(ROWS).square().sum().backward()
    for name, part in model.named_parameters():
        assert part.grad is not None, name
        assert part.grad.any(), name
    model.eval()
    whole = model(ROWS)
    torch.testing.assert_close(model(ROWS[7:8])[0], whole[7], rtol=1e-4, atol=1e-5)
    assert whole.shape == (64, 2)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("tasks", KINDS, ids=str)
def test_a_step_moves_every_weight(tasks: dict[str, object], precision: str) -> None:
    candidate = spec(tasks=tasks, train={"batch_size": 64, "dense_lr": 0.01, "precision": precision})
    model = build_member(candidate, LOG.inputs, seed=3).train()
    before = {name: part.detach().clone() for name, part in model.named_parameters()}
    assert LOG.labels_NT is not None
    (stepper,) = make_steppers(model, candidate, LOG, weights_seed=1)
    list(stepper.steps(Chunk(ROWS, put(LOG.labels_NT[:64]))))
    for name, part in model.named_parameters():
        assert not torch.equal(part, before[name]), name


@pytest.mark.parametrize("tasks", KINDS[2::2], ids=str)
def test_the_exported_graph_predicts_the_same(tasks: dict[str, object]) -> None:
    model = model_of(tasks).eval()
    rows = {0: torch.export.Dim("rows")}
    served_model = TensorsIn(serving_graph(model))
    example = ROWS.ids_BF, ROWS.dense_BD
    graph = torch.export.export(served_model, example, dynamic_shapes=(rows, rows), strict=False)
    held = io.BytesIO()
    torch.export.save(graph, held)
    held.seek(0)
    served = torch.export.load(held).module()
    for count in (1, 3, 64):
        some = ROWS[:count]
        torch.testing.assert_close(served(some.ids_BF, some.dense_BD), model(some), rtol=1e-5, atol=1e-6)


def test_heads_go_back_as_autograd_does() -> None:
    torch.manual_seed(0)
    head, x = TaskHead(5, 3), torch.randn(8, 15, requires_grad=True)
    grad = torch.randn(8, 3)
    head(x).backward(grad)
    assert x.grad is not None
    expected = x.grad, head.weight.grad, head.bias.grad
    head.weight.grad, head.bias.grad = torch.zeros(3, 5), torch.zeros(3)
    with torch.no_grad():
        below = head_backward(head, x, grad)
    for mine, oracle in zip((below, head.weight.grad, head.bias.grad), expected, strict=True):
        torch.testing.assert_close(mine, oracle)


def test_embeddings_learn_nothing_from_gates() -> None:
    model = model_of({"tower_layers": 1, "tower_width": 5, "gate_hidden": 3}).train()
    assert isinstance(model.parts, TaskLayers)
    asked = model.asked(model.read(ROWS))
    fields = [part.detach().requires_grad_() for part in model.fields(asked, model.table.gather(asked.rows_P))]
    x_BW = model.backbone(fields).detach()
    model.parts(x_BW, fields).sum().backward()
    assert all(part.grad is None for part in fields)
    assert model.parts.gates is not None
    assert all(part.grad is not None and part.grad.any() for part in model.parts.gates.parameters())
