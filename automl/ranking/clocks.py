"""How the time of a batch is told: CPU time of this process, or an analytic figure for replays and tests."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

import torch

from automl.ranking.model import RankingModel

FLOPS_A_SECOND = 5e10
BYTES_A_SECOND = 5e9


class Clock(Protocol):
    """Seconds that `run` takes for a model to score `rows` rows."""

    def seconds(self, model: RankingModel, rows: int, run: Callable[[], object]) -> float: ...


class CpuClock:
    """CPU time, which a busy neighbour moves far less than wall time: of this thread, or of the process where torch uses several."""

    def seconds(self, model: RankingModel, rows: int, run: Callable[[], object]) -> float:
        now = time.thread_time if torch.get_num_threads() == 1 else time.process_time
        start = now()
        run()
        return now() - start


class AnalyticClock:
    """Seconds from FLOPs and bytes moved (activations written, embeddings gathered): the same on every machine, nothing is run.

    For replays and tests; not a figure to ship by.
    """

    def seconds(self, model: RankingModel, rows: int, run: Callable[[], object]) -> float:
        cost = model.spec.cost(model.inputs)
        gathered = 4 * model.inputs.fields * model.spec.embedding.dim
        return rows * (cost.flops / FLOPS_A_SECOND + (cost.bytes + gathered) / BYTES_A_SECOND)
