"""What fewer bits cost and bring where a model serves: NE and speed of exported graphs in fp32, bf16 and int8.

    python -m experiments.served_numbers [--quick]

KuaiRand CTR: the human baseline, the same with full cross layers, and models of the library at the rates of
experiments/zoo.py, trained on three orders. NE of the test window against fp32 of the same training; speed of the
loaded graphs at batches of 1, 64 and 512, timed in turn by CPU time of one thread. Goes on where it stopped.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any

import numpy as np
import torch
from torch import Tensor

from automl.ranking.export import exported_program
from automl.ranking.features import read
from automl.ranking.graph_inputs import graph_tensors
from automl.ranking.graphs import load_graph
from automl.ranking.lean import spans_of
from automl.ranking.model import Ranker, build_model
from automl.ranking.narrow import Narrow
from automl.ranking.process import prepare_process
from automl.ranking.scoring import logits_of, probabilities_of
from automl.runtime.jobs import TrainModel
from automl.runtime.work import train_and_score
from automl.stats.metrics import ne
from automl.stats.seeds import trial_seeds
from automl.study.problem import Problem, load_problem
from experiments.live import LOGS
from experiments.merged_fields import usual_models
from experiments.record import runs_of, write_result
from experiments.zoo import BASELINE
from search_spaces.blocks import Cross
from search_spaces.model import Layer, ModelSpec

NAME, LOG, FULL = "served_numbers", "kuairand-ctr", "full cross"
MODELS = (BASELINE, "masknet", "finalmlp", "rankmixer")
ORDERS = (1, 2, 3)
BATCHES = {1: 400, 64: 150, 512: 40}  # rows of a batch: how often
DIFFERENT = 8  # batches of a size
SPAN_ROWS = 8192

Graphs = Mapping[str, Callable[..., Tensor]]


def main() -> None:
    """Train what is left, write after each training."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the baseline, on one order")
    quick = parser.parse_args().quick
    orders = ORDERS[:1] if quick else ORDERS
    prepare_process(1)
    problem = load_problem(LOGS[LOG].write(f"zoo-{LOG}"))
    runs: list[dict[str, Any]] = runs_of(NAME)
    for name, spec in models(problem, quick).items():
        for order in orders:
            if (name, order) not in {(run["model"], run["order"]) for run in runs}:
                runs.append({"model": name, "order": order, **judged(problem, trained(problem, spec, order))})
                print(name, order, {key: round(value, 4) for key, value in runs[-1].items() if "_" in key}, flush=True)
                write_result(NAME, settings={"orders": orders}, figures={"runs": runs}, headline={})
    rows = table(runs)
    for row in rows:
        print(row)
    worst = {f"{kind}_worst_pct": max(row[f"{kind}_pct"] for row in rows) for kind in ("bf16", "int8")}
    speed = {f"{kind}_512": rows[0][f"{kind}_512"] for kind in ("bf16", "int8")}
    write_result(NAME, settings={"orders": orders}, figures={"runs": runs, "table": rows}, headline={**worst, **speed})


def models(problem: Problem, quick: bool) -> dict[str, ModelSpec]:
    """By name; with `quick` the first alone."""
    found = usual_models(problem, MODELS)
    found[FULL] = replace(found[BASELINE], interaction=(Layer((Cross(rank=0),)),) * 2)
    return {BASELINE: found[BASELINE]} if quick else found


def trained(problem: Problem, spec: ModelSpec, order: int) -> Ranker:
    """As the search trains it."""
    seeds = trial_seeds(0, order)
    model = build_model(spec, problem.log.inputs, seed=0)
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "weights.pt"
        asked = TrainModel(
            model=spec.to_tree(),
            log=str(problem.log.folder),
            weights_seed=seeds["weights"],
            order_seed=seeds["order"],
            weights=str(weights),
        )
        last = list(train_and_score(asked))[-1]
        assert last.failure is None, last.failure
        model.load_state_dict(torch.load(weights, weights_only=True))
    return model.eval()


def judged(problem: Problem, model: Ranker) -> dict[str, float]:
    """NE against fp32 in percent, and how many times as fast, by numbers."""
    log, window = problem.log, problem.log.windows["test"]
    program, held = exported_program(model), BytesIO()
    torch.export.save(program, held)
    rows = np.unique(np.linspace(0, log.windows["train"].stop - 1, SPAN_ROWS).astype(np.int64))
    spans = spans_of(program, graph_tensors(read(log, rows), ()))
    kinds = {"fp32": None, "bf16": Narrow("bf16"), "int8": Narrow("int8", spans)}
    graphs = {kind: load_graph(held.getvalue(), narrow) for kind, narrow in kinds.items()}
    nes = {}
    for kind, graph in graphs.items():
        logits = logits_of(lambda part, graph=graph: graph(*graph_tensors(part, ())), read(log, window).parts())  # type: ignore[misc]
        nes[kind] = ne(log.labels_N[window], probabilities_of(logits))
    found = {f"{kind}_pct": 100 * (nes[kind] / nes["fp32"] - 1) for kind in ("bf16", "int8")}
    for size in BATCHES:
        seconds = timed(problem, graphs, size)
        found |= {f"{kind}_{size}": seconds["fp32"] / seconds[kind] for kind in ("bf16", "int8")}
    return found


def timed(problem: Problem, graphs: Graphs, size: int) -> dict[str, float]:
    """CPU seconds of a batch, the median of each."""
    start = problem.log.windows["test"].start
    parts = [slice(start + k * size, start + (k + 1) * size) for k in range(DIFFERENT)]
    batches = [graph_tensors(read(problem.log, part), ()) for part in parts]
    seconds: dict[str, list[float]] = {kind: [] for kind in graphs}
    with torch.inference_mode():
        for number in range(-5, BATCHES[size]):
            for kind, graph in graphs.items():
                begin = time.thread_time_ns()
                graph(*batches[number % DIFFERENT])
                if number >= 0:
                    seconds[kind].append((time.thread_time_ns() - begin) / 1e9)
    return {kind: median(spent) for kind, spent in seconds.items()}


def table(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row a model: means over the orders, the spread of NE."""
    rows = []
    for name in dict.fromkeys(run["model"] for run in runs):
        own = [run for run in runs if run["model"] == name]
        row: dict[str, Any] = {"model": name}
        for key in (key for key in own[0] if "_" in key):
            values = [run[key] for run in own]
            row[key] = round(fmean(values), 4)
            if key.endswith("_pct"):
                row[f"{key}_std"] = round(stdev(values), 4) if len(values) > 1 else 0.0
        rows.append(row)
    return rows


if __name__ == "__main__":
    main()
