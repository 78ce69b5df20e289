"""`automl check`: everything that can be known of a study or a space before the search starts."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rich.console import Console

from automl.commands.search import search
from automl.ranking.model import build_model
from automl.ranking.training import train
from automl.report.common.formats import number
from automl.runtime.limits import anonymous_bytes
from automl.stats.significance import detectable_pct
from automl.study.file import FileKind, kind_of
from automl.study.problem import Problem, load_problem
from search_spaces.model import ModelSpec
from search_spaces.space import SearchSpace, load_space

_SAMPLED = 300  # candidates whose cost tells the range
_PROBE_ROWS = 32_768  # of the training window, to tell how long a trial takes
_TRIALS = 100
_WORKER_BYTES = 450 << 20  # a process with torch and Ray, before it holds a model


def check_file(
    file: Path,
    *,
    pilot: bool,
    workers: int,
    folder: Path | None,
    console: Console,
    clock: Callable[[], float] = time.perf_counter,
) -> list[str]:
    """Lines that tell what a study file (or a space file) means.

    Raises:
        InputError: with every mistake.
    """
    if kind_of(file) is FileKind.SPACE:
        return [_space_line(load_space(file))]
    problem = load_problem(file, folder)
    lines = [_data_line(problem), *(f"note: {note}" for note in problem.log.notes)]
    lines += [_space_line(problem.space) + _params_words(problem), _cost_line(problem, workers, clock)]
    if pilot:
        lines.append(_pilot_line(problem, workers, console))
    return lines


def _data_line(problem: Problem) -> str:
    log = problem.log
    windows = ", ".join(
        f"{name} {rows.stop - rows.start:,} rows ({log.base_rates[name]:.1%} positive)"
        for name, rows in log.windows.items()
    )
    return f"data: {windows}; {len(log.fields)} id fields, {len(log.dense)} dense, label `{log.label}`"


def _space_line(space: SearchSpace) -> str:
    size = space.size()
    return f"space: {size.knobs} knobs, {number(size.discrete)} discrete combinations x {size.continuous} continuous"


def _params_words(problem: Problem) -> str:
    rng = np.random.default_rng(problem.config.seed)
    models = [problem.space.random(rng).model for _ in range(_SAMPLED)]
    params = [model.cost(problem.log.inputs).params for model in models]
    inside = "" if problem.space.locate(problem.baseline) else "; the baseline lies outside"
    return f", {min(params) / 1e6:.2g}M to {max(params) / 1e6:.2g}M parameters{inside}"


def _cost_line(problem: Problem, workers: int, clock: Callable[[], float]) -> str:
    before = anonymous_bytes()
    seconds = probe_seconds(problem, problem.baseline, clock)
    held = max(anonymous_bytes() - before, 0) + _WORKER_BYTES
    total = seconds * _TRIALS / workers
    return (
        f"cost: a trial about {max(seconds, 1):.0f} s (the baseline's), {_TRIALS} trials about "
        f"{max(total / 60, 1):.0f} min on {workers} workers, {workers * held / 2**30:.1f} GiB"
    )


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


def _pilot_line(problem: Problem, workers: int, console: Console) -> str:
    baseline = search(problem, trials=0, workers=workers, console=console).baseline()
    assert baseline is not None
    spread = 100 * baseline.ne_std / baseline.ne
    seeds = problem.config.finals.seeds
    smallest = detectable_pct(spread, seeds)
    return (
        f"noise: baseline NE {baseline.ne:.4f}, seed spread {spread:.2f}%; with {seeds} seeds the smallest NE gain "
        f"that can be told from chance is about {smallest:.2f}%"
    )
