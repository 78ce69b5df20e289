"""What forms of numbers bring on a real log: the human baseline, and the same model with each form, order by order.

    python -m experiments.dense_forms [--quick]

KuaiRand CTR as it is everywhere here (one number, the log of a video's length), with four numbers of the user beside
it, and with counters of clicks by user, video and author too (many numbers). NE of the validation window, each model
against the linear form of the same log and order; speed of the models of one log together, against the baseline.
Nothing else of the models is changed and nothing is tuned for a form. Goes on where it stopped: the runs that ended are
in the result.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, TypedDict

from automl.commands.judge import time_together
from automl.ranking.process import prepare_process
from automl.study.problem import Problem, load_problem
from experiments.kuairand import write_study
from experiments.one_training import measured
from experiments.record import runs_of, write_result
from experiments.studies import changed
from search_spaces.model import ModelSpec

NAME = "dense_forms"
ORDERS = (1, 2, 3)
LINEAR = "linear"
OF_USERS = ("follow_user_num", "fans_user_num", "friend_user_num", "register_days")
COUNTERS = {"keys": ["user_id", "video_id", "author_id"], "labels": ["is_click"]}
LOGS = ("one number", "five numbers", "many numbers")
FORMS: Mapping[str, dict[str, Any]] = {
    LINEAR: {"linear": {}},
    "buckets 16": {"buckets": {"bins": 16}},
    "buckets 64": {"buckets": {"bins": 64}},
    "piecewise 16": {"piecewise": {"bins": 16}},
    "piecewise 64": {"piecewise": {"bins": 64}},
    "periodic .1": {"periodic": {"sigma": 0.1}},
    "periodic 1": {"periodic": {"sigma": 1.0}},
    "buckets 16, together": {"buckets": {"bins": 16, "together": True}},
    "piecewise 16, together": {"piecewise": {"bins": 16, "together": True}},
    "piecewise 64, together": {"piecewise": {"bins": 64, "together": True}},
    "periodic .1, together": {"periodic": {"sigma": 0.1, "together": True}},
}


class Run(TypedDict):
    """One training of a form on an order of a log."""

    log: str
    form: str
    order: int
    ne: float
    train_s: float


def main() -> None:
    """Train what is left, write after each training, time the models of a log together at the end."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one order")
    orders = ORDERS[: 1 if parser.parse_args().quick else None]
    prepare_process()
    runs: list[Run] = runs_of(NAME)
    tables = {}
    for log in LOGS:
        problem = load_problem(_study(log))
        models = {name: formed(problem.baseline, form) for name, form in FORMS.items()}
        for order in orders:
            for name, spec in models.items():
                _train(problem, runs, log, name, spec, order)
        tables[log] = table(problem, log, models, runs)
    best = {log: min(rows, key=lambda row: float(row["ne"])) for log, rows in tables.items()}
    write_result(
        NAME,
        settings={"orders": orders, "forms": FORMS},
        figures={"runs": runs, "tables": tables},
        headline={f"{log}, {key}": row[key] for log, row in best.items() for key in ("form", "gain_pct")},
    )


def _study(log: str) -> Path:
    file = write_study(f"dense-{log.replace(' ', '-')}", counters=[COUNTERS] if log == "many numbers" else [])
    if log == "one number":
        return file
    of_users = {name: {"transform": "log"} for name in OF_USERS}
    return changed(file, lambda tree: tree["data"]["features"]["dense"].update(of_users))


def formed(baseline: ModelSpec, form: Mapping[str, Any]) -> ModelSpec:
    """The baseline with a form of its numbers."""
    return ModelSpec.from_tree({**baseline.to_tree(), "dense": form})


def _train(problem: Problem, runs: list[Run], log: str, name: str, spec: ModelSpec, order: int) -> None:
    """What is in the result is not trained again."""
    if any((run["log"], run["form"], run["order"]) == (log, name, order) for run in runs):
        return
    found = measured(problem, spec, order)
    seconds = found.seconds.get("train", 0.0)
    runs.append({"log": log, "form": name, "order": order, "ne": found.ne, "train_s": seconds})
    print(f"{log:<14} {name:<22} order {order}: NE {found.ne:.5f}, {seconds:.1f} s", flush=True)
    write_result(NAME, settings={}, figures={"runs": runs}, headline={})


def table(problem: Problem, log: str, models: Mapping[str, ModelSpec], runs: list[Run]) -> list[dict[str, Any]]:
    """A row a form, lowest NE first: gain over the linear form order by order, and speed against the baseline."""
    speeds = time_together(problem, problem.log, list(models.values()))
    found = {
        name: {run["order"]: run["ne"] for run in runs if (run["log"], run["form"]) == (log, name)} for name in models
    }
    rows = []
    for (name, spec), speed in zip(models.items(), speeds, strict=True):
        gains = [100 * (ne / found[LINEAR][order] - 1) for order, ne in found[name].items()]
        row = {
            "form": name,
            "ne": fmean(found[name].values()),
            "gain_pct": fmean(gains),
            "gain_std_pct": stdev(gains) if len(gains) > 1 else 0.0,
            "qps_ratio": speed.qps_ratio,
            "flops": spec.cost(problem.log.inputs).flops,
        }
        rows.append(row)
        print(f"{log:<14} {name:<22} {row['gain_pct']:+.3f}% ± {row['gain_std_pct']:.3f}  QPS x{row['qps_ratio']:.2f}")
    return sorted(rows, key=lambda row: float(row["ne"]))


if __name__ == "__main__":
    main()
