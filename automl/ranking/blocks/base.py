"""The torch half of a block. B batch, N fields, E dimension, W = N * E, D width of a flat output."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn


class Block(nn.Module, ABC):
    """Reads the fields as they came in (x0) and as they are now (x); gives new fields (B, N, E) or a flat (B, D).

    The class that a description names is made with two arguments: the description, and the shape of the fields.
    """

    @abstractmethod
    def forward(self, x0_BNE: Tensor, x_BNE: Tensor) -> Tensor: ...
