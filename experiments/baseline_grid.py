"""Tune the human baseline on a real log before any search: its two learning rates and its batch size, on a grid.

    python -m experiments.baseline_grid --log kuairand-ctr|kuairand-cvr|completejourney [--tuned] [--quick]

Every point is trained on two orders, quietly (train.average, train.recalibrate) as a search does it; the best point on
ten orders with and without, so that it is known what quiet training does for the baseline itself. Goes on where it
stopped: the runs that ended are in the result.
"""

from __future__ import annotations

import argparse
from itertools import product
from statistics import fmean, stdev
from typing import Any, TypedDict

import torch

from automl.study.problem import Problem, load_problem
from experiments.live import LOGS
from experiments.one_training import measured
from experiments.record import runs_of, write_result
from search_spaces.model import ModelSpec

RATES = tuple(product((0.05, 0.1, 0.2), (5e-4, 1e-3, 2e-3)))
BATCHES = (256, 512, 1024)
ORDERS, MANY = 2, 10
LOUD = {"average": 0.0, "recalibrate": False}


class Run(TypedDict):
    """One training; `knobs` as words."""

    knobs: str
    order: int
    ne: float
    calibration: float | None
    train_s: float


def main() -> None:
    """Run what is left of the grid, then the best point with and without quiet training; write after each run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--log", choices=list(LOGS), required=True)
    parser.add_argument("--tuned", action="store_true", help="no grid: the baseline with the rates that it has")
    parser.add_argument("--quick", action="store_true", help="three points, two orders")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    problem = load_problem(LOGS[asked.log].write(f"grid-{asked.log}"))
    name = f"baseline_grid_{asked.log.replace('-', '_')}"
    runs: list[Run] = runs_of(name)
    points = [
        {"batch_size": batch, "embedding_lr": embedding, "dense_lr": dense}
        for batch, (embedding, dense) in product(BATCHES, RATES)
    ][: 3 if asked.quick else None]
    if asked.tuned:
        spec = problem.baseline
        points = [
            {
                "batch_size": spec.train.batch_size,
                "embedding_lr": spec.embedding.lr,
                "dense_lr": spec.train.dense_lr,
            }
        ]

    def run_all(knobs: dict[str, Any], orders: int) -> list[float]:
        words = " ".join(f"{key} {value:g}" for key, value in knobs.items())
        done = {run["order"]: run["ne"] for run in runs if run["knobs"] == words}
        for order in range(orders):
            if order not in done:
                runs.append(one_run(problem, words, knobs, order))
                done[order] = runs[-1]["ne"]
                write(name, runs, headline)
        found = [done[order] for order in range(orders)]
        print(f"{words:<60} NE {fmean(found):.5f} ± {stdev(found):.5f} ({orders} orders)", flush=True)
        return found

    headline: dict[str, Any] = {}
    best = min(points, key=lambda knobs: fmean(run_all(knobs, ORDERS)))
    many = ORDERS if asked.quick else MANY
    quiet, loud = run_all(best, many), run_all({**best, **LOUD}, many)
    headline = {**best, "ne": fmean(quiet), "ne_std": stdev(quiet), "loud_ne": fmean(loud), "loud_ne_std": stdev(loud)}
    write(name, runs, headline)
    print("best:", headline)


def one_run(problem: Problem, words: str, knobs: dict[str, Any], order: int) -> Run:
    """The baseline with these knobs on one order, scored on the validation window."""
    tree = problem.baseline.to_tree()
    rest = dict(knobs)
    tree["embedding"]["lr"] = rest.pop("embedding_lr")
    tree["train"].update(rest)
    found = measured(problem, ModelSpec.from_tree(tree), order)
    return {
        "knobs": words,
        "order": order,
        "ne": found.ne,
        "calibration": found.calibration,
        "train_s": found.seconds["train"],
    }


def write(name: str, runs: list[Run], headline: dict[str, Any]) -> None:
    """All runs so far."""
    write_result(name, settings={"orders": ORDERS}, figures={"runs": runs}, headline=headline)


if __name__ == "__main__":
    main()
