"""The first floor of a model: sources, each of which makes fields of X out of one kind of features.

What they are and cost is told by search_spaces/inputs.py. The fields of all of them stand one below the other. B batch,
D dense features, E dimension, n fields of a source.
"""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import Protocol

from torch import Tensor, nn

from automl.ranking.features import Features
from search_spaces.inputs import InputShape


class Source(Protocol):
    """Works in two strokes, so that what goes for many batches is done once for all of them."""

    def read(self, features: Features) -> Tensor:
        """What it takes of features, row by row."""
        ...

    def fields(self, taken: Tensor) -> Tensor:
        """(B, n, E), of rows that were read."""
        ...


class DenseField(nn.Linear):
    """Some of the numbers of a row as one field: the plain ones, or a vector."""

    def __init__(self, columns: slice, dim: int) -> None:
        super().__init__(columns.stop - columns.start, dim)
        self.columns = columns

    def read(self, features: Features) -> Tensor:
        return features.dense_BD[:, self.columns]

    def fields(self, taken: Tensor) -> Tensor:
        field_BE: Tensor = self(taken)
        return field_BE.unsqueeze(1)


def dense_fields(inputs: InputShape, dim: int) -> tuple[DenseField | None, list[DenseField]]:
    """That of the plain numbers, if there are any, and those of the vectors."""
    edges = accumulate((inputs.dense - sum(inputs.vectors), *inputs.vectors), initial=0)
    plain, *vectors = (slice(*edge) for edge in pairwise(edges))
    first = DenseField(plain, dim) if plain.stop else None
    return first, [DenseField(columns, dim) for columns in vectors]
