"""`automl check`: everything that can be known of a study or a space before the search starts."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from automl.report.common.formats import number
from automl.study.problem import Problem, problem_of
from search_spaces.extends import resolve
from search_spaces.source import Document
from search_spaces.space import SearchSpace, space_of

if TYPE_CHECKING:
    from rich.console import Console

_SAMPLED = 300  # candidates whose cost tells the range


def space_lines(document: Document) -> list[str]:
    """What a space file means.

    Raises:
        InputError: with every mistake.
    """
    return [_space_line(space_of(resolve(document)))]


def study_lines(
    document: Document,
    *,
    pilot: Console | None,
    workers: int,
    folder: Path | None,
    clock: Callable[[], float] = time.perf_counter,
) -> list[str]:
    """What a study file means; with what a pilot tells, where it is given a place to show its progress.

    What trains is loaded where the file has no mistake.

    Raises:
        InputError: with every mistake.
    """
    problem = problem_of(document, folder)
    from automl.commands.probe import cost_line

    lines = [_data_line(problem), *(f"note: {note.text}" for note in problem.log.notes)]
    lines += [_space_line(problem.space) + _params_words(problem), cost_line(problem, workers, clock)]
    if pilot is not None:
        from automl.commands.pilot import pilot_line

        lines.append(pilot_line(problem, workers, pilot))
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
    drawn = np.stack([problem.space.random_answers(rng) for _ in range(_SAMPLED)])
    params = problem.space.costing.total(drawn).params
    inside = "" if problem.space.locate(problem.baseline) else "; the baseline lies outside"
    return f", {params.min() / 1e6:.2g}M to {params.max() / 1e6:.2g}M parameters{inside}"
