from __future__ import annotations

import pytest
import torch

from automl.ranking.blocks.dropout import Dropout
from automl.ranking.place import Noise


@pytest.mark.parametrize("probability", [0.1, 0.1005, 0.5, 0.9])
def test_drops_that_share_and_keeps_the_mean(probability: float) -> None:
    x = torch.ones(1000, 1001)
    out = Dropout(probability, Noise(3))(x)
    assert out.eq(0).float().mean().item() == pytest.approx(probability, abs=0.002)
    assert out.mean().item() == pytest.approx(1.0, abs=0.01)
    assert len(out.unique()) == 2
    by_lane = out.flatten()[:1_000_000].view(-1, 4).eq(0).float().mean(0)
    assert by_lane.tolist() == pytest.approx([probability] * 4, abs=0.005)


def test_gradient_goes_through_what_was_kept() -> None:
    x = torch.ones(20, 30, requires_grad=True)
    out = Dropout(0.5, Noise(3))(x)
    out.sum().backward()
    assert torch.equal(x.grad, out.detach())


def test_equal_seeds_give_equal_masks_and_evaluation_drops_nothing() -> None:
    x, noise = torch.ones(20, 30), Noise(3)
    layer = Dropout(0.5, noise)
    first, second = layer(x), layer(x)
    noise.reseed(3)
    assert torch.equal(layer(x), first)
    assert torch.equal(layer(x), second)
    assert layer.eval()(x) is x
    assert Dropout(0.0, noise)(x) is x
