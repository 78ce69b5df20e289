"""What hashing of rare ids brings on a real log: users and videos cut off at a count, with and without buckets.

    python -m experiments.hashed_ids [--quick]

KuaiRand CTR, the human baseline. All other ids have their own embedding from two rows on, as everywhere here; users and
videos from 2, 5 or 10 rows on, and those that are rarer share one embedding, or so many buckets. NE of the validation
window, each log against the first of the same order, and the weights of the model. Goes on where it stopped: the runs
that ended are in the result.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, TypedDict

from automl.ranking.process import prepare_process
from automl.study.problem import load_problem
from experiments.kuairand import write_study
from experiments.one_training import measured
from experiments.record import runs_of, write_result
from experiments.studies import changed

NAME = "hashed_ids"
ORDERS = (1, 2, 3)
IDS = ("user_id", "video_id")
LOGS: Mapping[str, dict[str, int]] = {
    "2": {"min_count": 2},
    "2, 1000 buckets": {"min_count": 2, "buckets": 1000},
    "5": {"min_count": 5},
    "5, 100 buckets": {"min_count": 5, "buckets": 100},
    "5, 1000 buckets": {"min_count": 5, "buckets": 1000},
    "10": {"min_count": 10},
    "10, 1000 buckets": {"min_count": 10, "buckets": 1000},
    "all, 10000 buckets": {"min_count": 1 << 30, "buckets": 10_000},
}


class Run(TypedDict):
    """One training on an order of a log; `params` are all weights of the model."""

    log: str
    order: int
    ne: float
    params: int


def main() -> None:
    """Train what is left, write after each training."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one order")
    orders = ORDERS[: 1 if parser.parse_args().quick else None]
    prepare_process()
    runs: list[Run] = runs_of(NAME)
    for log, part in LOGS.items():
        problem = load_problem(_study(log, part))
        done = {run["order"] for run in runs if run["log"] == log}
        for order in (order for order in orders if order not in done):
            ne = measured(problem, problem.baseline, order).ne
            runs.append(
                {"log": log, "order": order, "ne": ne, "params": problem.baseline.cost(problem.log.inputs).params}
            )
            print(f"{log:<20} order {order}: NE {ne:.5f}", flush=True)
            write_result(NAME, settings={"orders": orders, "logs": LOGS}, figures={"runs": runs}, headline={})
    rows = table(runs)
    write_result(NAME, settings={"orders": orders, "logs": LOGS}, figures={"runs": runs, "table": rows}, headline={})
    for row in rows:
        print(f"{row['log']:<20} {row['pct']:+.3f}% ± {row['std_pct']:.3f}  {row['params']:,} weights")


def _study(log: str, part: Mapping[str, int]) -> Path:
    file = write_study(f"hashed-{log.replace(', ', '-').replace(' ', '-')}")
    of_ids = {name: dict(part) for name in IDS}
    return changed(file, lambda tree: tree["data"]["features"]["categorical"].update(of_ids))


def table(runs: list[Run]) -> list[dict[str, Any]]:
    """A row a log: NE, and what it has more than the first log, in percent and order by order."""
    first = {run["order"]: run["ne"] for run in runs if run["log"] == next(iter(LOGS))}
    rows = []
    for log in LOGS:
        own = [run for run in runs if run["log"] == log]
        pct = [100 * (run["ne"] / first[run["order"]] - 1) for run in own]
        spread = stdev(pct) if len(pct) > 1 else 0.0
        ne = fmean(run["ne"] for run in own)
        rows.append({"log": log, "ne": ne, "pct": fmean(pct), "std_pct": spread, "params": own[0]["params"]})
    return rows


if __name__ == "__main__":
    main()
