"""Tune the human baseline on The Complete Journey before any search: two learning rates and batch size on a grid.

    python -m experiments.completejourney_baseline [--quick]

Goes on where it stopped: the runs that ended are in the result.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from itertools import product
from statistics import fmean, stdev
from typing import Any

import torch

from automl.runtime.jobs import TrainModel
from automl.runtime.work import train_and_score
from automl.stats.seeds import trial_seeds
from automl.study.problem import Problem, load_problem
from experiments.completejourney import BASELINE, write_study
from experiments.record import RESULTS, write_result
from search_spaces.source import read_text
from search_spaces.space import model_of

NAME = "completejourney_baseline"
RATES = ((0.02, 1e-3), (0.02, 2e-3), (0.02, 4e-3), (0.05, 2e-3), (0.05, 4e-3))
BATCHES = (256, 512, 1024)
ORDERS = (0, 1)  # initial weights, where rows are trained in the order of time
KNOBS = ("embedding_lr", "dense_lr", "batch_size")


def main() -> None:
    """Run what is left of the grid, print it, and write the result after each run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="three runs")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    problem = load_problem(write_study("completejourney-grid"))
    runs = ended()
    known = {tuple(run[name] for name in KNOBS) for run in runs}
    grid = [(*rates, batch) for batch, rates in product(BATCHES, RATES)][: 3 if quick else None]
    for point in grid:
        if point not in known:
            runs.append(measured(problem, dict(zip(KNOBS, point, strict=True))))
            write(runs)
            print(*(f"{name} {value:g}  " for name, value in runs[-1].items()), flush=True)
    print("best:", min(runs, key=lambda run: run["ne"]))


def ended() -> list[dict[str, float]]:
    """The runs of an earlier call."""
    file = RESULTS / f"{NAME}.json"
    return list(json.loads(file.read_text())["figures"]["runs"]) if file.exists() else []


def measured(problem: Problem, knobs: Mapping[str, Any]) -> dict[str, float]:
    """NE and AUC of the baseline with these knobs on the validation window, means over the orders."""
    model = model_of(read_text(BASELINE.format(**knobs), "grid"))
    found = []
    for order in ORDERS:
        seeds = trial_seeds(problem.config.seed, order)
        drawn = {"order_seed": seeds["order"], "weights_seed": seeds["weights"]}
        asked = TrainModel(model=model.to_tree(), log=str(problem.log.folder), **drawn)
        measurement = list(train_and_score(asked))[-1].measurement
        assert measurement is not None
        found.append(measurement)
    means = {"ne": fmean(m.ne for m in found), "auc": fmean(m.auc for m in found)}
    return {**knobs, **means, "ne_std": stdev(m.ne for m in found), "train_s": fmean(m.seconds["train"] for m in found)}


def write(runs: Sequence[Mapping[str, float]]) -> None:
    """The result so far, best first."""
    best, *rest = sorted(runs, key=lambda run: run["ne"])
    headline = {f"best_{name}": best[name] for name in ("ne", *KNOBS)}
    write_result(NAME, settings={"runs": len(runs)}, figures={"runs": [best, *rest]}, headline=headline)


if __name__ == "__main__":
    main()
