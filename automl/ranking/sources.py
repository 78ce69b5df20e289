"""The first floor of a model: sources, each of which makes fields of X out of one kind of features.

What they are and cost is told by search_spaces/inputs.py. The fields of all of them stand one below the other. B batch,
D dense features, E dimension, n fields of a source.
"""

from __future__ import annotations

from typing import Protocol

from torch import Tensor, nn

from automl.ranking.features import Features


class Source(Protocol):
    """Works in two strokes, so that what goes for many batches is done once for all of them."""

    def read(self, features: Features) -> Tensor:
        """What it takes of features, row by row."""
        ...

    def fields(self, taken: Tensor) -> Tensor:
        """(B, n, E), of rows that were read."""
        ...


class DenseField(nn.Linear):
    """All dense features as one field."""

    def read(self, features: Features) -> Tensor:
        return features.dense_BD

    def fields(self, taken: Tensor) -> Tensor:
        field_BE: Tensor = self(taken)
        return field_BE.unsqueeze(1)
