"""The exchange between fields and history of InterFormer (arXiv 2411.09852), once and below the layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from search_spaces.blocks.base import FLOAT_BYTES, Cost, elementwise_cost, linear_cost
from search_spaces.history.base import EventsSpec, Lengths, times
from search_spaces.knobs import knob


@dataclass(frozen=True, kw_only=True, slots=True)
class InterformerHistory(EventsSpec):
    """Events are conditioned on a summary of the row's ids, then read by attention; t is the embedding of what is
    ranked, X those of all ids of the row, G(x) = sigmoid(W x + b) * x of each vector.

        S = G(C X)                                  `summaries` of the fields, C mixes them
        h' = h + h W(S),  W(S) = W2 relu(W1 S)      a matrix for each row (the paper's PFFN)
        r_q = sum over j and heads of softmax_j(A_q . h'_j) h'_j, mapped back to E, for the queries q = t and S

    Two fields: G(r_t), and G of a map of all r_S. Of an empty list both are 0.
    """

    name: ClassVar[str] = "interformer"
    module: ClassVar[str] = "automl.ranking.histories.interformer:InterformerReader"
    fields: ClassVar[int] = 2
    summaries: int = knob(2, ge=1, le=32, doc="vectors that the id fields are summed up in, each of which is a query")
    heads: int = knob(2, ge=1, le=32, doc="heads of the attention")
    hidden: int = knob(32, ge=1, le=1024, doc="hidden units of what makes a row's matrix of its summary", widens=True)

    def reading_cost(self, lengths: Lengths, dim: int, ids: int) -> Cost:
        queries, asked = 1 + self.summaries, (1 + self.summaries) * self.heads
        gates = linear_cost(dim, dim, rows=self.summaries) + linear_cost(dim, dim, rows=self.fields)
        gates += elementwise_cost(dim * (self.summaries + self.fields))
        summed = linear_cost(ids, self.summaries, bias=False, rows=dim)
        matrix = linear_cost(self.summaries * dim, self.hidden) + linear_cost(self.hidden, dim * dim)
        conditioned = Cost(
            flops=4 * asked * dim * dim, bytes=2 * FLOAT_BYTES * asked * dim
        )  # queries, and what is read
        heard = Cost(flops=round(4 * lengths.mean * asked * dim), bytes=FLOAT_BYTES * times(2 * lengths.mean, asked))
        ask = linear_cost(dim, self.heads * dim, bias=False, rows=queries)
        back = linear_cost(self.heads * dim, dim, bias=False, rows=queries)
        as_one = linear_cost(self.summaries * dim, dim, bias=False)
        return gates + summed + matrix + conditioned + heard + ask + back + as_one
