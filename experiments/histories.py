"""What histories bring on a real log: the human baseline, and the same model that reads them, order by order.

    python -m experiments.histories [--quick]

KuaiRand CTR with two sequences: what the user watched in the log before the row (built from it, with its actions), and
the fifty videos before the log's first day. Each way of reading them at its default and at lengths of 10, 20 and 50;
of the best way each sequence alone. NE of the validation window, each model against the baseline of the same order;
speed of all together, against the baseline. Nothing else of the models is changed and nothing is tuned for a history.
Goes on where it stopped: the runs that ended are in the result.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from statistics import fmean, stdev
from typing import Any, TypedDict

from automl.commands.judge import time_together
from automl.ranking.process import prepare_process
from automl.runtime.jobs import TrainModel
from automl.runtime.work import train_and_score
from automl.stats.seeds import trial_seeds
from automl.study.problem import Problem, load_problem
from experiments.kuairand import write_study
from experiments.record import RESULTS, write_result
from search_spaces.history import HISTORIES
from search_spaces.model import ModelSpec

NAME = "histories"
ORDERS = (1, 2, 3, 4, 5)
LENGTHS = (10, 20, 50)
BASELINE = "none"


class Run(TypedDict):
    """One training of a model on an order."""

    model: str
    order: int
    ne: float
    train_s: float


def main() -> None:
    """Train what is left, write after each training, time all together at the end."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two orders, each way at its default length")
    asked = parser.parse_args()
    prepare_process()
    problem = load_problem(write_study("histories", histories=True))
    file = RESULTS / f"{NAME}.json"
    runs: list[Run] = json.loads(file.read_text())["figures"]["runs"] if file.exists() else []
    models = dict(readers(problem.baseline, (50,) if asked.quick else LENGTHS))
    found = {
        name: [trained(problem, runs, name, spec, order) for order in ORDERS[: 2 if asked.quick else None]]
        for name, spec in models.items()
    }
    write(problem, runs, table(problem, models, found))


def readers(baseline: ModelSpec, lengths: tuple[int, ...]) -> Iterator[tuple[str, ModelSpec]]:
    """The baseline, and what it becomes with each way to read histories."""
    yield BASELINE, baseline
    for way, spec in HISTORIES.items():
        for length in lengths if way != "none" else ():
            yield f"{way} {length}", replace(baseline, history=spec(length=length))


def trained(problem: Problem, runs: list[Run], name: str, spec: ModelSpec, order: int) -> float:
    """NE on the validation window; what is in the result is not trained again."""
    for run in runs:
        if (run["model"], run["order"]) == (name, order):
            return run["ne"]
    seeds = trial_seeds(0, order)
    asked = TrainModel(
        model=spec.to_tree(),
        log=str(problem.log.folder),
        weights_seed=seeds["weights"],
        order_seed=seeds["order"],
    )
    last = list(train_and_score(asked))[-1]
    measured = last.measurement
    assert measured is not None, last.failure
    runs.append({"model": name, "order": order, "ne": measured.ne, "train_s": measured.seconds.get("train", 0.0)})
    print(f"{name:<16} order {order}: NE {measured.ne:.5f}, {runs[-1]['train_s']:.1f} s", flush=True)
    write(problem, runs, [])
    return measured.ne


def table(problem: Problem, models: dict[str, ModelSpec], found: dict[str, list[float]]) -> list[dict[str, Any]]:
    """A row a model, lowest NE first: gain over the baseline order by order, and speed against it."""
    speeds = time_together(problem, problem.log, list(models.values()))
    rows = []
    for (name, spec), speed in zip(models.items(), speeds, strict=True):
        gains = [100 * (ne / base - 1) for ne, base in zip(found[name], found[BASELINE], strict=True)]
        row = {
            "model": name,
            "ne": fmean(found[name]),
            "gain_pct": fmean(gains),
            "gain_std_pct": stdev(gains),
            "qps_ratio": speed.qps_ratio,
            "flops": spec.cost(problem.log.inputs).flops,
        }
        rows.append(row)
        print(f"{name:<16} {row['gain_pct']:+.3f}% ± {row['gain_std_pct']:.3f}  QPS x{row['qps_ratio']:.2f}")
    return sorted(rows, key=lambda row: float(row["ne"]))


def write(problem: Problem, runs: list[Run], rows: list[dict[str, Any]]) -> None:
    """All runs so far, and the table once all are there."""
    lists = {
        history.name: {
            "mean_length": history.shape.mean_length(history.shape.most),
            "empty": history.shape.lengths[0][0] / sum(history.shape.lengths[0]),
        }
        for history in problem.log.histories
    }
    headline = {"best": rows[0]["model"], "history_gain_pct": rows[0]["gain_pct"]} if rows else {}
    figures = {"lists": lists, "runs": runs, "table": rows}
    write_result(NAME, settings={"orders": ORDERS, "lengths": LENGTHS}, figures=figures, headline=headline)


if __name__ == "__main__":
    main()
