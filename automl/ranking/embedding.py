"""One table for all id fields, and the row-wise Adagrad that trains it without autograd.

B batch, F id fields, E dimension, R rows of the whole table, P = B * F places of a batch, U distinct rows among them.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor, nn
from torch.nn import functional

EPS = 1e-8
LARGE = 8  # a table of more than 8 rows for each place of a batch is renamed before it is sorted


class FusedEmbedding(nn.Module):
    """Every field's table one below the other. Row 0 of a field takes all ids that its cut-off leaves out."""

    weight_RE: Tensor
    first_F: Tensor
    count_F: Tensor

    def __init__(self, table_rows: tuple[int, ...], dim: int, init_std: float) -> None:
        super().__init__()
        rows = sum(table_rows)
        if rows >= 2**31:
            raise ValueError(f"an embedding table must have fewer than 2^31 rows, but found {rows}")
        self.fields, self.dim = len(table_rows), dim
        first = np.concatenate([[0], np.cumsum(table_rows)[:-1]]).astype(np.int32)
        self.register_buffer("weight_RE", torch.empty(rows, dim).normal_(0.0, init_std))
        self.register_buffer("first_F", torch.from_numpy(first))
        self.register_buffer("count_F", torch.tensor(table_rows, dtype=torch.int32))

    def rows(self, ids_BF: Tensor) -> Tensor:
        """Ids of the data to rows of the table, int32: beyond the cut-off (or below 0) is the field's row 0."""
        ids_BF = ids_BF.to(torch.int32)
        known_BF = (ids_BF < self.count_F) & (ids_BF >= 0)
        return ids_BF.mul(known_BF).add_(self.first_F)

    def gather(self, rows_BF: Tensor) -> Tensor:
        """(B, F, E) of the table; a plain copy, to be made the leaf that autograd stops at."""
        return self.weight_RE.index_select(0, rows_BF.reshape(-1)).view(-1, self.fields, self.dim)

    def forward(self, ids_BF: Tensor) -> Tensor:
        return self.gather(self.rows(ids_BF))


class RowwiseAdagrad:
    """Adagrad with one accumulator a row: the sum of the mean squares of its gradients, over the steps that touched it.

    A row that occurs several times in a batch takes one step with the sum of its gradients, as a dense optimizer would.
    """

    def __init__(self, table: FusedEmbedding, weight_decay: float = 0.0) -> None:
        weight_RE = table.weight_RE
        self._weight_RE, self._weight_decay = weight_RE, weight_decay
        self.sums_R1 = torch.zeros(weight_RE.shape[0], 1, device=weight_RE.device)
        self._distinct = DistinctRows(weight_RE.shape[0])

    def step(self, rows_BF: Tensor, grad_BFE: Tensor, lr: float) -> None:
        """Change the rows that the batch touched; grad_BFE is the gradient of what was gathered."""
        rows_U, grad_UE = self._distinct.sum(rows_BF.reshape(-1), grad_BFE.reshape(-1, grad_BFE.shape[-1]))
        weight_UE = self._weight_RE.index_select(0, rows_U)
        if self._weight_decay:
            grad_UE.add_(weight_UE, alpha=self._weight_decay)
        sums_U1 = self.sums_R1.index_select(0, rows_U)
        sums_U1.add_(grad_UE.square().mean(1, keepdim=True))
        self.sums_R1.index_copy_(0, rows_U, sums_U1)
        weight_UE.addcdiv_(grad_UE, sums_U1.sqrt_().add_(EPS), value=-lr)
        self._weight_RE.index_copy_(0, rows_U, weight_UE)


class DistinctRows:
    """Adds up the gradients that belong to the same row: a counting sort, then one segmented sum.

    Rows of a table much larger than the batch are first renamed to 0..U-1 through a scratch array, so that a step's
    work goes with the batch.
    """

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._name_R = np.zeros(0, np.int32)
        self._ones_P, self._upto_P1 = np.ones(0, np.int8), np.zeros(1, np.int32)

    def sum(self, rows_P: Tensor, grad_PE: Tensor) -> tuple[Tensor, Tensor]:
        """The distinct rows (U,) and their summed gradients (U, E)."""
        distinct_U, order_P, starts_U = self.segments(rows_P.numpy())
        grad_UE = functional.embedding_bag(torch.from_numpy(order_P), grad_PE, torch.from_numpy(starts_U), mode="sum")
        return torch.from_numpy(distinct_U), grad_UE

    def segments(self, rows_P: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32]]:
        """Distinct rows, the places of the batch ordered by row, and where each row's places start."""
        if self._rows > LARGE * rows_P.size:
            rows_U, names_P = self._named(rows_P)
            order_P, bounds = self._counting_sort(names_P, rows_U.size)
            return rows_U, order_P, bounds[:-1]
        order_P, bounds = self._counting_sort(rows_P, self._rows)
        used_U = np.flatnonzero(bounds[1:] != bounds[:-1])
        return used_U, order_P, bounds[used_U]

    def _counting_sort(self, keys_P: NDArray[np.int32], count: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Places ordered by key, and the bounds of each key's places: the column form of a matrix with one 1 a row."""
        if self._ones_P.size != keys_P.size:
            self._ones_P, self._upto_P1 = np.ones(keys_P.size, np.int8), np.arange(keys_P.size + 1, dtype=np.int32)
        by_key = csr_matrix((self._ones_P, keys_P, self._upto_P1), shape=(keys_P.size, count)).tocsc()
        return by_key.indices, by_key.indptr

    def _named(self, rows_P: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Distinct rows in the order of their last place, and for each place the number of its row among them."""
        if not self._name_R.size:
            self._name_R = np.empty(self._rows, np.int32)
        places = np.arange(rows_P.size, dtype=np.int32)
        self._name_R[rows_P] = places
        rows_U = rows_P[self._name_R[rows_P] == places]
        self._name_R[rows_U] = places[: rows_U.size]
        return rows_U.astype(np.int64), self._name_R[rows_P]
