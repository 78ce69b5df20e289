"""How the time of a batch is told: by work done (place.CpuClock), by what a server with an accelerator waits for
(place.DeviceClock), or an analytic figure for replays and tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

from automl.ranking.model import Ranker, members_of
from automl.ranking.place import PROCESSOR, Device, Kind, clock_of

FLOPS_A_SECOND = 5e10
BYTES_A_SECOND = 5e9


class Clock(Protocol):
    """Seconds that `run` takes for a model to score `rows` rows; model and rows are `there`."""

    @property
    def there(self) -> Device: ...

    def seconds(self, model: Ranker, rows: int, run: Callable[[], object]) -> float: ...


class AnalyticClock:
    """Seconds from FLOPs and bytes moved (activations written, embeddings gathered): the same on every machine.

    Nothing is run. For replays and tests; not a figure to ship by.
    """

    there = PROCESSOR

    def seconds(self, model: Ranker, rows: int, run: Callable[[], object]) -> float:
        cost = model.spec.cost(model.inputs)
        gathered = 4 * members_of(model)[0].table.lookups * model.spec.embedding.dim
        return rows * (cost.flops / FLOPS_A_SECOND + (cost.bytes + gathered) / BYTES_A_SECOND)


def make_clock(name: Kind | Literal["analytic"]) -> Clock:
    """The clock of the study file's `qps.clock`.

    Raises:
        InputError: where it is that of a GPU and there is none.
    """
    return AnalyticClock() if name == "analytic" else clock_of(name)
