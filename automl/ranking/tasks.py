"""What stands on the top of a model of several labels: experts, gates and towers, as search_spaces/tasks.py has them.

B batch, W width of the top, T labels, S streams (labels, and what they share), E experts, I and O widths of a layer,
N fields of the model, L layers of a tower.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from automl.ranking.blocks.dropout import Dropout
from automl.ranking.place import Noise
from search_spaces.tasks import Tasks


class TaskHead(nn.Linear):
    """The heads of T labels, each of which reads its own part of x (B, T W): logits (B, T)."""

    def forward(self, x_BH: Tensor) -> Tensor:
        x_TBW = x_BH.view(-1, *self.weight.shape).transpose(0, 1)
        return torch.bmm(x_TBW, self.weight.unsqueeze(2)).squeeze(2).t() + self.bias

    def backward_to(self, x_BH: Tensor, grad_BT: Tensor) -> Tensor:
        """Write the gradients of the weights to where they are kept; returns that of x."""
        x_BTW = x_BH.view(-1, *self.weight.shape)
        grad_TW, grad_T = self.weight.grad, self.bias.grad
        assert grad_TW is not None
        assert grad_T is not None
        grad_TW.copy_((x_BTW * grad_BT.unsqueeze(2)).sum(0))
        torch.sum(grad_BT, 0, out=grad_T)
        return (grad_BT.unsqueeze(2) * self.weight).flatten(1)


class Side(nn.Module):
    """Linear layers side by side, each on an input of its own: (B, S, I) to (B, S, O)."""

    def __init__(self, count: int, width_in: int, width_out: int) -> None:
        super().__init__()
        reach = 1.0 / math.sqrt(width_in)  # as nn.Linear
        self.weight_SIO = nn.Parameter(torch.empty(count, width_in, width_out).uniform_(-reach, reach))
        self.bias_SO = nn.Parameter(torch.empty(count, width_out).uniform_(-reach, reach))

    def forward(self, x_BSI: Tensor) -> Tensor:
        return torch.bmm(x_BSI.transpose(0, 1), self.weight_SIO).transpose(0, 1) + self.bias_SO


class Mmoe(nn.Module):
    """(B, W) to (B, T, O): experts that all labels read, mixed by a gate for each label."""

    def __init__(self, tasks: Tasks, width_in: int, count: int) -> None:
        super().__init__()
        self.experts, self.tasks = tasks.experts, count
        self.first = nn.Linear(width_in, tasks.experts * tasks.width)
        self.rest = nn.ModuleList(Side(tasks.experts, tasks.width, tasks.width) for _ in range(tasks.layers - 1))
        self.gates = nn.Linear(width_in, count * tasks.experts)

    def forward(self, x_BW: Tensor) -> Tensor:
        out_BEO = self.first(x_BW).relu().unflatten(1, (self.experts, -1))
        for layer in self.rest:
            out_BEO = layer(out_BEO).relu()
        return torch.bmm(self.gates(x_BW).unflatten(1, (self.tasks, self.experts)).softmax(2), out_BEO)


class Level(nn.Module):
    """Experts of each label and shared ones. (B, T, I) and (B, I) to (B, T, O) and (B, O); the last level has no gate
    for what is shared, and gives nothing of it."""

    def __init__(self, tasks: Tasks, width_in: int, count: int, *, last: bool) -> None:
        super().__init__()
        self.shared_experts, self.own_experts, width = tasks.experts, tasks.task_experts, tasks.width
        self.shared = nn.Linear(width_in, self.shared_experts * width)
        self.own = Side(count, width_in, self.own_experts * width)
        self.gates = Side(count, width_in, self.shared_experts + self.own_experts)
        self.gate = None if last else nn.Linear(width_in, self.shared_experts + count * self.own_experts)

    def forward(self, x_BTI: Tensor, x_BI: Tensor) -> tuple[Tensor, Tensor | None]:
        shared_BEO = self.shared(x_BI).relu().unflatten(1, (self.shared_experts, -1))
        own_BTEO = self.own(x_BTI).relu().unflatten(2, (self.own_experts, -1))
        both_BTEO = torch.cat([shared_BEO.unsqueeze(1).expand(-1, own_BTEO.shape[1], -1, -1), own_BTEO], 2)
        mixed_BTO = torch.matmul(self.gates(x_BTI).softmax(2).unsqueeze(2), both_BTEO).squeeze(2)
        if self.gate is None:
            return mixed_BTO, None
        all_BEO = torch.cat([shared_BEO, own_BTEO.flatten(1, 2)], 1)
        return mixed_BTO, torch.bmm(self.gate(x_BI).softmax(1).unsqueeze(1), all_BEO).squeeze(1)


class Ple(nn.Module):
    """(B, W) to (B, T, O), level by level."""

    def __init__(self, tasks: Tasks, width_in: int, count: int) -> None:
        super().__init__()
        self.tasks = count
        widths = [width_in, *[tasks.width] * (tasks.layers - 1)]
        self.levels = nn.ModuleList(
            Level(tasks, width, count, last=number == tasks.layers) for number, width in enumerate(widths, 1)
        )

    def forward(self, x_BW: Tensor) -> Tensor:
        x_BTI, shared = x_BW.unsqueeze(1).expand(-1, self.tasks, -1), x_BW
        for level in self.levels:
            x_BTI, shared = level(x_BTI, shared)
        return x_BTI


class TowerGates(nn.Module):
    """The fields of a model, flattened (B, I), to what the outputs of each tower's layers are scaled by: between 0 and
    2, (B, L, T, O). The embeddings learn nothing from it."""

    def __init__(self, tasks: Tasks, width_in: int, count: int) -> None:
        super().__init__()
        self.shape = (tasks.tower_layers, count, tasks.tower_width)
        self.first = nn.Linear(width_in, tasks.tower_layers * tasks.gate_hidden)
        self.second = Side(tasks.tower_layers, tasks.gate_hidden, count * tasks.tower_width)

    def forward(self, x_BI: Tensor) -> Tensor:
        hidden_BLH = self.first(x_BI.detach()).relu().unflatten(1, (self.shape[0], -1))
        gates_BLTO: Tensor = 2 * self.second(hidden_BLH).sigmoid().unflatten(2, self.shape[1:])
        return gates_BLTO


class TaskLayers(nn.Module):
    """(B, W), and the fields of the model, to what the heads of T labels read, (B, T O) in the order of the labels."""

    def __init__(self, tasks: Tasks, width_in: int, fields: int, count: int, noise: Noise) -> None:
        super().__init__()
        self.tasks, width = count, width_in if tasks.sharing == "shared" else tasks.width
        self.mixed: nn.Module | None = None
        if tasks.sharing != "shared":
            self.mixed = (Mmoe if tasks.sharing == "mmoe" else Ple)(tasks, width_in, count)
        widths = [width, *[tasks.tower_width] * tasks.tower_layers]
        self.towers = nn.ModuleList(Side(count, *pair) for pair in pairwise(widths))
        self.gates = TowerGates(tasks, fields, count) if tasks.gate_hidden else None
        self.dropout = Dropout(tasks.tower_dropout, noise)
        self.width = widths[-1]

    def forward(self, x_BW: Tensor, fields_BNE: Sequence[Tensor]) -> Tensor:
        x_BTO = x_BW.unsqueeze(1).expand(-1, self.tasks, -1) if self.mixed is None else self.mixed(x_BW)
        gates_BLTO = None if self.gates is None else self.gates(torch.cat([part.flatten(1) for part in fields_BNE], 1))
        for k, tower in enumerate(self.towers):
            x_BTO = self.dropout(tower(x_BTO).relu())
            if gates_BLTO is not None:
                x_BTO = gates_BLTO[:, k] * x_BTO
        return x_BTO.flatten(1)


def task_layers(
    tasks: Tasks | None, width: int, fields: int, count: int, noise: Noise
) -> tuple[TaskLayers | None, nn.Linear]:
    """What stands between a top of that width and the heads, and the heads; plain ones where all is shared. `fields` is
    the width of all fields of the model, flattened."""
    if tasks is None or (tasks.sharing == "shared" and not tasks.tower_layers):
        return None, nn.Linear(width, count)
    layers = TaskLayers(tasks, width, fields, count, noise)
    return layers, TaskHead(layers.width, count)
