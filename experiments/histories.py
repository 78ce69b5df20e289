"""What histories bring on a real log: the human baseline, and the same model that reads them, order by order.

    python -m experiments.histories [--quick]

KuaiRand CTR with two sequences: what the user watched in the log before the row (built from it, with its actions), and
the fifty videos before the log's first day. Each way of reading both, at its default; the mean of each alone, and where
what a user did is known ten minutes, an hour or a day later; DIN at other lengths. NE of the validation window, each
model against the baseline of the same order; speed of those of one log together, against the baseline. Nothing else of
the models is changed and nothing is tuned for a history. Goes on where it stopped: the runs that ended are in the
result.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from statistics import fmean, stdev
from typing import Any, TypedDict

from automl.commands.judge import time_together
from automl.ranking.process import prepare_process
from automl.study.problem import Problem, load_problem
from experiments.kuairand import sequences, write_study
from experiments.one_training import measured
from experiments.record import figures_of, write_result
from search_spaces.history import HISTORIES, DinHistory
from search_spaces.model import ModelSpec

NAME = "histories"
ORDERS = (1, 2, 3, 4, 5)
BASELINE = "none"
BOTH = ("watched", "before")
LOGS = {
    "both": sequences(*BOTH),
    "both, 10m": sequences(*BOTH, delay="10m"),
    "both, 1h": sequences(*BOTH, delay="1h"),
    "both, 1d": sequences(*BOTH, delay="1d"),
    "watched": sequences("watched"),
    "watched, 10m": sequences("watched", delay="10m"),
    "before": sequences("before"),
}
EVERY_WAY = "both, 10m"


class Run(TypedDict):
    """One training of a model on an order. `log`: none for the baseline, which reads no sequence."""

    log: str
    model: str
    order: int
    ne: float
    train_s: float


def main() -> None:
    """Train what is left, write after each training, time the models of a log together at the end."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two orders")
    asked = parser.parse_args()
    prepare_process()
    kept: dict[str, Any] = {"runs": [], "lists": {}} | figures_of(NAME)
    runs: list[Run] = kept["runs"]
    orders = ORDERS[: 2 if asked.quick else None]
    tables = {}
    for log, lists in LOGS.items():
        problem = load_problem(write_study(f"histories-{log.replace(', ', '-')}", sequence=lists))
        kept["lists"][log] = lists_of(problem)
        models = dict(readers(problem.baseline, every=log == EVERY_WAY))
        found = {
            name: [trained(problem, kept, log, name, spec, order) for order in orders] for name, spec in models.items()
        }
        tables[log] = table(problem, log, models, found)
    best = min((row for rows in tables.values() for row in rows), key=lambda row: float(row["ne"]))
    headline = {"history_gain_pct": tables[EVERY_WAY][0]["gain_pct"], "best": best["model"]}
    write_result(NAME, settings={"orders": orders}, figures={**kept, "runs": runs, "tables": tables}, headline=headline)


def readers(baseline: ModelSpec, *, every: bool) -> Iterator[tuple[str, ModelSpec]]:
    """The baseline, and what it becomes with ways to read histories."""
    yield BASELINE, baseline
    for way, spec in HISTORIES.items():
        if way != "none" and (every or way in ("mean", "din")):
            yield way, replace(baseline, history=spec())
    for length in (10, 20) if every else ():
        yield f"din {length}", replace(baseline, history=DinHistory(length=length))


def lists_of(problem: Problem) -> dict[str, Any]:
    """Mean length and share of empty lists of each sequence, in the training window."""
    return {
        history.name: {
            "mean_length": history.shape.mean_length(history.shape.most),
            "empty": history.shape.lengths[0][0] / sum(history.shape.lengths[0]),
        }
        for history in problem.log.histories
    }


def trained(problem: Problem, kept: dict[str, Any], log: str, name: str, spec: ModelSpec, order: int) -> float:
    """NE on the validation window; what is in the result is not trained again."""
    of = "" if name == BASELINE else log  # the same model on every log
    for run in kept["runs"]:
        if (run["log"], run["model"], run["order"]) == (of, name, order):
            return float(run["ne"])
    found = measured(problem, spec, order)
    seconds = found.seconds.get("train", 0.0)
    kept["runs"].append({"log": of, "model": name, "order": order, "ne": found.ne, "train_s": seconds})
    print(f"{of:<14} {name:<12} order {order}: NE {found.ne:.5f}, {seconds:.1f} s", flush=True)
    write_result(NAME, settings={}, figures=kept, headline={})
    return found.ne


def table(
    problem: Problem, log: str, models: dict[str, ModelSpec], found: dict[str, list[float]]
) -> list[dict[str, Any]]:
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
        print(f"{log:<14} {name:<12} {row['gain_pct']:+.3f}% ± {row['gain_std_pct']:.3f}  QPS x{row['qps_ratio']:.2f}")
    return sorted(rows, key=lambda row: float(row["ne"]))


if __name__ == "__main__":
    main()
