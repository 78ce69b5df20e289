"""The serving QPS ratio of two given models, measured ten times with the other core busy: how far does it move?

    python -m experiments.qps_repeat [--quick]

Beside it the same ratio from wall time of separate blocks, as most benchmarks take it.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time

import numpy as np
import torch

from automl.ranking.features import Features
from automl.ranking.model import RankingModel, build_model
from automl.ranking.place import CpuClock
from automl.ranking.serving import serving_graph
from automl.ranking.throughput import time_ratio, timed_batches
from automl.study.problem import load_problem
from experiments.kuairand import write_study
from experiments.record import write_result
from search_spaces.source import read_text
from search_spaces.space import model_of

OTHER = """\
embedding: {dim: 8}
interaction: [{fm: {}}]
deep: [{mlp: {width: 64}}]
"""


def main() -> None:
    """Measure, print and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="three repeats")
    repeats = 3 if parser.parse_args().quick else 10
    torch.set_num_threads(1)
    problem = load_problem(write_study("qps-repeat"))
    log = problem.log
    small = build_model(model_of(read_text(OTHER, "other")), log.inputs, seed=1)
    baseline = build_model(problem.baseline, log.inputs, seed=1)
    busy = multiprocessing.get_context("spawn").Process(target=_keep_busy, daemon=True)
    busy.start()
    time.sleep(4)
    batches = timed_batches(log, log.windows["validate"], 512)
    ours, blocks = [], []
    for _ in range(repeats):
        speed = time_ratio(small, baseline, batches, max_seconds=1.0, clock=CpuClock())
        ours.append(speed.qps_ratio)
        blocks.append(_block_seconds(baseline, batches[0]) / _block_seconds(small, batches[0]))
        print(
            f"interleaved x{ours[-1]:.3f} [{speed.qps_ratio_low:.3f}, {speed.qps_ratio_high:.3f}]   "
            f"blocks x{blocks[-1]:.3f}",
            flush=True,
        )
    busy.kill()
    spread = {name: _spread_pct(values) for name, values in (("interleaved", ours), ("wall_blocks", blocks))}
    write_result(
        "qps_repeat",
        settings={"repeats": repeats, "batch_rows": 512},
        figures={"interleaved": ours, "wall_blocks": blocks},
        headline={f"{name}_range_pct": round(value, 2) for name, value in spread.items()},
    )
    print(spread)


def _keep_busy() -> None:
    torch.set_num_threads(1)
    matrix = torch.randn(512, 512)
    while True:
        matrix @ matrix


def _block_seconds(model: RankingModel, batch: Features, count: int = 100) -> float:
    served = serving_graph(model)
    with torch.inference_mode():
        start = time.perf_counter()
        for _ in range(count):
            served(batch)
    return time.perf_counter() - start


def _spread_pct(values: list[float]) -> float:
    """Largest over smallest, in percent of the median."""
    return float(100 * (max(values) - min(values)) / np.median(values))


if __name__ == "__main__":
    main()
