"""RankMixer (arXiv 2507.15551): tokens that are mixed without weights, each with a network of its own."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from automl.ranking.blocks.base import Block
from automl.ranking.blocks.many_linear import ManyLinear
from search_spaces.blocks import Fields, Rankmixer


class RankmixerBlock(Block):
    """T tokens of T heads of dimension K, D = T * K; P is the width of a piece of the flattened fields."""

    def __init__(self, spec: Rankmixer, fields: Fields) -> None:
        super().__init__()
        self.tokens, self.piece = spec.tokens, spec.piece(fields)
        self.filled = self.tokens * self.piece - fields.width
        self.first = ManyLinear(spec.tokens, self.piece, spec.dim)
        self.layers = nn.ModuleList(_Layer(spec) for _ in range(spec.layers))

    def forward(self, x0_BNE: Tensor, x_BNE: Tensor) -> Tensor:
        pieces_BTP = functional.pad(x_BNE.flatten(1), (0, self.filled)).view(-1, self.tokens, self.piece)
        now_BTD = self.first(pieces_BTP)
        for layer in self.layers:
            now_BTD = layer(now_BTD)
        out: Tensor = now_BTD.mean(1)
        return out


class _Layer(nn.Module):
    """LN(mix(X) + X), then LN(PFFN(X) + X)."""

    def __init__(self, spec: Rankmixer) -> None:
        super().__init__()
        self.mixed_norm, self.norm = nn.LayerNorm(spec.dim), nn.LayerNorm(spec.dim)
        self.up = ManyLinear(spec.tokens, spec.dim, spec.expand * spec.dim)
        self.down = ManyLinear(spec.tokens, spec.expand * spec.dim, spec.dim)

    def forward(self, x_BTD: Tensor) -> Tensor:
        batch, tokens, dim = x_BTD.shape
        mixed_BTD = x_BTD.reshape(batch, tokens, tokens, dim // tokens).transpose(1, 2).flatten(2)
        x_BTD = self.mixed_norm(mixed_BTD + x_BTD)
        out: Tensor = self.norm(self.down(functional.gelu(self.up(x_BTD))) + x_BTD)
        return out
