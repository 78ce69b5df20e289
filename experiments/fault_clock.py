"""A search whose clock jumps once, in the middle: `python -m experiments.fault_clock FILE TRIALS SECONDS`.

It has a budget of an hour, which it does not need.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from automl.commands.search import search
from automl.study.problem import load_problem

AFTER_S = 12.0
BUDGET_S = 3600.0


class Jumping:
    """A clock that is right for a while, and then wrong by so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._since = seconds, time.monotonic()

    def __call__(self) -> float:
        return time.time() + (self._seconds if time.monotonic() - self._since > AFTER_S else 0.0)


def main() -> None:
    """Search to the end, or until interrupted."""
    file, trials, seconds = sys.argv[1:]
    problem = load_problem(Path(file))
    try:
        search(problem, trials=int(trials), workers=2, time_budget=BUDGET_S, clock=Jumping(float(seconds)))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
