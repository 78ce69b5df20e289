"""A block that keeps to its contract passes; each way to break it is found and named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from automl.ranking.blocks import Block
from automl.testing import hold_block
from search_spaces.blocks import BlockSpec, Cost, Dense, Fields
from search_spaces.blocks.base import elementwise_cost
from search_spaces.knobs import knob


@dataclass(frozen=True, kw_only=True, slots=True)
class Gate(BlockSpec):
    """x' = x * sigmoid(w): sound."""

    name: ClassVar[str] = "gate"
    module: ClassVar[str] = f"{__name__}:GateBlock"
    power: int = knob(1, ge=1, le=3)

    def out_shape(self, fields: Fields) -> Fields:
        return fields

    def cost(self, fields: Fields) -> Cost:
        return elementwise_cost(fields.width, params=fields.count)


class GateBlock(Block):
    def __init__(self, spec: BlockSpec, fields: Fields) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(fields.count))

    def forward(self, x0_BNE: Tensor, x_BNE: Tensor) -> Tensor:
        return x_BNE * torch.sigmoid(self.weight)[:, None]


class Summing(GateBlock):
    def forward(self, x0_BNE: Tensor, x_BNE: Tensor) -> Tensor:
        return super().forward(x0_BNE, x_BNE).sum(1)


class Idle(GateBlock):
    def __init__(self, spec: BlockSpec, fields: Fields) -> None:
        super().__init__(spec, fields)
        self.idle = nn.Parameter(torch.zeros(0))


class Blind(GateBlock):
    def forward(self, x0_BNE: Tensor, x_BNE: Tensor) -> Tensor:
        return x0_BNE * torch.sigmoid(self.weight)[:, None]


class Crowd(GateBlock):
    def forward(self, x0_BNE: Tensor, x_BNE: Tensor) -> Tensor:
        return super().forward(x0_BNE, x_BNE) - x_BNE.mean(0)


class Noisy(GateBlock):
    def forward(self, x0_BNE: Tensor, x_BNE: Tensor) -> Tensor:
        noise = np.random.default_rng().normal(0, 1e-6)
        return super().forward(x0_BNE, x_BNE) * float(1 + noise)


class Product(GateBlock):
    def forward(self, x0_BNE: Tensor, x_BNE: Tensor) -> Tensor:
        return super().forward(x0_BNE, torch.matmul(x_BNE, torch.eye(x_BNE.shape[2], device=x_BNE.device)))


class Branching(GateBlock):
    def forward(self, x0_BNE: Tensor, x_BNE: Tensor) -> Tensor:
        out = super().forward(x0_BNE, x_BNE)
        return 2 * out if x_BNE.shape[0] == 8 else out


class Broken(GateBlock):
    def forward(self, x0_BNE: Tensor, x_BNE: Tensor) -> Tensor:
        return x_BNE @ x_BNE


def test_a_sound_block_passes() -> None:
    hold_block(Gate)
    hold_block(Gate(power=2), (Fields(3, 3),))


@pytest.mark.parametrize(
    ("module", "told"),
    [
        (Summing, r"Gate\(power=1\) over Fields\(count=5, dim=4\): the output of 1 rows must be \(1, 5, 4\)"),
        (Idle, "the gradient must reach idle"),
        (Blind, "the gradient must reach the fields"),
        (Crowd, "rows must not see each other in training"),
        (Noisy, "equal weights and rows must give equal outputs"),
        (Product, "cost must say 160 FLOPs a row, but says 0"),
        (Broken, "hold_shape must run through, but found RuntimeError"),
        (Branching, "torch.export must take it"),
    ],
)
def test_what_breaks_the_contract_is_found(module: type[Block], told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Gate, "module", f"{__name__}:{module.__name__}")
    with pytest.raises(AssertionError, match=told):
        hold_block(Gate)


def test_costs_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Gate, "cost", lambda self, fields: Cost(params=fields.count + 1, bytes=4))
    with pytest.raises(AssertionError, match="cost must say 5 params, but says 6"):
        hold_block(Gate)
    monkeypatch.setattr(Gate, "cost", lambda self, fields: Cost(params=fields.count))
    with pytest.raises(AssertionError, match="bytes"):
        hold_block(Gate)
    monkeypatch.setattr(Gate, "out_shape", lambda self, fields: Fields(fields.count + 1, fields.dim))
    with pytest.raises(AssertionError, match="out_shape must be Dense or the fields' own"):
        hold_block(Gate)
    monkeypatch.setattr(Gate, "out_shape", lambda self, fields: Dense(fields.width))
    with pytest.raises(AssertionError, match=r"must be \(1, 20\)"):
        hold_block(Gate)
