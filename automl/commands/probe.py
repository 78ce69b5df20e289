"""What a trial of a study costs, told by training the baseline on some rows."""

from __future__ import annotations

from collections.abc import Callable

from automl.ranking.model import build_model
from automl.ranking.process import prepare_process
from automl.ranking.training import train
from automl.runtime.limits import anonymous_bytes
from automl.study.problem import Problem
from search_spaces.model import ModelSpec

_PROBE_ROWS = 32_768  # of the training window, to tell how long a trial takes
_TRIALS = 100
_WORKER_BYTES = 450 << 20  # a process with torch and Ray, before it holds a model


def cost_line(problem: Problem, workers: int, clock: Callable[[], float]) -> str:
    """Time and memory of a trial, of a hundred, and of the tuning of the baseline. The process is set up as a trial's
    worker is: one thread."""
    prepare_process()
    before = anonymous_bytes()
    seconds = probe_seconds(problem, problem.baseline, clock)
    held = max(anonymous_bytes() - before, 0) + _WORKER_BYTES
    tunings = problem.config.search.tune_baseline
    tuning = f"; before them {tunings} trainings tune the baseline, about {_minutes(seconds * tunings / workers)}"
    return (
        f"cost: a trial about {max(seconds, 1):.0f} s (the baseline's), {_TRIALS} trials about "
        f"{_minutes(seconds * _TRIALS / workers)} on {workers} workers, {workers * held / 2**30:.1f} GiB"
        f"{tuning if tunings else ''}"
    )


def _minutes(seconds: float) -> str:
    return f"{max(seconds / 60, 1):.0f} min"


def probe_seconds(problem: Problem, model: ModelSpec, clock: Callable[[], float]) -> float:
    """Seconds that training on the whole window takes, told from its first rows."""
    log = problem.log
    window = log.windows["train"]
    rows = slice(window.start, min(window.stop, window.start + _PROBE_ROWS))
    built = build_model(model, log.inputs, seed=0)
    start = clock()
    for _ in train(built, model, log, rows, order_seed=0, weights_seed=0, points=1):
        pass
    seconds: float = (clock() - start) * (window.stop - window.start) / (rows.stop - rows.start)
    return seconds
