"""RankMixer (arXiv 2507.15551): T tokens; X = LN(mix(X) + X); X = LN(PFFN(X) + X), a network of its own for each token.

`mix` has no weights: every token is cut into T heads, and head t of all tokens, side by side, is token t.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from search_spaces.blocks.base import BlockSpec, Cost, Dense, Fields, elementwise_cost, linear_cost
from search_spaces.knobs import knob


@dataclass(frozen=True, kw_only=True, slots=True)
class Rankmixer(BlockSpec):
    """The flattened fields are cut into T pieces, each mapped to a token of T x head_dim by its own map; the output is
    the mean of the tokens after the last layer."""

    name: ClassVar[str] = "rankmixer"
    module: ClassVar[str] = "automl.ranking.blocks.rankmixer:RankmixerBlock"
    tokens: int = knob(8, ge=1, le=128, doc="number of tokens T")
    head_dim: int = knob(8, ge=1, le=128, doc="dimension of a head; a token has T x head_dim", widens=True)
    layers: int = knob(2, ge=1, le=16, doc="number of layers")
    expand: int = knob(2, ge=1, le=8, doc="hidden width of a token's network, in token dimensions")

    @property
    def dim(self) -> int:
        """Dimension of a token."""
        return self.tokens * self.head_dim

    def piece(self, fields: Fields) -> int:
        """Width of what a token is made of; the last pieces are filled up with zeros."""
        return -(-fields.width // self.tokens)

    def out_shape(self, fields: Fields) -> Dense:
        return Dense(self.dim)

    def cost(self, fields: Fields) -> Cost:
        dim, hidden = self.dim, self.expand * self.dim
        first = linear_cost(self.piece(fields), dim)
        norm = elementwise_cost(2 * self.tokens * dim, params=2 * dim)
        network = (linear_cost(dim, hidden) + linear_cost(hidden, dim)) * self.tokens
        return first * self.tokens + (network + norm * 2) * self.layers + elementwise_cost(dim)
