"""Do features of the past pay? The tuned baseline with and without counters and gaps, on two real logs.

    python -m experiments.past_pays --log kuairand-ctr|completejourney [--orders 5] [--quick]

Every kind on the same orders, scored on the validation window; differences order by order. Goes on where it stopped.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, TypedDict

import torch
from ruamel.yaml import YAML
from scipy.stats import t as student_t

from automl.study.problem import load_problem
from experiments.live import LOGS
from experiments.one_training import measured
from experiments.record import runs_of, write_result

Past = Mapping[str, Any]
_KUAIRAND_COUNTERS = {"keys": ["user_id", "video_id", "author_id", ["user_id", "tag"]], "labels": ["is_click"]}
_KUAIRAND_RECENT = {"keys": ["user_id", "video_id", ["user_id", "author_id"]], "within": "3d"}
_PAIR = ["household_id", "product_id"]
_JOURNEY_RECENT = {"keys": [_PAIR, ["household_id", "product_category"], "household_id"], "within": "56d"}
_JOURNEY_COUNTERS = {"keys": [_PAIR, "product_id", "household_id"], "labels": ["bought_again"], "delay": "28d"}
BY_HAND = ("times_bought", "days_since")  # what the log of The Complete Journey brings of the past

# log -> name of a kind -> what it has of the past; the first one is what the others are held against
KINDS: Mapping[str, Mapping[str, Past]] = {
    "kuairand-ctr": {
        "none": {},
        "counters": {"counters": _KUAIRAND_COUNTERS},
        "recent": {"recent": _KUAIRAND_RECENT},
        "both": {"counters": _KUAIRAND_COUNTERS, "recent": _KUAIRAND_RECENT},
    },
    "completejourney": {
        "none": {},
        "by hand": {"dense": BY_HAND},
        "recent": {"recent": _JOURNEY_RECENT},
        "counters": {"counters": _JOURNEY_COUNTERS},
        "both": {"counters": _JOURNEY_COUNTERS, "recent": _JOURNEY_RECENT},
    },
}


class Run(TypedDict):
    """One training."""

    kind: str
    order: int
    ne: float


def main() -> None:
    """Train what is left, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--log", choices=list(KINDS), required=True)
    parser.add_argument("--orders", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="two orders")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    orders = 2 if asked.quick else asked.orders
    name = f"past_pays_{asked.log.replace('-', '_')}"
    runs: list[Run] = runs_of(name)
    for kind, past in KINDS[asked.log].items():
        problem = load_problem(study(asked.log, kind, past))
        done = {run["order"] for run in runs if run["kind"] == kind}
        for order in (order for order in range(orders) if order not in done):
            runs.append({"kind": kind, "order": order, "ne": measured(problem, problem.baseline, order).ne})
            write_result(name, settings={"orders": orders}, figures={"runs": runs}, headline=table(runs))
    for kind, row in table(runs).items():
        print(f"{kind:<12}", row)


def study(log: str, kind: str, past: Past) -> Path:
    """A study of the log with these features of the past and no others."""
    file = LOGS[log].write(f"past-{log}-{kind.replace(' ', '-')}")
    yaml = YAML()
    tree = yaml.load(file.read_text())
    features = tree["data"]["features"]
    for column in BY_HAND:
        if column not in past.get("dense", ()):
            features["dense"].pop(column, None)
    features.update({name: told for name, told in past.items() if name != "dense"})
    yaml.dump(tree, file)
    return file


def table(runs: list[Run]) -> dict[str, dict[str, Any]]:
    """Of each kind its NE, and its difference to the first kind in percent, with an interval of 95%."""
    by_kind: dict[str, dict[int, float]] = {}
    for run in runs:
        by_kind.setdefault(run["kind"], {})[run["order"]] = run["ne"]
    first = next(iter(by_kind.values()))
    shown: dict[str, dict[str, Any]] = {}
    for kind, of_order in by_kind.items():
        both = sorted(first.keys() & of_order.keys())
        shown[kind] = {"ne": round(fmean(of_order.values()), 5)}
        if of_order is not first and len(both) > 1:
            pct = [100 * (of_order[order] / first[order] - 1) for order in both]
            half = float(student_t.ppf(0.975, len(pct) - 1)) * stdev(pct) / len(pct) ** 0.5
            shown[kind] |= {"pct": round(fmean(pct), 3), "low": round(fmean(pct) - half, 3)}
            shown[kind] |= {"high": round(fmean(pct) + half, 3)}
    return shown


if __name__ == "__main__":
    main()
