"""The foundation model: an ensemble of one model under several seeds, with a task for every label, trained as it comes.

B batch, N rows, F id fields, D dense features, T tasks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from automl.exfm.columns import Columns
from automl.ranking.batches import even_bounds
from automl.ranking.model import RankingModel, build_model
from automl.ranking.multitask import TaskStepper
from automl.ranking.process import prepare_process
from automl.stats.seeds import seed_of
from search_spaces.model import InputShape, ModelSpec

_SCORE_ROWS = 4096
WEIGHTS = "weights.pt"
FACTS = "teacher.json"


class Teacher:
    """Learns batch by batch and scores; the logit is the mean over the members."""

    def __init__(
        self, spec: ModelSpec, inputs: InputShape, columns: Columns, *, tasks: int, members: int, seed: int
    ) -> None:
        self.spec, self.inputs, self.columns, self.tasks, self._seed = spec, inputs, columns, tasks, seed
        seeds = [seed_of("teacher", seed, member) for member in range(members)]
        self._models = [build_model(spec, inputs, seed=one, tasks=tasks) for one in seeds]
        self._steppers = [TaskStepper(model, spec) for model in self._models]
        self._started = False

    def learn(
        self,
        ids_NF: NDArray[np.int32],
        dense_ND: NDArray[np.float32],
        labels_NT: NDArray[np.float32],
        tick: int,
    ) -> None:
        """One pass over what a tick has brought, in an order of the tick's own; every member has another."""
        if not len(labels_NT):
            return
        if not self._started:
            self._start_at(labels_NT)
        ids, dense_all = self.columns.take(ids_NF, dense_ND)
        for member, (model, stepper) in enumerate(zip(self._models, self._steppers, strict=True)):
            model.train()
            seed = seed_of("order", self._seed, member, tick)
            model.noise.reseed(seed)
            order = torch.from_numpy(np.random.default_rng(seed).permutation(len(labels_NT)))
            rows_NF = model.table.rows(ids.index_select(0, order))
            dense = dense_all.index_select(0, order)
            labels = torch.from_numpy(labels_NT).index_select(0, order)
            for first, last in pairwise(even_bounds(len(order), self.spec.train.batch_size)):
                stepper.step(rows_NF[first:last], dense[first:last], labels[first:last])

    def logits(self, ids_BF: NDArray[np.int32], dense_BD: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits (B, T)."""
        return ensemble_logits(self._models, *self.columns.take(ids_BF, dense_BD))

    def state(self) -> list[dict[str, Tensor]]:
        """All that learning depends on, by member; copies."""
        return [stepper.state() for stepper in self._steppers]

    def restore(self, state: Sequence[Mapping[str, Tensor]]) -> None:
        """Go on from a state."""
        for stepper, part in zip(self._steppers, state, strict=True):
            stepper.restore(dict(part))
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
        facts = {
            "spec": self.spec.to_tree(),
            "table_rows": [len(counts) for counts in self.inputs.id_counts],
            "columns": {"fields": self.columns.fields, "dense": self.columns.dense},
            "tasks": self.tasks,
            "members": len(self._models),
        }
        torch.save([dict(model.state_dict()) for model in self._models], folder / WEIGHTS)
        (folder / FACTS).write_text(json.dumps(facts))


class SavedTeacher:
    """A snapshot that scores."""

    def __init__(self, folder: Path) -> None:
        facts: dict[str, Any] = json.loads((folder / FACTS).read_text())
        spec = ModelSpec.from_tree(facts["spec"])
        columns = facts["columns"]
        inputs = InputShape(tuple((1 << 30,) * rows for rows in facts["table_rows"]), len(columns["dense"]), 0)
        self._columns = Columns(tuple(columns["fields"]), tuple(columns["dense"]))
        self._models = []
        for weights in torch.load(folder / WEIGHTS, weights_only=True, mmap=True):
            model = build_model(spec, inputs, seed=0, tasks=facts["tasks"])
            model.load_state_dict(weights)
            self._models.append(model)

    def logits(self, ids_BF: NDArray[np.int32], dense_BD: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits (B, T)."""
        return ensemble_logits(self._models, *self._columns.take(ids_BF, dense_BD))


def load_teacher(folder: Path) -> SavedTeacher:
    """A snapshot in a scoring process, which is set up for it: one thread, freed memory kept."""
    prepare_process(1)
    return SavedTeacher(folder)


def ensemble_logits(models: Sequence[RankingModel], ids_BF: Tensor, dense_BD: Tensor) -> NDArray[np.float32]:
    """Mean logits (B, T) of the members."""
    total: Tensor | None = None
    with torch.inference_mode():
        for model in models:
            model.eval()
            parts = []
            for start in range(0, len(ids_BF), _SCORE_ROWS):
                part = slice(start, start + _SCORE_ROWS)
                parts.append(model.head(model.top(model.table(ids_BF[part]), dense_BD[part])))
            logits = torch.cat(parts)
            total = logits if total is None else total.add_(logits)
    assert total is not None
    return (total.numpy() / len(models)).astype(np.float32)
