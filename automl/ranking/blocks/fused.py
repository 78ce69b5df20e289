"""An ensemble of blocks in one layer (DHEN, arXiv 2203.11014): X' = LN(fuse(blocks(X)) + X)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from automl.ranking.blocks.base import Block
from automl.ranking.blocks.field_mix import FieldMix
from search_spaces.blocks import Dense, Fields


class FusedLayer(Block):
    """Flat outputs are first mapped to (N, E); `concat` mixes the stacked fields back to N, `sum` adds them."""

    def __init__(self, blocks: Sequence[Block], shapes: Sequence[Dense | Fields], fuse: str, fields: Fields) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.maps = nn.ModuleList(
            nn.Linear(shape.width, fields.width) if isinstance(shape, Dense) else nn.Identity() for shape in shapes
        )
        self.mix = FieldMix(len(blocks) * fields.count, fields.count) if fuse == "concat" else None
        self.norm = nn.LayerNorm(fields.dim)

    def forward(self, x0_BNE: Tensor, x_BNE: Tensor) -> Tensor:
        outs = [
            to_fields(block(x0_BNE, x_BNE)).view_as(x_BNE)
            for block, to_fields in zip(self.blocks, self.maps, strict=True)
        ]
        fused_BNE = sum(outs[1:], outs[0]) if self.mix is None else self.mix(*outs)
        out: Tensor = self.norm(fused_BNE + x_BNE)
        return out
