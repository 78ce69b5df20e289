"""One table for all id fields.

B batch, F id fields, E dimension, L events, R rows of the whole table, P rows that a batch asks for.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from automl.ranking.features import Features
from automl.ranking.place import put


class FusedEmbedding(nn.Module):
    """The source of the id fields: every field's table one below the other.

    Row 0 of a field takes all ids that its cut-off leaves out. Fields that are split have a row for each quotient, then
    one for each remainder. What is gathered for a row of the log: fields that stand alone, those that are split, by
    quotient, and those that are merged; then the remainders of those that are split.
    """

    weight_RE: Tensor
    first_F: Tensor
    count_F: Tensor
    order_F: Tensor
    by_F: Tensor
    rest_F: Tensor
    split_C: Tensor

    def __init__(
        self,
        ids: tuple[int, ...],
        dim: int,
        init_std: float,
        merged: Sequence[bool] | None = None,
        divisors: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        by = divisors or [1] * len(ids)
        of_first = np.array([-(-count // one) for count, one in zip(ids, by, strict=True)])
        of_rest = np.where(np.array(by) > 1, by, 0)
        rows = int((of_first + of_rest).sum())
        if rows >= 2**31:
            raise ValueError(f"an embedding table must have fewer than 2^31 rows, but found {rows}")
        self.count, self.dim = len(ids), dim
        first = (np.cumsum(of_first + of_rest) - of_first - of_rest).astype(np.int32)
        self.register_buffer("weight_RE", torch.empty(rows, dim).normal_(0.0, init_std))
        self.register_buffer("first_F", put(first))
        self.register_buffer("count_F", torch.tensor(ids, dtype=torch.int32))
        kinds = [
            2 if one else 1 if over > 1 else 0 for one, over in zip(merged or [False] * self.count, by, strict=True)
        ]
        order = sorted(range(self.count), key=kinds.__getitem__)
        self.whole, self.alone = kinds.count(0), self.count - kinds.count(2)
        self.place = {field: place for place, field in enumerate(order)}
        self.by = tuple(by)
        split = [field for field in order if by[field] > 1]
        self.lookups = self.count + len(split)
        for field in split:  # an id begins with the embedding of its remainder, so to speak
            self.weight_RE[first[field] : first[field] + of_first[field]].add_(1.0)
        self.register_buffer("order_F", torch.tensor(order), persistent=False)
        self.register_buffer("split_C", torch.tensor(split, dtype=torch.int64), persistent=False)
        self.register_buffer("by_F", torch.tensor(by, dtype=torch.int32), persistent=False)
        self.register_buffer("rest_F", put((first + of_first).astype(np.int32)), persistent=False)

    def rows(self, ids_BF: Tensor) -> Tensor:
        """Ids of the data to rows of the table, int32: beyond the cut-off (or below 0) is the field's row 0. Of fields
        that are split those of the quotients."""
        ids_BF = _known(ids_BF.to(torch.int32), self.count_F)
        if len(self.split_C):
            ids_BF = torch.div(ids_BF, self.by_F, rounding_mode="floor")
        return ids_BF.add_(self.first_F)

    def read(self, features: Features) -> Tensor:
        """Rows of the table (B, `lookups`) that features ask for, in the order in which they are gathered."""
        rows_BF = self.rows(features.ids_BF)
        if self.whole < self.count:
            rows_BF = rows_BF.index_select(1, self.order_F)
        if not len(self.split_C):
            return rows_BF
        count_C, by_C, rest_C = (of_F.index_select(0, self.split_C) for of_F in (self.count_F, self.by_F, self.rest_F))
        ids_BC = _known(features.ids_BF.index_select(1, self.split_C).to(torch.int32), count_C)
        return torch.cat([rows_BF, ids_BC.remainder(by_C).add_(rest_C)], 1)

    def rows_of(self, field: int, ids_L: Tensor) -> Tensor:
        """Rows of the table of ids of one field, wherever they stand: (L,), or (2 L,) where the field is split."""
        ids_L = _known(ids_L, self.count_F[field])
        if self.by[field] == 1:
            return ids_L.add_(self.first_F[field])
        quotients_L = torch.div(ids_L, self.by_F[field], rounding_mode="floor").add_(self.first_F[field])
        return torch.cat([quotients_L, ids_L.remainder(self.by_F[field]).add_(self.rest_F[field])])

    def times(self, field: int) -> int:
        """How many rows an id of a field is looked up in."""
        return 1 if self.by[field] == 1 else 2

    def gather(self, rows_P: Tensor) -> Tensor:
        """(P, E) by rows; a plain copy, to be made the leaf that autograd stops at."""
        return self.weight_RE.index_select(0, rows_P)

    def fields(self, gathered_PE: Tensor) -> Tensor:
        """(B, F, E) of what was gathered for rows of ids (B, `lookups`)."""
        found = gathered_PE.view(-1, self.lookups, self.dim)
        if self.lookups == self.count:
            return found
        split = slice(self.whole, self.whole + self.lookups - self.count)
        multiplied = found[:, split] * found[:, self.count :]
        return torch.cat([found[:, : split.start], multiplied, found[:, split.stop : self.count]], 1)

    def embeddings_of(self, field: int, gathered_PE: Tensor) -> Tensor:
        """(L, E) of what was gathered for `rows_of`."""
        if self.by[field] == 1:
            return gathered_PE
        quotients_LE, remainders_LE = gathered_PE.chunk(2)
        return quotients_LE * remainders_LE

    def merged(self, ids_BFE: Tensor) -> list[Tensor]:
        """The fields of X (B, n, E) that these are: those that stand alone, and the sum of the others."""
        if self.alone == self.count:
            return [ids_BFE]
        summed_B1E = ids_BFE[:, self.alone :].sum(1, keepdim=True)
        return [ids_BFE[:, : self.alone], summed_B1E] if self.alone else [summed_B1E]


def _known(ids: Tensor, count: Tensor) -> Tensor:
    """Ids that are told apart, others as 0; a copy."""
    return ids.mul((ids < count) & (ids >= 0))
