"""FinalMLP (arXiv 2304.00902): two gated streams o, q of the fields; [o; q; o_h^T W_h q_h for each head h]."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from automl.ranking.blocks.base import Block
from automl.ranking.blocks.many_linear import ManyLinear
from search_spaces.blocks import Fields, Finalmlp


class FinalmlpBlock(Block):
    """H heads of dimension K; a stream ends in H * K numbers."""

    def __init__(self, spec: Finalmlp, fields: Fields) -> None:
        super().__init__()
        self.heads, self.head_dim = spec.heads, spec.head_dim
        self.streams = nn.ModuleList(_Stream(spec, fields.width) for _ in range(2))
        self.square = ManyLinear(spec.heads, spec.head_dim, spec.head_dim, bias=False)

    def forward(self, x0_BNE: Tensor, x_BNE: Tensor) -> Tensor:
        x0_BW, x_BW = x0_BNE.flatten(1), x_BNE.flatten(1)
        left, right = (stream(x0_BW, x_BW) for stream in self.streams)
        left_BHK, right_BHK = (part.view(-1, self.heads, self.head_dim) for part in (left, right))
        fused_BH = (self.square(left_BHK) * right_BHK).sum(2)
        return torch.cat([left, right, fused_BH], 1)


class _Stream(nn.Module):
    """relu(W2 relu(W1 (gate * x))), gate = 2 sigmoid(G2 relu(G1 x0)): where the gate is 1 nothing is gated."""

    def __init__(self, spec: Finalmlp, width: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(nn.Linear(width, spec.gate), nn.ReLU(), nn.Linear(spec.gate, width))
        ends = spec.heads * spec.head_dim
        self.tower = nn.Sequential(nn.Linear(width, spec.width), nn.ReLU(), nn.Linear(spec.width, ends), nn.ReLU())

    def forward(self, x0_BW: Tensor, x_BW: Tensor) -> Tensor:
        out: Tensor = self.tower(2 * self.gate(x0_BW).sigmoid() * x_BW)
        return out
