"""Published models of other libraries on the rows of experiments/zoo.py: NE of each, beside ours in its table.

    AUTOML_RIVALS=FOLDER python -m experiments.zoo_rivals [--quick]

Sizes are those of our defaults, the tower 128-128 with dropout .1, E 16, batch 512. They have one rate, of Adam: it is
halved or doubled from 1e-3 for as long as NE gets lower, six tries at most, on one order; the best is trained on three
further ones, which alone are told. Everything else is the library's default. Goes on where it stopped.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

import torch

from automl.ranking.process import prepare_process
from automl.stats.metrics import NESums
from automl.study.problem import load_problem
from experiments.live import LOGS
from experiments.record import runs_of, write_result
from experiments.rivals.made import Wanted, found, make
from experiments.rivals.rows import Rows, of_log

NAME, LOG = "zoo_rivals", "kuairand-ctr"
ORDERS, BATCH, START, TRIES = (1, 2, 3), 512, 1e-3, 6
TOWER = (128, 128)
WANTED = (
    Wanted("dcnv2", 16, TOWER, 0.1, layers=2),
    Wanted("deepfm", 16, TOWER, 0.1),
    Wanted("dlrm", 16, TOWER, 0.1),
    Wanted("autoint", 16, TOWER, 0.1, layers=3, heads=2),
    Wanted("xdeepfm", 16, TOWER, 0.1, layers=2, width=16),
)


@dataclass(frozen=True, slots=True)
class Record:
    """What was found so far, as it stands in the file."""

    runs: list[dict[str, Any]]
    table: list[dict[str, Any]]
    left_out: dict[str, str]

    def write(self) -> None:
        write_result(
            NAME,
            settings={"left_out": self.left_out, "batch": BATCH},
            figures={"runs": self.runs, "table": self.table},
            headline={},
        )


def main() -> None:
    """Train what is left, write after each training."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one model")
    asked = parser.parse_args()
    prepare_process()
    problem = load_problem(LOGS[LOG].write(f"zoo-{LOG}"))
    train, validate = (of_log(problem.log, window, 2) for window in ("train", "validate"))
    there = found()
    left_out = {name: reason for name, reason in there.items() if reason}
    record = Record(runs_of(NAME), [], left_out)
    for wanted in WANTED[: 1 if asked.quick else None]:
        for library, reason in there.items():
            if reason or make(library, wanted, train[:BATCH], START, 0) is None:
                continue
            lr = min(tried(record, library, wanted, train, validate), key=lambda pair: pair[1])[0]
            nes = [ne_of(record, library, wanted, lr, order, train, validate) for order in ORDERS]
            row = {"library": library, "model": wanted.model, "lr": lr, "ne": fmean(nes), "ne_std": stdev(nes)}
            record.table.append(row)
            record.write()
            print(json.dumps(row), flush=True)


def tried(record: Record, library: str, wanted: Wanted, train: Rows, validate: Rows) -> Iterator[tuple[float, float]]:
    """Rates and what they came to."""
    first = ne_of(record, library, wanted, START, 0, train, validate)
    yield START, first
    left = TRIES - 1
    for step in (2.0, 0.5):
        best, lr = first, START * step
        while left:
            left -= 1
            ne = ne_of(record, library, wanted, lr, 0, train, validate)
            yield lr, ne
            if ne >= best:
                break
            best, lr = ne, lr * step
        if best < first:
            return


def ne_of(record: Record, library: str, wanted: Wanted, lr: float, order: int, train: Rows, validate: Rows) -> float:
    """NE on the validation window of one pass; what is in the result is not trained again."""
    key = {"library": library, "model": wanted.model, "lr": lr, "order": order}
    for run in record.runs:
        if {name: run[name] for name in key} == key:
            return float(run["ne"])
    made = make(library, wanted, train, lr, seed=1000 + order)
    assert made is not None
    torch.manual_seed(order)
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        made.learn(made.loader(train, BATCH))
    made.module.eval()
    with torch.no_grad():
        predicted = made.probabilities(made.inputs(validate)).double().numpy()
    ne = float(NESums.of(validate.labels_N, predicted, validate.weights_N).ne)
    record.runs.append({**key, "ne": ne})
    record.write()
    print(json.dumps(record.runs[-1]), flush=True)
    return ne


if __name__ == "__main__":
    main()
