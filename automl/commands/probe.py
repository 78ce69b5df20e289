"""What the parts of a model's trial take, told by doing a little of each: CPU seconds of one thread.

CPU seconds and not wall time, which a neighbour on the machine multiplies. What only the first call costs (pages that
come in, what is made lazily) is spent before anything is counted.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from statistics import median

import torch

from automl.data.store.log import EncodedLog, open_log
from automl.ranking.features import AT_ONCE
from automl.ranking.model import Ranker, build_model, members_of, reads_of
from automl.ranking.recalibration import recent_rows
from automl.ranking.scoring import evaluate
from automl.ranking.serving import serving_graph
from automl.ranking.throughput import FEWEST_BLOCKS, GROUPS, MOST_BLOCKS, WARM_UP, timed_batches
from automl.ranking.training import Diverged, base_rates, make_steppers, train
from automl.study.config import QpsConfig
from automl.study.problem import Problem
from search_spaces.model import ModelSpec

Busy = Callable[[], float]
"""CPU seconds of this thread so far: automl.ranking.place.busy_seconds."""
_TRAINED = 0.6  # CPU seconds of training whose rate is believed
_SCORED = 0.1  # and of scoring


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """CPU seconds of one thread that parts of a model's trial take; its members are in all of them."""

    build: float  # the log opened, the model made
    batch: float  # a batch scored, of as many rows as QPS is timed at
    trained_row: float  # of one pass
    settled: float  # once a pass is over
    scored_row: float


def probe(problem: Problem, model: ModelSpec, busy: Busy) -> Probed:
    """Build, train, score and serve a model for a second or two of a core. The process must be set up as a worker's."""
    log = problem.log
    start = busy()
    built = build_model(model, open_log(log.folder).inputs, seed=0)
    build = busy() - start
    trained_row, settled = _training(built, model, log, busy)
    return Probed(
        build=build,
        batch=_batch_seconds(built, log, problem.config.qps.batch_rows, busy),
        trained_row=trained_row,
        settled=settled,
        scored_row=_scored_row(built, log, busy),
    )


def trial_seconds(problem: Problem, model: ModelSpec, own: Probed, reference: Probed, *, timed: bool = True) -> float:
    """CPU seconds of a whole trial, from what was found of its model and of the baseline; not `timed`: of a repeat."""
    train, score = (problem.log.windows[name] for name in ("train", "validate"))
    recent = recent_rows(train)
    scored: int = score.stop - score.start + (recent.stop - recent.start if model.train.recalibrate else 0)
    learnt: int = (train.stop - train.start) * model.train.epochs
    timing = _timing(problem.config.qps, own, reference) if timed else 0.0
    return own.build + timing + own.trained_row * learnt + own.settled + own.scored_row * scored


def _timing(qps: QpsConfig, own: Probed, reference: Probed) -> float:
    """Of `time_ratio` where its interval does not end it before its time does."""
    if qps.clock == "analytic":
        return reference.build
    pair = own.batch + reference.batch
    asked = -(-qps.max_seconds // (2 * GROUPS * pair)) * GROUPS
    return reference.build + pair * (WARM_UP + 2 * min(max(asked, FEWEST_BLOCKS), MOST_BLOCKS))


def _training(built: Ranker, model: ModelSpec, log: EncodedLog, busy: Busy) -> tuple[float, float]:
    """Seconds of a row and of what comes once: passes over twice as many rows each time, until one is long enough.

    The earlier passes are the warm-up: there is one at the least. A model that diverges costs what another does.
    """
    once = replace(model, train=replace(model.train, epochs=1, recalibrate=False))
    window = log.windows["train"]
    for member in members_of(built):
        member.start_at(*base_rates(log, window))
    steppers = make_steppers(built, once, log, weights_seed=0)
    warm, part = False, slice(window.start, min(window.start + model.train.batch_size, window.stop))
    while True:
        start = busy()
        learnt = None
        with suppress(Diverged):
            for _ in train(built, once, log, part, order_seed=0, weights_seed=0, points=1, steppers=steppers):
                learnt = busy()
        end = busy()
        learnt = end if learnt is None else learnt
        if warm and (learnt - start >= _TRAINED or part == window):
            return (learnt - start) / (part.stop - part.start), end - learnt
        warm, part = True, _twice(part, window)


def _twice(part: slice, window: slice) -> slice:
    """The rows behind a part, twice as many; from the window's start where it has not so many left."""
    rows = 2 * (part.stop - part.start)
    start = part.stop if part.stop + rows <= window.stop else window.start
    return slice(start, min(start + rows, window.stop))


def _scored_row(built: Ranker, log: EncodedLog, busy: Busy) -> float:
    """Seconds of a row scored and judged."""
    window = log.windows["validate"]
    warm, part = False, slice(window.start, min(window.start + AT_ONCE, window.stop))
    while True:
        start = busy()
        with suppress(Diverged):
            evaluate(built, log, part)
        spent = busy() - start
        rows: int = part.stop - part.start
        if warm and (spent >= _SCORED or part == window):
            return spent / rows
        warm, part = True, _twice(part, window)


def _batch_seconds(built: Ranker, log: EncodedLog, batch_rows: int, busy: Busy) -> float:
    """Of the median batch, as the search times it."""
    read, serve = reads_of(built), serving_graph(built)
    batches = [read(batch) for batch in timed_batches(log, log.windows["validate"], batch_rows)]
    seconds = []
    with torch.inference_mode():
        for number in range(WARM_UP + FEWEST_BLOCKS):
            start = busy()
            serve(batches[number % len(batches)])
            seconds.append(busy() - start)
    return median(seconds[WARM_UP:])
