"""Inference speed beside other libraries: rows a second of one thread at batches of 1, 64, 512 and 4096.

    AUTOML_RIVALS=FOLDER python -m experiments.inference_speed [--quick]

DCN-V2 with full cross on KuaiRand, untrained. Ours as it is scored (the serving graph) and as `automl export` writes
it, loaded again, in fp32, bf16 and int8; theirs in eval mode without gradients, their inputs ready as tensors. All are
timed in turn, batch by batch, there and back, by CPU time of the thread; a rate is that of the median.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from io import BytesIO
from statistics import median
from typing import Any

import torch

from automl.ranking.export import exported_program
from automl.ranking.features import Features, read
from automl.ranking.graph_inputs import graph_tensors
from automl.ranking.graphs import load_graph
from automl.ranking.lean import spans_of
from automl.ranking.model import build_model
from automl.ranking.narrow import Narrow
from automl.ranking.process import prepare_process
from automl.ranking.serving import serving_graph
from experiments.record import write_result
from experiments.rivals.cases import CASES, LR
from experiments.rivals.made import found, make
from experiments.rivals.rows import Rows

BATCHES = {1: 400, 64: 200, 512: 60, 4096: 12}  # rows of a batch: how often
DIFFERENT = 8  # batches of a size, so that no row stays in the cache for all
EAGER, EXPORTED, BF16, INT8 = "ours eager", "ours exported", "ours exported, bf16", "ours exported, int8"
OURS = (EAGER, EXPORTED, BF16, INT8)
SPAN_ROWS = 4096

Score = Callable[[Rows], Callable[[], object]]


def main() -> None:
    """Time all, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the repeats")
    asked = parser.parse_args()
    prepare_process()
    rows = CASES["kuairand"].rows()
    there = found()
    for name, reason in there.items():
        if reason:
            print(f"{name} is left out: {reason}")
    scores = {**ours(rows), **theirs(rows, [name for name, reason in there.items() if not reason])}
    rates: dict[int, dict[str, float]] = {}
    for size, repeats in BATCHES.items():
        rates[size] = timed(scores, rows, size, max(2, repeats // 10 if asked.quick else repeats))
        print(size, {name: round(rate) for name, rate in rates[size].items()}, flush=True)
    write_result(
        "inference_speed",
        settings={"model": "dcnv2", "left_out": {name: reason for name, reason in there.items() if reason}},
        figures={"rows_per_s": {str(size): of for size, of in rates.items()}},
        headline=headline(rates),
    )


def ours(rows: Rows) -> dict[str, Score]:
    """The serving graph, and the graph of an exported file."""
    model = build_model(CASES["kuairand"].spec(), rows.inputs, seed=1)
    eager, held, program = serving_graph(model), BytesIO(), exported_program(model)
    torch.export.save(program, held)
    spans = spans_of(program, graph_tensors(_features(rows[:SPAN_ROWS]), ()))
    kinds = {EXPORTED: None, BF16: Narrow("bf16"), INT8: Narrow("int8", spans)}
    graphs = {name: load_graph(held.getvalue(), narrow) for name, narrow in kinds.items()}
    return {
        EAGER: lambda part: _call(eager, _features(part)),
        **{
            name: lambda part, graph=graph: _call(graph, *graph_tensors(_features(part), ()))  # type: ignore[misc]
            for name, graph in graphs.items()
        },
    }


def theirs(rows: Rows, libraries: list[str]) -> dict[str, Score]:
    """Forward passes of the others."""
    made = {name: make(name, CASES["kuairand"].wanted, rows, LR, seed=1) for name in libraries}
    scores: dict[str, Score] = {}
    for name, model in made.items():
        if model is not None:
            model.module.eval()
            scores[name] = lambda part, model=model: _call(model.probabilities, model.inputs(part))  # type: ignore[misc]
    return scores


def _features(part: Rows) -> Features:
    return read(part, slice(0, len(part)))


def _call(function: Callable[..., object], *inputs: Any) -> Callable[[], object]:
    return lambda: function(*inputs)


def timed(scores: Mapping[str, Score], rows: Rows, size: int, repeats: int) -> dict[str, float]:
    """Rows a CPU second of each."""
    parts = [rows[size * k : size * (k + 1)] for k in range(DIFFERENT)]
    ready = {name: [score(part) for part in parts] for name, score in scores.items()}
    seconds: dict[str, list[float]] = {name: [] for name in scores}
    order = [*ready, *reversed(ready)]
    with torch.inference_mode():
        for number in range(-2, repeats):
            for name in order:
                run = ready[name][number % DIFFERENT]
                start = time.thread_time_ns()
                run()
                if number >= 0:
                    seconds[name].append((time.thread_time_ns() - start) / 1e9)
    return {name: size / median(spent) for name, spent in seconds.items()}


def headline(rates: Mapping[int, Mapping[str, float]]) -> dict[str, float]:
    """Ours, exported, in fewer bits and eager, over the fastest of theirs."""
    told = {}
    for size, of in rates.items():
        theirs = [rate for name, rate in of.items() if name not in OURS]
        if theirs:
            told[f"ratio_b{size}"] = round(of[EXPORTED] / max(theirs), 2)
            for name, word in ((EAGER, "eager"), (BF16, "bf16"), (INT8, "int8")):
                told[f"ratio_b{size}_{word}"] = round(of[name] / max(theirs), 2)
    return told


if __name__ == "__main__":
    main()
