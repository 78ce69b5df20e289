"""The adapter's closed forms against autograd and torch.optim."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from automl.ranking.adapter import Adapter, basis_of

ROWS = 40


def draws(seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Logits, labels and weights."""
    generator = torch.Generator().manual_seed(seed)
    labels = (torch.rand(ROWS, generator=generator) < 0.4).float()
    return torch.randn(ROWS, generator=generator) * 2, labels, torch.rand(ROWS, generator=generator).mul(2)


def formula(weights: Tensor, logits_B: Tensor, width: int) -> Tensor:
    u, c, v = weights[2:].view(3, width)
    return weights[0] * logits_B + weights[1] + torch.tanh(logits_B[:, None] * u + c) @ v


@pytest.mark.parametrize("width", [0, 1, 8])
def test_starts_as_the_identity(width: int) -> None:
    logits, _, _ = draws(0)
    assert torch.equal(Adapter(width, 0.1, seed=3)(basis_of(logits)), logits)


@pytest.mark.parametrize("width", [0, 1, 8])
@pytest.mark.parametrize("batches", [1, 30])
def test_steps_as_adam_does_on_the_cross_entropy(width: int, batches: int) -> None:
    adapter = Adapter(width, 0.05, seed=1)
    weights = torch.from_numpy(adapter.weights.copy()).double().requires_grad_()
    adam = torch.optim.Adam([weights], lr=0.05)
    for batch in range(batches):
        logits, labels, rows = draws(batch)
        told = adapter.step(basis_of(logits), labels, rows)
        adam.zero_grad()
        out = formula(weights, logits.double(), width)
        losses = torch.nn.functional.binary_cross_entropy_with_logits(out, labels.double(), reduction="none")
        torch.autograd.backward((losses * rows).sum() / max(float(rows.sum()), 1.0))
        adam.step()
        with torch.no_grad():  # what is told is of after the step
            np.testing.assert_allclose(told, formula(weights, logits.double(), width), rtol=2e-3, atol=2e-3)
    np.testing.assert_allclose(adapter.weights, weights.detach(), rtol=2e-3, atol=2e-3)
    moved = adapter.weights != Adapter(width, 0.05, seed=1).weights
    assert moved[:2].all()
    assert moved[2 + 2 * width :].all()
    assert moved.all() or batches == 1  # u and c have no gradient while v is 0


def test_rows_of_weight_0_teach_nothing() -> None:
    logits, labels, _ = draws(0)
    known = (torch.arange(ROWS) % 2 == 0).float()
    adapters = [Adapter(4, 0.1, seed=0) for _ in range(2)]
    for adapter, flipped in zip(adapters, (labels, torch.where(known == 0, 1 - labels, labels)), strict=True):
        adapter.step(basis_of(logits), flipped, known)
    assert np.array_equal(adapters[0].weights, adapters[1].weights)
    before = adapters[1].weights.copy()
    Adapter.step(adapters[1], basis_of(logits), labels, torch.zeros(ROWS))
    assert np.isfinite(adapters[1].weights).all()
    assert np.abs(adapters[1].weights - before).max() < 0.1  # what is left of Adam's momentum


@pytest.mark.parametrize("width", [0, 8])
def test_learns_to_calibrate_a_biased_teacher(width: int) -> None:
    generator = torch.Generator().manual_seed(0)
    adapter = Adapter(width, 0.02, seed=0)
    for _ in range(400):
        logits = torch.randn(256, generator=generator) * 1.5 - 1
        labels = (torch.rand(256, generator=generator) < logits.sigmoid()).float()
        adapter.step(basis_of(0.5 * logits + 1.1), labels, torch.ones(256))
    truth = torch.linspace(-3, 1, 9)
    np.testing.assert_allclose(adapter(basis_of(0.5 * truth + 1.1)).sigmoid(), truth.sigmoid(), atol=0.06)
