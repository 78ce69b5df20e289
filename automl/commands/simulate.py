"""What `automl simulate` tells of the log that it wrote: the NE that no model can beat, by window or by day."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from automl.data.simulated.log import simulate
from automl.data.simulated.stream import simulate_stream
from automl.files.passed import Passed


def log_lines(out: Path, rows: int, users: int, items: int, days: int, seed: int, passed: Passed) -> list[str]:
    """Write a click log; a line a window.

    Raises:
        InputError: where an argument is out of its range.
    """
    log = simulate(out, rows=rows, users=users, items=items, days=days, seed=seed, passed=passed)
    return [f"{name:<9} {first} to {last}   {_told(log.bayes_ne, name)}" for name, (first, last) in log.windows.items()]


def stream_lines(
    out: Path,
    rows: int,
    users: int,
    items: int,
    days: int,
    seed: int,
    domains: int,
    drift: float,
    delay_hours: float,
    passed: Passed,
) -> list[str]:
    """Write a log for streams; a line a day, a line a domain.

    Raises:
        InputError: where an argument is out of its range, or a log is already there.
    """
    log = simulate_stream(
        out, rows=rows, users=users, items=items, days=days, seed=seed, domains=domains, drift=drift,
        delay_hours=delay_hours, passed=passed,
    )  # fmt: skip
    by_day = [f"{day}   {_told(log.bayes_ne_by_day, str(day))}" for day in log.days]
    by_domain = [f"domain {d:<3}   {_told(log.bayes_ne_by_domain, str(d))}" for d in range(domains)]
    return [*by_day, *by_domain, f"all          {_told(log.bayes_ne_by_day, 'all')}"]


def _told(bayes_ne: Mapping[str, Mapping[str, float]], name: str) -> str:
    figures = {label: by_name.get(name, math.nan) for label, by_name in bayes_ne.items()}
    told = [f"{label} {'not defined' if math.isnan(ne) else f'{ne:.4f}'}" for label, ne in figures.items()]
    return f"Bayes NE: {', '.join(told)}"
