"""How the time of a batch is told: CPU time of one thread, or an analytic figure for replays and tests."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from automl.ranking.model import RankingModel

FLOPS_A_SECOND = 5e10
BYTES_A_SECOND = 5e9


class Clock(Protocol):
    """Seconds that `run` takes for a model to score `rows` rows."""

    def seconds(self, model: RankingModel, rows: int, run: Callable[[], object]) -> float: ...


class CpuClock:
    """CPU time of this thread, which a busy neighbour moves far less than wall time."""

    def seconds(self, model: RankingModel, rows: int, run: Callable[[], object]) -> float:
        start = time.thread_time()
        run()
        return time.thread_time() - start


class AnalyticClock:
    """Seconds from FLOPs and bytes moved (activations written, embeddings gathered): the same on every machine.

    Nothing is run. For replays and tests; not a figure to ship by.
    """

    def seconds(self, model: RankingModel, rows: int, run: Callable[[], object]) -> float:
        cost = model.spec.cost(model.inputs)
        gathered = 4 * model.inputs.fields * model.spec.embedding.dim
        return rows * (cost.flops / FLOPS_A_SECOND + (cost.bytes + gathered) / BYTES_A_SECOND)
