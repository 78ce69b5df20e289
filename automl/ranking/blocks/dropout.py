"""Inverted dropout with a source of randomness of its own, several times as fast on one core as torch's."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from automl.ranking.place import Noise

STEPS = 1 << 16


class Dropout(nn.Module):
    """Drops each number with a probability, rounded to 1/65536; what is kept is scaled so that the mean stays."""

    def __init__(self, probability: float, noise: Noise) -> None:
        super().__init__()
        self._dropped = round(probability * STEPS)
        self._noise = noise

    def forward(self, x_BD: Tensor) -> Tensor:
        return x_BD * self._mask(x_BD) if self.training and self._dropped else x_BD

    def _mask(self, x_BD: Tensor) -> Tensor:
        """0 or the scale: integers up to the threshold clamp to 0, those above are at least 1 and clamp to 1."""
        scale = STEPS / (STEPS - self._dropped)
        above = self._noise.int16(x_BD).to(torch.float32).add_(STEPS // 2 + 1 - self._dropped)
        return above.clamp_(0.0, 1.0).mul_(scale).view_as(x_BD).to(x_BD.dtype)
