"""The published models of the library on a real log, side by side: NE and speed of each space's default.

    python -m experiments.zoo [--log kuairand-ctr] [--quick]

All have the human baseline's embeddings and training, but for the two rates, the initial embeddings and their own
sizes: eight pairs of rates are tried on one order, the best is then trained on three further ones, which alone count.
The baseline is trained on the same orders. What experiments/zoo_rivals.py found stands beside it: `worst_ne_excess_pct`
is of ours over the best of the other libraries, of the models that one has. Goes on where it stopped: the runs that
ended are in the result.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from statistics import fmean, stdev
from typing import Any, TypedDict

from automl.commands.judge import time_together
from automl.data.store.log import EncodedLog
from automl.ranking.process import prepare_process
from automl.study.problem import Problem, load_problem
from experiments.live import LOGS
from experiments.one_training import measured
from experiments.record import figures_of, runs_of, write_result
from search_spaces.extends import library
from search_spaces.model import ModelSpec
from search_spaces.space import load_space

NOT_PUBLISHED = ("ctr-small", "ctr-ensemble", "ctr-history", "ctr-cvr", "ctr-large", "student-small")
RATES = tuple(product((0.02, 0.05, 0.1, 0.2), (5e-4, 1e-3)))  # of embeddings, of the dense weights
ORDERS = (1, 2, 3)
BASELINE = "baseline"


class Run(TypedDict):
    """One training: order 0 chooses the rates."""

    model: str
    rates: list[float]
    order: int
    ne: float
    train_s: float


def main() -> None:
    """Train what is left, time all together, write after each training."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--log", choices=list(LOGS), default="kuairand-ctr")
    parser.add_argument("--quick", action="store_true", help="three models, two pairs of rates")
    asked = parser.parse_args()
    prepare_process()
    problem = load_problem(LOGS[asked.log].write(f"zoo-{asked.log}"))
    name = f"zoo_{asked.log.replace('-', '_')}"
    runs: list[Run] = runs_of(name)
    models = dict(list(published(problem))[: 3 if asked.quick else None])
    chosen = {}
    for model, spec in {BASELINE: problem.baseline, **models}.items():
        rates = (0.0, 0.0)  # the baseline's own
        if model != BASELINE:
            tried = RATES[:2] if asked.quick else RATES
            rates = min(tried, key=lambda pair: trained(problem, runs, name, model, spec, pair, 0))
        found = [trained(problem, runs, name, model, spec, rates, order) for order in ORDERS]
        chosen[model] = (with_rates(spec, rates), found)
        print(f"{model:<12} NE {fmean(found):.5f} ± {stdev(found):.5f}  rates {rates}", flush=True)
    rows = table(problem, chosen)
    write(name, runs, rows)
    for row in rows:
        print(f"{row['model']:<12} {row['gain_pct']:+.2f}% ± {row['gain_std_pct']:.2f}  QPS x{row['qps_ratio']:.2f}")


def published(problem: Problem) -> Iterator[tuple[str, ModelSpec]]:
    """Defaults of the library by name, with the embeddings and the training of the baseline."""
    base = problem.baseline
    for name in library():
        if name not in NOT_PUBLISHED:
            spec = load_space(name, problem.log.inputs).default().model
            if not fits(spec, problem.log):
                continue
            embedding = replace(base.embedding, init_std=spec.embedding.init_std)
            yield name, replace(spec, embedding=embedding, train=base.train)


def fits(spec: ModelSpec, log: EncodedLog) -> bool:
    """Whether the log has the sequences, or the several labels, that a model is made for."""
    return (spec.history is None or bool(log.histories)) and (spec.tasks is None or len(log.tasks) > 1)


def with_rates(spec: ModelSpec, rates: tuple[float, float]) -> ModelSpec:
    """The model with other rates, where they are given."""
    if not any(rates):
        return spec
    of_ids, of_dense = rates
    return replace(spec, embedding=replace(spec.embedding, lr=of_ids), train=replace(spec.train, dense_lr=of_dense))


def trained(
    problem: Problem,
    runs: list[Run],
    name: str,
    model: str,
    spec: ModelSpec,
    rates: tuple[float, float],
    order: int,
) -> float:
    """NE on the validation window; what is in the result is not trained again."""
    for run in runs:
        if (run["model"], tuple(run["rates"]), run["order"]) == (model, rates, order):
            return run["ne"]
    found = measured(problem, with_rates(spec, rates), order)
    seconds = found.seconds.get("train", 0.0)
    runs.append({"model": model, "rates": list(rates), "order": order, "ne": found.ne, "train_s": seconds})
    write(name, runs, [])
    return found.ne


def table(problem: Problem, chosen: dict[str, tuple[ModelSpec, list[float]]]) -> list[dict[str, Any]]:
    """A row a model, lowest NE first: gain over the baseline order by order, and speed against it."""
    base = chosen[BASELINE][1]
    speeds = time_together(problem, problem.log, [spec for spec, _ in chosen.values()])
    rows = []
    for (model, (spec, found)), speed in zip(chosen.items(), speeds, strict=True):
        gains = [100 * (ne / of_base - 1) for ne, of_base in zip(found, base, strict=True)]
        cost = spec.cost(problem.log.inputs)
        rows.append(
            {
                "model": model,
                "ne": fmean(found),
                "gain_pct": fmean(gains),
                "gain_std_pct": stdev(gains),
                "qps_ratio": speed.qps_ratio,
                "flops": cost.flops,
                "lr": [spec.embedding.lr, spec.train.dense_lr],
            }
        )
    return sorted(rows, key=lambda row: float(row["ne"]))


def write(name: str, runs: list[Run], rows: list[dict[str, Any]]) -> None:
    """All runs so far, and the table once all are there."""
    rivals = figures_of("zoo_rivals").get("table", []) if rows else []
    excess = {
        row["model"]: 100 * (row["ne"] / min(theirs) - 1)
        for row in rows
        if (theirs := [rival["ne"] for rival in rivals if rival["model"] == row["model"]])
    }
    headline = {"best": rows[0]["model"], "best_gain_pct": rows[0]["gain_pct"]} if rows else {}
    worst = {"worst_ne_excess_pct": max(excess.values())} if excess else {}
    write_result(
        name,
        settings={"rates": RATES, "orders": ORDERS},
        figures={"runs": runs, "table": rows, "rivals": rivals, "ne_excess_pct": excess},
        headline={**headline, **worst},
    )


if __name__ == "__main__":
    main()
