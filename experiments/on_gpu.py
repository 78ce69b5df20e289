"""Training on a GPU beside one core of a processor, and how steady speed is that is timed there.

    python -m experiments.on_gpu [--rows 100000]

The tuned DCN-V2 of KuaiRand, as it is and widened to 8 and 50 times its FLOPs: rows a second on both, from the same
seeds, and the NE that they end with. Then each one's QPS ratio to the first, five times by either clock. Writes
experiments/results/on_gpu.json.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from automl.data.store.log import EncodedLog
from automl.ranking.model import build_model
from automl.ranking.place import Kind, clock_of, device_of, module_to
from automl.ranking.process import prepare_process
from automl.ranking.scoring import score
from automl.ranking.throughput import time_ratio, timed_batches
from automl.ranking.training import train
from automl.stats.metrics import ne
from automl.study.problem import load_problem
from experiments import kuairand
from experiments.record import write_result
from search_spaces.model import ModelSpec
from search_spaces.widened import widened

SCALES = (1.0, 8.0, 50.0)
BATCHES = (512, 4096)
WARM_ROWS = 20_480
TIMED = 5
KINDS: tuple[Kind, ...] = ("cpu", "gpu")


def main() -> None:
    """Measure, print and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000, help="to train on, from the start of the window")
    asked = parser.parse_args()
    prepare_process()
    name = torch.cuda.get_device_name(device_of("gpu"))
    problem = load_problem(kuairand.write_study("on-gpu", split=kuairand.WEEK))
    log, brought = problem.log, problem.baseline
    flops = brought.cost(log.inputs).flops
    models = {scale: brought if scale == 1 else widened(brought, log.inputs, scale * flops) for scale in SCALES}
    runs = [
        run
        for scale, model in models.items()
        for batch in BATCHES
        for run in pair(log, model, scale, batch, asked.rows)
    ]
    speeds = [speed_of(log, models[scale], brought, scale, kind) for scale in SCALES for kind in KINDS]
    for told in (*runs, *speeds):
        print(told, flush=True)
    at = {(run["scale"], run["batch"], run["kind"]): run for run in runs}
    headline = {
        f"rows_per_s_ratio_{scale:g}x_{batch}": round(
            at[scale, batch, "gpu"]["rows_per_s"] / at[scale, batch, "cpu"]["rows_per_s"], 1
        )
        for scale in SCALES
        for batch in BATCHES
    }
    headline["worst_ne_difference_pct"] = max(
        round(100 * abs(run["ne"] / at[run["scale"], run["batch"], "cpu"]["ne"] - 1), 4) for run in runs
    )
    settings = {"rows": asked.rows, "gpu": name}
    print(write_result("on_gpu", settings=settings, figures={"runs": runs, "speeds": speeds}, headline=headline))


def pair(log: EncodedLog, model: ModelSpec, scale: float, batch: int, rows: int) -> list[dict[str, Any]]:
    """A model trained on either kind of device."""
    spec = replace(model, train=replace(model.train, batch_size=batch))
    trained(log, spec, slice(0, WARM_ROWS), "gpu")
    found = []
    for kind in KINDS:
        seconds, quality = trained(log, spec, slice(0, rows), kind)
        run = {"scale": scale, "batch": batch, "kind": kind, "rows_per_s": rows / seconds, "ne": quality}
        found.append(run)
    return found


def trained(log: EncodedLog, spec: ModelSpec, rows: slice, kind: Kind) -> tuple[float, float]:
    """Seconds of the wall clock of one pass, and NE on the validation window."""
    model = module_to(build_model(spec, log.inputs, seed=1), device_of(kind))
    window = log.windows["validate"]
    start = time.perf_counter()
    for _ in train(model, spec, log, rows, order_seed=1, weights_seed=1, points=2, steppers=None):
        pass
    seconds = time.perf_counter() - start
    return seconds, ne(log.labels_N[window], score(model, log, window))


def speed_of(log: EncodedLog, model: ModelSpec, reference: ModelSpec, scale: float, kind: Kind) -> dict[str, Any]:
    """Its QPS ratio to the reference, again and again."""
    ours, theirs = (build_model(spec, log.inputs, seed=1) for spec in (model, reference))
    batches = timed_batches(log, log.windows["validate"], 512)
    ratios = [time_ratio(ours, theirs, batches, max_seconds=0.6, clock=clock_of(kind)).qps_ratio for _ in range(TIMED)]
    spread = 100 * float(np.std(ratios, ddof=1) / np.mean(ratios))
    return {"scale": scale, "clock": kind, "qps_ratio": float(np.mean(ratios)), "spread_pct": spread}


if __name__ == "__main__":
    main()
