"""The pilot of a search: the baseline's noise, and what gain can be told from it."""

from __future__ import annotations

import math

from rich.console import Console

from automl.commands.search import search
from automl.stats.significance import detectable_pct
from automl.study.problem import Problem


def pilot_line(problem: Problem, workers: int, console: Console) -> str:
    """Train the baseline with its seeds, as a search does before its first trial; what that tells, in a line."""
    baseline = search(problem, trials=0, workers=workers, console=console).baseline()
    assert baseline is not None
    spread = 100 * baseline.ne_std / baseline.ne
    seeds = problem.config.finals.seeds
    smallest = detectable_pct(math.sqrt(2) * spread, seeds)  # two models, neither of which knows the other's luck
    return (
        f"noise: baseline NE {baseline.ne:.4f}, seed spread {spread:.2f}%; with {seeds} seeds the smallest NE gain "
        f"that can be told from chance is about {smallest:.2f}%"
    )
