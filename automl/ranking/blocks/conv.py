"""Convolution along the fields (a module of DHEN, arXiv 2203.11014): relu(conv(X)), each dimension a channel."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from automl.ranking.blocks.base import Block
from search_spaces.blocks import Conv, Fields


class ConvBlock(Block):
    """As many fields out as in."""

    def __init__(self, spec: Conv, fields: Fields) -> None:
        super().__init__()
        self.conv = nn.Conv1d(fields.dim, fields.dim, spec.kernel, padding="same")

    def forward(self, x0_BNE: Tensor, x_BNE: Tensor) -> Tensor:
        return torch.relu(self.conv(x_BNE.transpose(1, 2))).transpose(1, 2)
