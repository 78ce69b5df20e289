"""Histories as tokens with the target behind them: what the target's own token becomes is the field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from search_spaces.blocks.base import FLOAT_BYTES, Cost, elementwise_cost
from search_spaces.history.base import EventsSpec, Lengths, mapped_cost, times
from search_spaces.knobs import knob


@dataclass(frozen=True, kw_only=True, slots=True)
class TransformerHistory(EventsSpec):
    """Transformer over events and target (BST, arXiv 1905.06874; here the norms come first and gaps stand for places).

    Of the last layer only the target's token is made. E is mapped to `heads` heads of ceil(E / heads).
    """

    name: ClassVar[str] = "transformer"
    module: ClassVar[str] = "automl.ranking.histories.tokens:TransformerReader"
    layers: int = knob(1, ge=1, le=8, doc="layers of attention and of two maps")
    heads: int = knob(2, ge=1, le=32, doc="heads of the attention")

    def reading_cost(self, lengths: Lengths, dim: int, ids: int) -> Cost:
        inner, hidden = self.heads * -(-dim // self.heads), 2 * dim
        total = Cost(params=3 * dim) + elementwise_cost(2 * dim)  # the target's mark, and the norm at the end
        for layer in range(self.layers):
            queries = 1.0 if layer == self.layers - 1 else lengths.mean + 1
            pairs = lengths.mean + 1 if queries == 1.0 else _pairs(lengths)
            total += mapped_cost(lengths.mean + 1, dim, 2 * inner) + mapped_cost(queries, dim, inner)
            total += _attention(pairs, queries, self.heads, inner)
            total += mapped_cost(queries, inner, dim) + mapped_cost(queries, dim, hidden)
            total += mapped_cost(queries, hidden, dim)
            total += Cost(params=4 * dim, bytes=FLOAT_BYTES * times(lengths.mean + 1 + 3 * queries, dim))
        return total


@dataclass(frozen=True, kw_only=True, slots=True)
class HstuHistory(EventsSpec):
    """HSTU layers (arXiv 2402.17152): u, v, q, k = SiLU(LN(x) W + b); out = x + W_o (u * LN(A v)), with
    A = SiLU(q k' / sqrt d) / n over the n tokens that one sees: itself and what was before it; the target comes last.

    Of the last layer only the target's token is made.
    """

    name: ClassVar[str] = "hstu"
    module: ClassVar[str] = "automl.ranking.histories.tokens:HstuReader"
    layers: int = knob(1, ge=1, le=8, doc="layers")
    heads: int = knob(2, ge=1, le=32, doc="heads of the attention")

    def reading_cost(self, lengths: Lengths, dim: int, ids: int) -> Cost:
        inner = self.heads * -(-dim // self.heads)
        total = Cost(params=3 * dim) + elementwise_cost(2 * dim)
        for layer in range(self.layers):
            queries = 1.0 if layer == self.layers - 1 else lengths.mean + 1
            pairs = lengths.mean + 1 if queries == 1.0 else _pairs(lengths)
            total += mapped_cost(lengths.mean + 1, dim, 2 * inner) + mapped_cost(queries, dim, 2 * inner)
            total += _attention(pairs, queries, self.heads, inner)
            total += mapped_cost(queries, inner, dim)
            total += Cost(
                params=2 * dim + 2 * inner,
                bytes=FLOAT_BYTES * (times(lengths.mean + 1 + queries, dim) + times(queries, 2 * inner)),
            )
        return total


def _pairs(lengths: Lengths) -> float:
    """Pairs of tokens of a row on average, the target one of them: the mean of (n + 1)^2."""
    return lengths.square + 2 * lengths.mean + 1


def _attention(pairs: float, queries: float, heads: int, inner: int) -> Cost:
    """Two products for each pair of tokens, and what is written of them; linear maps are counted elsewhere."""
    return Cost(flops=round(4 * pairs * inner), bytes=FLOAT_BYTES * (times(2 * pairs, heads) + times(queries, inner)))
