"""Optimizers of the embedding rows and of the dense weights: NE of one model with each, at two rates and on two orders.

    python -m experiments.optimizers [--quick]

The model is the library's `dcnv2`; where rows are varied the dense weights learn by Adam at the rate of
experiments/zoo.py, where dense weights are varied the rows by row-wise Adagrad at its rate. Goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

from automl.ranking.process import prepare_process
from automl.study.problem import load_problem
from experiments.live import LOGS
from experiments.record import figures_of, runs_of, write_result
from experiments.zoo import Run, published, trained
from search_spaces.model import ModelSpec

NAME, ZOO, LOG, MODEL = "optimizers", "zoo_kuairand_ctr", "kuairand-ctr", "dcnv2"
ORDERS = (1, 2)
OF_ROWS = {"rowwise_adagrad": (0.1, 0.2), "adagrad": (0.1, 0.2), "adam": (3e-3, 1e-2), "sgd": (3.0, 10.0)}
OF_DENSE = {"adam": (5e-4, 1e-3), "adagrad": (0.003, 0.01), "sgd": (0.03, 0.1)}


@dataclass(frozen=True, slots=True)
class Case:
    """One part of the model with one optimizer, at one rate."""

    part: str
    optimizer: str
    rate: float
    model: ModelSpec

    @property
    def name(self) -> str:
        return f"{self.part} {self.optimizer}"


def cases(usual: ModelSpec) -> Iterator[Case]:
    """All that is compared; `usual` has the rates of the zoo."""
    for name, rates in OF_ROWS.items():
        for rate in rates:
            embedding = replace(usual.embedding, optimizer=name, lr=rate)
            yield Case("rows", name, rate, replace(usual, embedding=embedding))
    for name, rates in OF_DENSE.items():
        for rate in rates:
            yield Case("dense", name, rate, replace(usual, train=replace(usual.train, optimizer=name, dense_lr=rate)))


def main() -> None:
    """Train what is left, and hold each against the usual one at the better of its rates."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one order")
    orders = ORDERS[:1] if parser.parse_args().quick else ORDERS
    prepare_process()
    problem = load_problem(LOGS[LOG].write(f"zoo-{LOG}"))
    runs: list[Run] = runs_of(NAME)
    lr, dense_lr = next(row["lr"] for row in figures_of(ZOO)["table"] if row["model"] == MODEL)
    base = dict(published(problem))[MODEL]
    usual = replace(base, embedding=replace(base.embedding, lr=lr), train=replace(base.train, dense_lr=dense_lr))
    table: list[dict[str, Any]] = []
    for case in cases(usual):
        rates = (case.model.embedding.lr, case.model.train.dense_lr)
        found = [trained(problem, runs, NAME, case.name, case.model, rates, order) for order in orders]
        seconds = [run["train_s"] for run in runs if run["model"] == case.name and run["rates"] == list(rates)]
        row = {"part": case.part, "optimizer": case.optimizer, "rate": case.rate, "nes": found, "ne": fmean(found)}
        table.append({**row, "train_s": round(fmean(seconds), 1)})
        print(json.dumps(table[-1]), flush=True)
    of_usual = {part: _best(table, part, name) for part, name in (("rows", "rowwise_adagrad"), ("dense", "adam"))}
    for row in table:
        row["change_pct"] = round(100 * (row["ne"] / of_usual[row["part"]] - 1), 3)
    write_result(
        NAME,
        settings={"orders": orders, "log": LOG, "model": MODEL},
        figures={"runs": runs, "table": table},
        headline={
            f"{part}_{name}_change_pct": round(100 * (_best(table, part, name) / of_usual[part] - 1), 3)
            for part, names in (("rows", OF_ROWS), ("dense", OF_DENSE))
            for name in names
        },
    )


def _best(table: list[dict[str, Any]], part: str, optimizer: str) -> float:
    """NE at the better of its rates."""
    return min(float(row["ne"]) for row in table if (row["part"], row["optimizer"]) == (part, optimizer))


if __name__ == "__main__":
    main()
