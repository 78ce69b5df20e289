"""A ranking model in torch: the graph that search_spaces/model.py describes.

B batch, N fields of X (n of a source), S sequence features, E dimension, W width of the top, T tasks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from automl.ranking.blocks import build_layer
from automl.ranking.blocks.mlp import MlpLayer
from automl.ranking.embedding import FusedEmbedding
from automl.ranking.features import Features
from automl.ranking.lists import Events, Lists
from automl.ranking.place import Device, Noise, seeded, where
from automl.ranking.sources import HistoryField, ReadFeatures, Taken, dense_fields, history_fields
from automl.ranking.tasks import task_layers
from automl.stats.seeds import seed_of
from search_spaces.blocks import Dense
from search_spaces.history import EventsSpec
from search_spaces.model import InputShape, ModelSpec


@dataclass(frozen=True, slots=True)
class Asked:
    """What a batch asks for: rows of the table (P,), those of its ids and then those of the events of its lists."""

    rows_P: Tensor
    dense: tuple[Tensor, ...]  # what the sources of numbers took
    events_S: tuple[Events, ...]


class RankingModel(nn.Module):
    """Ids and dense features to logits; several tasks share all but their row of the head (a shared bottom).

    The table is a buffer: its optimizer is not autograd's.
    """

    def __init__(self, spec: ModelSpec, inputs: InputShape, noise: Noise) -> None:
        super().__init__()
        self.spec, self.inputs, self.noise, self.tasks = spec, inputs, noise, inputs.tasks
        shape, self.reads = spec.fields_shape(inputs), ReadFeatures(spec, inputs)
        inputs = self.reads.inputs
        ids, embedding = spec.ids_of(inputs), spec.embedding
        self.table = FusedEmbedding(
            ids.told_apart(embedding.min_count),
            embedding.dim,
            embedding.init_std,
            ids.merged,
            ids.divisors(embedding.min_count),
        )
        self.project, vectors = dense_fields(spec, inputs)
        self.vectors = nn.ModuleList(vectors)
        self._dense = (*(() if self.project is None else (self.project,)), *vectors)
        histories: list[HistoryField] = []
        if isinstance(spec.history, EventsSpec):
            histories = history_fields(spec.history, inputs, shape.dim, self.table.place)
        self.histories = nn.ModuleList(histories)
        self._histories = tuple(histories)
        self.layers = nn.ModuleList(build_layer(layer, shape) for layer in spec.interaction)
        beside = [
            out.width
            for layer in spec.interaction
            if layer.fuse is None and isinstance(out := layer.blocks[0].out_shape(shape), Dense)
        ]
        crossed = shape.width + sum(beside)
        self.stacked = spec.wiring == "stacked"
        width = crossed if self.stacked else shape.width
        self.deep = nn.Sequential()
        for mlp in spec.deep:
            self.deep.append(MlpLayer(mlp, width, noise))
            width = mlp.width
        top = width if self.stacked else width + crossed
        self.parts, self.head = task_layers(spec.tasks, top, shape.width, self.tasks, noise)
        nn.init.zeros_(self.head.bias)

    def forward(self, features: Features, events_S: Sequence[Events] | None = None) -> Tensor:
        """Logits, (B,) of one task, (B, T) of several; any cut-off of ids is applied here.

        `events_S` are the events of the features' lists, where they stand side by side already.
        """
        if events_S is None:
            asked = self.asked(self.read(features))
        else:
            read = self.reads(features)
            asked = self._asked(self.table.read(read), [one.read(read) for one in self._dense], events_S)
        out_BT: Tensor = self.head(self.top(self.fields(asked, self.table.gather(asked.rows_P))))
        return out_BT.squeeze(1) if self.tasks == 1 else out_BT

    @property
    def there(self) -> Device:
        """Where the model is."""
        return where(self.table.weight_RE)

    def read(self, features: Features) -> tuple[Taken, ...]:
        """What is taken of features, wherever they are, once for all batches that are cut of it: rows of the table
        (B, F) first."""
        features = self.reads(features.to(self.there))
        parts = (self.table, *self._dense, *self._histories)
        return tuple([part.read(features) for part in parts])

    def asked(self, taken: Sequence[Taken]) -> Asked:
        """What a batch, cut of what was read, asks for."""
        events_S = [part.events() for part in taken if isinstance(part, Lists)]
        rows_BF, *dense = (part for part in taken if isinstance(part, Tensor))
        return self._asked(rows_BF, dense, events_S)

    def _asked(self, rows_BF: Tensor, dense: Sequence[Tensor], events_S: Sequence[Events]) -> Asked:
        of_events = [
            self.table.rows_of(history.field, events.ids_L)
            for history, events in zip(self._histories, events_S, strict=True)
        ]
        return Asked(_beside_each_other([rows_BF.reshape(-1), *of_events], 0), tuple(dense), tuple(events_S))

    def fields(self, asked: Asked, gathered_PE: Tensor) -> list[Tensor]:
        """What each source makes of a batch, (B, n, E), from the rows of the table that it asked for."""
        pairs = list(zip(self._histories, asked.events_S, strict=True))
        counts = [self.table.times(history.field) * events.ids_L.shape[0] for history, events in pairs]
        end = asked.rows_P.shape[0] - sum(counts)
        of_ids_PE = gathered_PE[:end] if self._histories else gathered_PE
        of_events = []
        for (history, _), count in zip(pairs, counts, strict=True):
            start, end = end, end + count
            of_events.append(self.table.embeddings_of(history.field, gathered_PE[start:end]))
        ids_BFE = self.table.fields(of_ids_PE)
        return [
            *self.table.merged(ids_BFE),
            *(source.fields(part) for source, part in zip(self._dense, asked.dense, strict=True)),
            *(
                history.fields(events, ids_LE, ids_BFE)
                for (history, events), ids_LE in zip(pairs, of_events, strict=True)
            ),
        ]

    def top(self, fields: list[Tensor]) -> Tensor:
        """What the heads read (B, W): the whole backbone over the fields of all sources, and what several labels have
        of their own."""
        x_BW = self.backbone(fields)
        return x_BW if self.parts is None else self.parts(x_BW, fields)

    def backbone(self, fields: list[Tensor]) -> Tensor:
        """What all labels share (B, W)."""
        x0_BNE = fields[0] if len(fields) == 1 else torch.cat(fields, 1)
        x_BNE, beside = x0_BNE, []
        for layer in self.layers:
            out = layer(x0_BNE, x_BNE)
            if out.dim() == 3:
                x_BNE = out
            else:
                beside.append(out)
        crossed = [x_BNE.flatten(1), *beside]
        if self.stacked:
            out_BW: Tensor = self.deep(_beside_each_other(crossed))
            return out_BW
        return _beside_each_other([self.deep(x0_BNE.flatten(1)), *crossed])

    def start_at(self, *base_rates: float) -> None:
        """Let an untrained model predict each task's base rate from the first step on, instead of learning it."""
        clamped = [min(max(rate, 1e-6), 1 - 1e-6) for rate in base_rates]
        with torch.no_grad():
            self.head.bias.copy_(torch.tensor([math.log(rate / (1 - rate)) for rate in clamped]))


class Ensemble(nn.Module):
    """Several models of one spec, which differ in their initial weights and in what trained them: their mean logit."""

    def __init__(self, members: Sequence[RankingModel]) -> None:
        super().__init__()
        self.spec, self.inputs, self.tasks = members[0].spec, members[0].inputs, members[0].tasks
        self.members = nn.ModuleList(members)

    def forward(self, features: Features, events_S: Sequence[Events] | None = None) -> Tensor:
        """Logits, (B,) of one task, (B, T) of several."""
        return torch.stack([member(features, events_S) for member in members_of(self)]).mean(0)


Ranker = RankingModel | Ensemble
"""What a search trains and serves."""


def members_of(model: Ranker) -> tuple[RankingModel, ...]:
    """The models whose mean serves: those of an ensemble, or the model itself."""
    if isinstance(model, RankingModel):
        return (model,)
    return tuple(member for member in model.members if isinstance(member, RankingModel))


def reads_of(model: Ranker) -> ReadFeatures:
    """Which features it reads: all members read the same."""
    return members_of(model)[0].reads


def build_model(spec: ModelSpec, inputs: InputShape, *, seed: int) -> Ranker:
    """What a spec describes, with initial weights drawn from the seed; the process's own random state is left alone.

    The first member is the model that a spec of one member has.
    """
    members = [build_member(spec, inputs, seed=one) for one in member_seeds(spec, seed)]
    return members[0] if len(members) == 1 else Ensemble(members)


def build_member(spec: ModelSpec, inputs: InputShape, *, seed: int, tasks: int | None = None) -> RankingModel:
    """One graph of a spec, however many members it asks for; of so many `tasks`, where that is not told by the data."""
    inputs = inputs if tasks is None else replace(inputs, given=(None,) * tasks)
    with seeded(seed):
        return RankingModel(spec, inputs, Noise(seed))


def member_seeds(spec: ModelSpec, seed: int) -> tuple[int, ...]:
    """A seed for each member; the first has the one that is given."""
    return (seed, *(seed_of("member", seed, number) for number in range(1, spec.members)))


def _beside_each_other(parts: list[Tensor], along: int = 1) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts, along)
