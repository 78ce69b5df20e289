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

    Row 0 of a field takes all ids that its cut-off leaves out. What is gathered has the fields that are merged last.
    """

    weight_RE: Tensor
    first_F: Tensor
    count_F: Tensor
    order_F: Tensor

    def __init__(
        self, table_rows: tuple[int, ...], dim: int, init_std: float, merged: Sequence[bool] | None = None
    ) -> None:
        super().__init__()
        rows = sum(table_rows)
        if rows >= 2**31:
            raise ValueError(f"an embedding table must have fewer than 2^31 rows, but found {rows}")
        self.count, self.dim = len(table_rows), dim
        first = np.concatenate([[0], np.cumsum(table_rows)[:-1]]).astype(np.int32)
        self.register_buffer("weight_RE", torch.empty(rows, dim).normal_(0.0, init_std))
        self.register_buffer("first_F", put(first))
        self.register_buffer("count_F", torch.tensor(table_rows, dtype=torch.int32))
        self.alone = self.count if merged is None else self.count - sum(merged)
        order = sorted(range(self.count), key=(merged or [False] * self.count).__getitem__)
        self.place = {field: place for place, field in enumerate(order)}
        self.register_buffer("order_F", torch.tensor(order), persistent=False)

    def rows(self, ids_BF: Tensor) -> Tensor:
        """Ids of the data to rows of the table, int32: beyond the cut-off (or below 0) is the field's row 0."""
        return _rows(ids_BF.to(torch.int32), self.count_F, self.first_F)

    def read(self, features: Features) -> Tensor:
        """Rows of the table (B, F) that features ask for, in the order in which fields are gathered."""
        rows_BF = self.rows(features.ids_BF)
        return rows_BF if self.alone == self.count else rows_BF.index_select(1, self.order_F)

    def rows_of(self, field: int, ids_L: Tensor) -> Tensor:
        """Rows of the table (L,) of ids of one field, wherever they stand."""
        return _rows(ids_L, self.count_F[field], self.first_F[field])

    def gather(self, rows_P: Tensor) -> Tensor:
        """(P, E) by rows; a plain copy, to be made the leaf that autograd stops at."""
        return self.weight_RE.index_select(0, rows_P)

    def fields(self, gathered_PE: Tensor) -> Tensor:
        """(B, F, E) of what was gathered for rows of ids (B, F)."""
        return gathered_PE.view(-1, self.count, self.dim)

    def merged(self, ids_BFE: Tensor) -> list[Tensor]:
        """The fields of X (B, n, E) that these are: those that stand alone, and the sum of the others."""
        if self.alone == self.count:
            return [ids_BFE]
        summed_B1E = ids_BFE[:, self.alone :].sum(1, keepdim=True)
        return [ids_BFE[:, : self.alone], summed_B1E] if self.alone else [summed_B1E]


def _rows(ids: Tensor, count: Tensor, first: Tensor) -> Tensor:
    known = (ids < count) & (ids >= 0)
    return ids.mul(known).add_(first)
