"""Seconds that a proposal of ten takes at 100 trials of history, on one core.

python -m experiments.proposal_time [--study studies/kuairand-ctr] [--quick]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from automl.api import open_study
from automl.strategies import strategy_of
from experiments.record import write_result


def main() -> None:
    """Time the strategies on a recorded history."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--study", type=Path, default=Path("studies/kuairand-ctr"))
    parser.add_argument("--quick", action="store_true", help="one repeat")
    arguments = parser.parse_args()
    study = open_study(arguments.study)
    figures = {}
    for name in ("controller", "evolution", "tpe", "random"):
        times = []
        for repeat in range(1 if arguments.quick else 5):
            start = time.process_time()
            found = strategy_of(name)(study.space, study.history, 10, repeat)
            times.append(time.process_time() - start)
            assert len(found) == 10
        figures[name] = {"median_s": float(np.median(times)), "max_s": max(times)}
        print(name, figures[name], flush=True)
    write_result(
        "proposal_time",
        settings={"trials": len(study.history.trials), "count": 10},
        figures=figures,
        headline={f"{name}_s": round(found["median_s"], 2) for name, found in figures.items()},
    )


if __name__ == "__main__":
    main()
