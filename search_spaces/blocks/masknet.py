"""MaskNet block (arXiv 2102.07619): relu(LN(W (mask * LN(x)))), mask = W2 relu(W1 x), x the flattened fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from search_spaces.blocks.base import (
    BlockSpec,
    Cost,
    Dense,
    Fields,
    elementwise_cost,
    linear_cost,
)
from search_spaces.knobs import knob


def eps_knob() -> float:
    """A field of the serial block and of the parallel one."""
    doc = "added to the variance by the norm of the embeddings: what is smaller is not lifted"
    made: float = knob(1e-5, above=0.0, le=1.0, doc=doc, late=True)
    return made


@dataclass(frozen=True, kw_only=True, slots=True)
class Masknet(BlockSpec):
    """An instance-guided mask on the normed embeddings (LN per field), then one hidden layer."""

    name: ClassVar[str] = "masknet"
    module: ClassVar[str] = "automl.ranking.blocks.masknet:MasknetBlock"
    width: int = knob(128, ge=1, le=4096, doc="width of the output", widens=True)
    hidden: int = knob(64, ge=1, le=4096, doc="hidden width of the mask", widens=True)
    eps: float = eps_knob()

    def out_shape(self, fields: Fields) -> Dense:
        return Dense(self.width)

    def cost(self, fields: Fields) -> Cost:
        mask = linear_cost(fields.width, self.hidden) + linear_cost(self.hidden, fields.width)
        norms = elementwise_cost(2 * fields.width, params=2 * fields.dim)
        out_norm = elementwise_cost(2 * self.width, params=2 * self.width)
        return mask + norms + linear_cost(fields.width, self.width, bias=False) + out_norm
