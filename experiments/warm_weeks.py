"""What an old study saves on another week: KuaiRand's first week is searched, then the next one with and without it.

    python -m experiments.warm_weeks [--trials 40] [--seed 1] [--quick]

Three searches of one seed and as many candidates, each a study of its own that goes on where it stopped; every training
is a real one, and hypervolume is what was seen. Trials saved: how many more the search without an old study took to the
hypervolume that the one with it had after half of its trials. Adds to experiments/results/warm_weeks.json.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

import automl
from automl.cli.common import terminal
from automl.study.history import History, Origin
from experiments import kuairand
from experiments.fidelity import seen_volumes
from experiments.record import runs_of, write_result
from experiments.studies import STUDIES, changed

NAME = "warm_weeks"
CORES = 2
SPACE = "ctr-small"
NEXT_WEEK = {
    "train": ["2022-05-01", "2022-05-05"],
    "validate": ["2022-05-06", "2022-05-07"],
    "test": ["2022-05-08", "2022-05-08"],
}


def main() -> None:
    """Search what was not searched, and tell it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="12 trials")
    asked = parser.parse_args()
    trials, seed = 12 if asked.quick else asked.trials, asked.seed
    old = f"warm-weeks-old-{seed}"
    searched(old, kuairand.WEEK, seed, trials)
    cold = searched(f"warm-weeks-cold-{seed}", NEXT_WEEK, seed, trials)
    warm = searched(f"warm-weeks-warm-{seed}", NEXT_WEEK, seed, trials, old=old)
    runs = [run for run in runs_of(NAME) if run["seed"] != seed]
    runs.append(figures_of(cold, warm, trials, seed))
    print(runs[-1])
    headline = {"trials_saved": float(np.median([run["trials_saved"] for run in runs])), "seeds": len(runs)}
    print(write_result(NAME, settings={"space": SPACE}, figures={"runs": runs}, headline=headline))


def searched(name: str, split: Any, seed: int, trials: int, old: str | None = None) -> History:
    """A search to its end, told of an old one."""

    def warm(tree: Any) -> None:
        tree["search"]["repeats"] = 0
        if old is not None:
            tree["search"]["warm_start"] = [f"../{old}"]

    file: Path = STUDIES / name / "study.yaml"
    if not file.exists():
        changed(kuairand.write_study(name, space=SPACE, split=split, seed=seed), warm)
    return automl.search(file, trials=trials, workers=CORES, console=terminal()).history


def figures_of(cold: History, warm: History, trials: int, seed: int) -> dict[str, Any]:
    """Hypervolume after a quarter, half and all of the trials, and what was saved at the half."""
    volumes = {"cold": seen_volumes(cold), "warm": seen_volumes(warm)}
    half = trials // 2
    there = np.flatnonzero(volumes["cold"] >= volumes["warm"][half - 1])
    return {
        "seed": seed,
        "trials": trials,
        "marks": [trials // 4, half, trials],
        "hypervolume": {
            kind: [round(float(of[mark - 1]), 3) for mark in (trials // 4, half, trials)]
            for kind, of in volumes.items()
        },
        "trials_saved": int(there[0]) + 1 - half if len(there) else trials - half,
        "never_reached": not len(there),
        "old_models_tried": sum(trial.origin is Origin.PRECEDENT for trial in warm.trials),
    }


if __name__ == "__main__":
    main()
