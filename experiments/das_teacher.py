"""A teacher in torch over the stream of random columns: what a row costs to score.

B batch, T tasks.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from automl.exfm.das.scorer import Stream
from automl.ranking.features import read
from automl.ranking.model import RankingModel, build_member
from automl.ranking.place import fetch
from automl.ranking.process import prepare_process
from automl.ranking.scoring import logits_of
from experiments.das_stream import DENSE, FIELDS, IDS, TASKS
from search_spaces.model import InputShape, ModelSpec

TEACHER = {
    "embedding": {"dim": 16, "lr": 0.05},
    "interaction": [{"cross": {"rank": 64}}, {"cross": {"rank": 64}}],
    "deep": [{"mlp": {"width": 512}}, {"mlp": {"width": 256}}],
    "train": {"batch_size": 1024, "dense_lr": 1e-3},
}


@dataclass(frozen=True)
class TorchScorer:
    """A ranking model of several tasks."""

    model: RankingModel

    def logits(self, stream: Stream, rows: slice | NDArray[np.int64]) -> NDArray[np.float32]:
        """Logits (B, T)."""
        return fetch(logits_of(self.model, [read(stream, rows)]))


def load_teacher(folder: Path) -> TorchScorer:
    """The teacher with the weights of the seed that the folder's name ends with."""
    prepare_process()
    inputs = InputShape(tuple((2,) * IDS for _ in range(FIELDS)), DENSE, 100_000)
    seed = int(folder.name.rpartition("-")[2])
    return TorchScorer(build_member(ModelSpec.from_tree(TEACHER), inputs, seed=seed, tasks=len(TASKS)).eval())
