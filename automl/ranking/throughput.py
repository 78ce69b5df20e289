"""Serving speed as a ratio to a reference model, both timed batch by batch in turn (A B, B A) on one thread, where the
clock says that they serve.

What a neighbour on the machine does to one it does to the other, so the ratio holds still where rows a second do not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import stdtrit

from automl.ranking.clocks import Clock
from automl.ranking.examples import Encoded
from automl.ranking.features import Features, read
from automl.ranking.model import Ranker, reads_of
from automl.ranking.place import copied_to
from automl.ranking.process import keep_freed_memory
from automl.ranking.serving import serving_graph
from automl.study.history import Speed

WARM_UP = 5
FEWEST_BLOCKS = 20  # a block is A B, B A
MOST_BLOCKS = 1000
GROUPS = 10
TRIMMED = 0.2
WIDTH = 0.02
MOST_BATCHES = 64


def timed_batches(log: Encoded, rows: slice, batch_rows: int) -> list[Features]:
    """Batches of a window to time models on, at most 64, all of one size.

    Different rows each time, so that a table is not flattered by one batch in the cache.
    """
    size = min(batch_rows, rows.stop - rows.start)
    starts = range(rows.start, rows.stop - size + 1, size)[:MOST_BATCHES]
    return [read(log, slice(start, start + size)) for start in starts]


def time_ratio(
    model: Ranker,
    reference: Ranker,
    batches: Sequence[Features],
    *,
    max_seconds: float,
    clock: Clock,
) -> Speed:
    """QPS of a model over QPS of the reference, with its interval of 95%.

    Both score the same batches. Ends when the interval is 2% wide, or after max_seconds of the clock.
    """
    batches = [batch.to(clock.there) for batch in batches]
    ours, theirs = (_Timed(one, batches, clock) for one in (model, reference))
    with _steady():
        logs = _paired_logs(ours, theirs, max_seconds)
    middle, half = interval(logs)
    return Speed(
        qps_ratio=math.exp(middle), qps_ratio_low=math.exp(middle - half), qps_ratio_high=math.exp(middle + half)
    )


def _paired_logs(ours: _Timed, theirs: _Timed, max_seconds: float) -> NDArray[np.float64]:
    """Log of the ratio of each block A B, B A."""
    for _ in range(WARM_UP):
        ours.seconds(0)
        theirs.seconds(0)
    logs: list[float] = []
    spent = 0.0
    while len(logs) < MOST_BLOCKS:
        number = len(logs)
        a1, b1 = ours.seconds(number), theirs.seconds(number)
        b2, a2 = theirs.seconds(number), ours.seconds(number)
        logs.append(math.log((b1 + b2) / (a1 + a2)))
        spent += a1 + a2 + b1 + b2
        if len(logs) >= FEWEST_BLOCKS and len(logs) % GROUPS == 0:
            _, half = interval(np.array(logs))
            if spent >= max_seconds or 2 * half <= WIDTH:
                break
    return np.array(logs)


def quiet_qps(
    model: Ranker,
    batches: Sequence[Features],
    *,
    max_seconds: float,
    clock: Clock,
) -> float:
    """Rows a second of a model alone: the median batch."""
    timed = _Timed(model, [batch.to(clock.there) for batch in batches], clock)
    seconds: list[float] = []
    with _steady():
        for _ in range(WARM_UP):
            timed.seconds(0)
        while len(seconds) < FEWEST_BLOCKS or (len(seconds) < MOST_BLOCKS and sum(seconds) < max_seconds):
            seconds.append(timed.seconds(len(seconds)))
    return len(batches[0]) / float(np.median(seconds))


def interval(values: NDArray[np.float64]) -> tuple[float, float]:
    """Trimmed mean and the half-width of its interval of 95%.

    Neighbours in time share their noise: the error is the larger of that of single values and that of the means of
    ten stretches.
    """
    stretches = np.array([trimmed_mean(part)[0] for part in np.array_split(values, GROUPS)])
    middle, error = trimmed_mean(values)
    single = stdtrit((1 - 2 * TRIMMED) * len(values) - 1, 0.975) * error
    grouped = stdtrit(GROUPS - 1, 0.975) * stretches.std(ddof=1) / math.sqrt(GROUPS)
    return middle, float(max(single, grouped))


def trimmed_mean(values: NDArray[np.float64]) -> tuple[float, float]:
    """Mean without the extreme fifth at either end, and its standard error (Tukey and McLaughlin: winsorised)."""
    ordered = np.sort(values)
    cut = int(TRIMMED * len(ordered))
    kept = ordered[cut : len(ordered) - cut]
    deviation = np.clip(ordered, kept[0], kept[-1]).std(ddof=1) if len(ordered) > 1 else math.nan
    return float(kept.mean()), float(deviation / ((1 - 2 * TRIMMED) * math.sqrt(len(ordered))))


@contextmanager
def _steady() -> Iterator[None]:
    """One thread, as QPS is stated, and no page faults for what a batch allocates."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    keep_freed_memory()
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class _Timed:
    """A model as it serves, over batches that are where the clock is, of the features that it reads."""

    def __init__(self, model: Ranker, batches: Sequence[Features], clock: Clock) -> None:
        self._model, self._clock = model, clock
        there = copied_to(model, clock.there)
        self._serve, read = serving_graph(there), reads_of(there)
        self._batches = [read(batch) for batch in batches]

    def seconds(self, number: int) -> float:
        """Of the batch that has this number, counted round."""
        batch = self._batches[number % len(self._batches)]
        with torch.inference_mode():
            return self._clock.seconds(self._model, len(batch), lambda: self._serve(batch))
