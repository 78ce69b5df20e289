from __future__ import annotations

import pytest
import torch
from torch import nn

from automl.ranking.adam import FlatAdam


@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_steps_like_torchs_adamw(decay: float) -> None:
    torch.manual_seed(0)
    ours = nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 1))
    theirs = nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 1))
    theirs.load_state_dict(ours.state_dict())
    flat, oracle = FlatAdam(ours.parameters(), decay), torch.optim.AdamW(theirs.parameters(), weight_decay=decay)
    for step in range(20):
        x = torch.randn(16, 5)
        lr = 0.01 * (1 + step % 3)
        for model, optimizer in ((ours, flat), (theirs, oracle)):
            optimizer.zero_grad()
            torch.autograd.backward(model(x).square().mean())
        flat.step(lr)
        oracle.param_groups[0]["lr"] = lr
        oracle.step()
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-6)
