"""The foundation model: an ensemble of one model under several seeds, with a task for every label, trained as it comes.

B batch, N rows, T tasks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from automl.exfm.columns import Columns
from automl.files.parts import digest_of
from automl.ranking.batches import Chunk
from automl.ranking.examples import Encoded
from automl.ranking.features import Features
from automl.ranking.losses import TasksLoss
from automl.ranking.model import RankingModel, build_member
from automl.ranking.place import fetch, put
from automl.ranking.process import prepare_process
from automl.ranking.scoring import logits_of
from automl.ranking.stepper import Stepper
from automl.stats.seeds import seed_of
from automl.study.plain import Codec, Model
from automl.study.plugins import plug_in_files
from search_spaces.errors import InputError
from search_spaces.model import InputShape, ModelSpec

WEIGHTS = "weights.pt"
FACTS = "teacher.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """What a snapshot's weights are of: rows of each id table, columns of the stream that are read, heads, models; and
    a digest of their file, "" in older snapshots."""

    spec: Model
    table_rows: tuple[int, ...]
    columns: Columns
    tasks: int
    members: int
    weights: str = ""


_CODEC = Codec(_Facts)


class Teacher:
    """Learns batch by batch and scores; the logit is the mean over the members."""

    def __init__(
        self, spec: ModelSpec, inputs: InputShape, columns: Columns, *, tasks: int, members: int, seed: int
    ) -> None:
        self.spec, self.inputs, self.columns, self.tasks, self._seed = spec, inputs, columns, tasks, seed
        seeds = [seed_of("teacher", seed, member) for member in range(members)]
        self._models = [build_member(spec, inputs, seed=one, tasks=tasks) for one in seeds]
        self._steppers = [Stepper(model, spec, TasksLoss()) for model in self._models]
        self._started = False

    def learn(self, stream: Encoded, rows_N: NDArray[np.int64], labels_NT: NDArray[np.float32], tick: int) -> None:
        """One pass over what a tick has brought, in an order of the tick's own; every member has another."""
        if not len(labels_NT):
            return
        if not self._started:
            self._start_at(labels_NT)
        joined = Chunk(self.columns.read(stream, rows_N), put(labels_NT))
        for member, (model, stepper) in enumerate(zip(self._models, self._steppers, strict=True)):
            model.train()
            seed = seed_of("order", self._seed, member, tick)
            model.noise.reseed(seed)
            order = put(np.random.default_rng(seed).permutation(len(labels_NT)))
            for _ in stepper.steps(joined.take(order)):
                pass

    def logits(self, stream: Encoded, rows: slice | NDArray[np.int64]) -> NDArray[np.float32]:
        """Logits (B, T) of rows."""
        return _mean_logits(self._models, self.columns.read(stream, rows))

    def state(self) -> list[dict[str, Tensor]]:
        """All that learning depends on, by member; copies."""
        return [stepper.state() for stepper in self._steppers]

    def restore(self, state: Sequence[Mapping[str, Tensor]]) -> None:
        """Go on from a state."""
        for stepper, part in zip(self._steppers, state, strict=True):
            stepper.restore(part)
        self._started = any(bool(model.head.bias.any()) for model in self._models)  # else it is as it was built

    def _start_at(self, labels_NT: NDArray[np.float32]) -> None:
        """Every head at the base rate of the first labels; a task without any at even odds."""
        self._started = True
        known_NT = np.isfinite(labels_NT)
        sums = np.where(known_NT, labels_NT, 0.0).sum(0)
        rates = np.where(known_NT.any(0), sums / np.maximum(known_NT.sum(0), 1), 0.5)
        for model in self._models:
            model.start_at(*rates.tolist())

    def save(self, folder: Path) -> None:
        """What scoring needs, to a folder that is there."""
        torch.save([dict(model.state_dict()) for model in self._models], folder / WEIGHTS)
        facts = _Facts(
            spec=self.spec,
            table_rows=tuple(len(counts) for counts in self.inputs.id_counts),
            columns=self.columns,
            tasks=self.tasks,
            members=len(self._models),
            weights=digest_of(folder / WEIGHTS),
        )
        (folder / FACTS).write_text(json.dumps(_CODEC.plain(facts)))


class SavedTeacher:
    """A snapshot that scores.

    Raises:
        InputError: where its weights are not those that were saved.
    """

    def __init__(self, folder: Path) -> None:
        facts = _CODEC.read(folder / FACTS)
        if facts.weights and digest_of(folder / WEIGHTS) != facts.weights:
            raise InputError.of(str(folder / WEIGHTS), "must be the weights that the teacher saved", "others")
        self._columns = facts.columns
        inputs = InputShape(tuple((1 << 30,) * rows for rows in facts.table_rows), len(facts.columns.dense), 0)
        self._models = []
        for weights in torch.load(folder / WEIGHTS, weights_only=True, mmap=True):
            model = build_member(facts.spec, inputs, seed=0, tasks=facts.tasks)
            model.load_state_dict(weights)
            self._models.append(model)

    def logits(self, stream: Encoded, rows: slice | NDArray[np.int64]) -> NDArray[np.float32]:
        """Logits (B, T) of rows."""
        return _mean_logits(self._models, self._columns.read(stream, rows))


def load_teacher(folder: Path, plugins: Sequence[str] = ()) -> SavedTeacher:
    """A snapshot in a scoring process, which is set up for it: one thread, freed memory kept, plug-ins loaded."""
    prepare_process(1)
    plug_in_files(plugins)
    return SavedTeacher(folder)


def _mean_logits(models: Sequence[RankingModel], features: Features) -> NDArray[np.float32]:
    """Mean logits (B, T) of the members."""
    parts = [logits_of(model.eval(), features.parts()).view(-1, model.tasks) for model in models]
    return (fetch(sum(parts[1:], parts[0])) / len(parts)).astype(np.float32)
