"""Optimizers of the dense weights, step by step against torch's."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from automl.ranking.flat import EPS, MOMENTUM, FlatAdagrad, FlatOptimizer, FlatSgd

Oracle = Callable[[list[nn.Parameter]], torch.optim.Optimizer]
PAIRS: dict[str, tuple[type[FlatOptimizer], Oracle]] = {
    "adagrad": (FlatAdagrad, lambda parts: torch.optim.Adagrad(parts, eps=EPS)),
    "sgd": (FlatSgd, lambda parts: torch.optim.SGD(parts, momentum=MOMENTUM)),
}


def tower() -> nn.Sequential:
    return nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 1))


@pytest.mark.parametrize("decay", [0.0, 0.3])
@pytest.mark.parametrize("name", PAIRS)
def test_steps_like_torchs(name: str, decay: float) -> None:
    torch.manual_seed(0)
    ours, theirs = tower(), tower()
    theirs.load_state_dict(ours.state_dict())
    make, oracle_of = PAIRS[name]
    flat, oracle = make(ours.parameters(), decay), oracle_of(list(theirs.parameters()))
    for step in range(20):
        x = torch.randn(16, 5)
        lr = 0.01 * (1 + step % 3)
        for model, optimizer in ((ours, flat), (theirs, oracle)):
            optimizer.zero_grad()
            torch.autograd.backward(model(x).square().mean())
        flat.step(lr)
        with torch.no_grad():
            for part in theirs.parameters():  # decoupled decay, which torch has for Adam alone
                part.mul_(1 - lr * decay)
        oracle.param_groups[0]["lr"] = lr
        oracle.step()
        for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-6)
