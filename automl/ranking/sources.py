"""The first floor of a model beside its table: what makes fields of X out of one kind of features.

What they are and cost is told by search_spaces/inputs.py, dense_forms.py and history. The fields of all of them stand
one below the other. B batch, D dense features, E dimension, L events, n fields of a source.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate, pairwise

import torch
from torch import Tensor, nn

from automl.ranking.dense_forms import NumberFields, build_fields
from automl.ranking.features import Features
from automl.ranking.histories import build_reader
from automl.ranking.lists import Events, Lists
from search_spaces.dense_forms import NumberForm
from search_spaces.history import EventsSpec
from search_spaces.inputs import HistoryShape, InputShape
from search_spaces.model import ModelSpec

Taken = Tensor | Lists
"""What is read of features before any batch is cut of them: something that can be cut row by row."""


class ReadFeatures(nn.Module):
    """The features that a model reads, out of those of the data; `inputs` is what is left of them. Of what serves it is
    all: a file that serves asks for no more."""

    ids: Tensor
    dense: Tensor

    def __init__(self, spec: ModelSpec, inputs: InputShape) -> None:
        super().__init__()
        places = inputs.places(spec.without)
        self.inputs, self.lists, self.all = inputs.at(places), places.histories, not spec.without
        self.register_buffer("ids", torch.tensor(places.ids), persistent=False)
        self.register_buffer("dense", torch.tensor(places.dense, dtype=torch.int64), persistent=False)

    def forward(self, features: Features) -> Features:
        """Those of rows, as the model reads them; from all features of the data."""
        if self.all:
            return features
        return features.select(self.ids, self.dense, self.lists if features.lists_S else ())


class DenseField(nn.Linear):
    """Some of the numbers of a row as one field: the plain ones where they have no other form, or a vector."""

    def __init__(self, columns: slice, dim: int) -> None:
        super().__init__(columns.stop - columns.start, dim)
        self.columns = columns

    def read(self, features: Features) -> Tensor:
        return features.dense_BD[:, self.columns]

    def fields(self, taken: Tensor) -> Tensor:
        field_BE: Tensor = self(taken)
        return field_BE.unsqueeze(1)


def dense_fields(spec: ModelSpec, inputs: InputShape) -> tuple[DenseField | NumberFields | None, list[DenseField]]:
    """That of the plain numbers, if there are any, in the form that the model gives them, and those of the vectors."""
    dim = spec.embedding.dim
    edges = accumulate((inputs.plain, *inputs.vectors), initial=0)
    plain, *vectors = (slice(*edge) for edge in pairwise(edges))
    first: DenseField | NumberFields | None = None
    if plain.stop and isinstance(spec.dense, NumberForm):
        first = build_fields(spec.dense, inputs.numbers, dim, spec.embedding.init_std)
    elif plain.stop:
        first = DenseField(plain, dim)
    return first, [DenseField(columns, dim) for columns in vectors]


class HistoryField(nn.Module):
    """One sequence feature as fields: the lists of feature `place`, whose ids are those of an id field; `target` tells
    where each id field is gathered."""

    def __init__(self, place: int, spec: EventsSpec, shape: HistoryShape, dim: int, target: Mapping[int, int]) -> None:
        super().__init__()
        self.place, self.length, self.action, self.field = place, spec.length, spec.action, shape.field
        self.target, ids = target[shape.field], len(target)
        self.reader = build_reader(spec, shape, dim, ids)

    def read(self, features: Features) -> Lists:
        """What it takes of features: the latest events."""
        return features.lists_S[self.place].latest(self.length, self.action)

    def fields(self, events: Events, ids_LE: Tensor, ids_BFE: Tensor) -> Tensor:
        """(B, n, E) of the embeddings of the events' ids and of the rows' own, as they were gathered."""
        fields_BNE: Tensor = self.reader(events, ids_LE, ids_BFE[:, self.target], ids_BFE)
        return fields_BNE


def history_fields(spec: EventsSpec, inputs: InputShape, dim: int, target: Mapping[int, int]) -> list[HistoryField]:
    """One for each sequence feature of the log."""
    return [HistoryField(place, spec, shape, dim, target) for place, shape in enumerate(inputs.histories)]
