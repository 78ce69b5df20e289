"""What capacity brings: NE of DHEN, Wukong and RankMixer from 1 to 50 times the baseline's FLOPs, and its slope.

    python -m experiments.scaling [--log kuairand-ctr|simulated] [--quick]

Each family has a form that grows: its layers are given by the size, its width is the one that comes nearest to the
FLOPs. Embeddings are the baseline's at every size; the rate of the dense weights is too at size 1, and falls as the
width grows (arXiv 2203.03466: Adam's steps move a wide layer's outputs in proportion to its width). The top is trained
in bfloat16. Of each order a line
NE = NE0 - eta ln(C / C0) is fitted over the sizes, C the FLOPs of a row and C0 the baseline's; told is the mean of eta
over the orders with its interval of 95%. NE of the validation window. Goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
from scipy.stats import t as student

from automl.data.simulated.log import simulate
from automl.ranking.process import prepare_process
from automl.study.problem import Problem, load_problem
from experiments.live import LOGS
from experiments.one_training import measured
from experiments.record import runs_of, write_result
from experiments.studies import STUDIES
from search_spaces.blocks import Attention, Cross, Dot, Linear, Mlp, Rankmixer, Wukong
from search_spaces.model import InputShape, Layer, ModelSpec

SIZES = (1, 3, 10, 25, 50)
ORDERS = (1, 2, 3)
LAYERS = {1: 1, 3: 2, 10: 3, 25: 4, 50: 6}
WIDEST = {"dhen": 4096, "wukong": 4096, "rankmixer": 1024}  # the last by what its block allows
STEP = 8
ROWS = 300_000
SIMULATED = """\
name: scaling
data:
  path: log/log.parquet
  join: [{path: log/users.parquet, on: user_id}, {path: log/items.parquet, on: item_id}]
  time: {column: time_ms, unit: ms}
  label: click
  features:
    categorical: {user_id: {min_count: 2}, item_id: {}, category: {}, device: {}, tab: {}, "@hour": {}}
    dense: {price: {transform: log}, duration_ms: {}}
  split: {train: [2024-03-04, 2024-03-09], validate: [2024-03-10, 2024-03-10], test: [2024-03-11, 2024-03-11]}
space: ctr-small
baseline: baseline.yaml
"""
BASELINE = """\
embedding: {dim: 16, lr: 0.1}
interaction: [{cross: {rank: 32}}, {cross: {rank: 32}}]
deep: [{mlp: {width: 256}}, {mlp: {width: 128}}]
train: {batch_size: 512, dense_lr: 0.001}
"""


def main() -> None:
    """Train what is left, write after each training."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--log", choices=["kuairand-ctr", "simulated"], default="kuairand-ctr")
    parser.add_argument("--quick", action="store_true", help="three sizes, two orders")
    asked = parser.parse_args()
    sizes, orders = ((1, 3, 10), ORDERS[:2]) if asked.quick else (SIZES, ORDERS)
    prepare_process()
    problem = load_problem(LOGS[asked.log].write("scaling-kuairand") if asked.log != "simulated" else simulated())
    name = f"scaling_{asked.log.replace('-', '_')}"
    runs: list[dict[str, Any]] = runs_of(name)
    base = problem.baseline.cost(problem.log.inputs).flops
    table = []
    for size in sizes:
        for family, made in FAMILIES.items():
            spec = grown(problem, made, size, WIDEST[family])
            found = [trained(problem, runs, name, f"{family} x{size}", spec, order) for order in orders]
            cost = spec.cost(problem.log.inputs)
            table.append({"family": family, "size": size, "flops": cost.flops, "params": cost.params, "ne": found})
            print(f"{family:<10} x{cost.flops / base:<5.1f} NE {fmean(found):.5f} ± {stdev(found):.5f}", flush=True)
    slopes = {family: slope([row for row in table if row["family"] == family], base) for family in FAMILIES}
    print(json.dumps(slopes, indent=1))
    headline = {f"eta_{family}": round(slopes[family]["eta"], 6) for family in slopes}
    figures = {"baseline_flops": base, "runs": runs, "table": table, "slopes": slopes}
    write_result(name, settings={"sizes": sizes, "orders": orders}, figures=figures, headline=headline)


def dhen(layers: int, width: int) -> ModelSpec:
    """Layers of pairs, attention, a mix of fields and a cross layer side by side, under a tower."""
    blocks = (Dot(compress=max(2, width // 8)), Attention(heads=2), Linear(), Cross(rank=width))
    return ModelSpec(interaction=(Layer(blocks, "sum"),) * layers, deep=(Mlp(width=2 * width), Mlp(width=width)))


def wukong(layers: int, width: int) -> ModelSpec:
    """Layers of factorisation machines, under a tower."""
    layer = Layer((Wukong(rank=max(4, width // 32), width=width),))
    return ModelSpec(interaction=(layer,) * layers, deep=(Mlp(width=width), Mlp(width=max(8, width // 2))))


def rankmixer(layers: int, width: int) -> ModelSpec:
    """Eight tokens of that width, beside nothing else."""
    block = Rankmixer(tokens=8, head_dim=max(1, width // 8), layers=layers)
    return ModelSpec(interaction=(Layer((block,)),), deep=(Mlp(width=max(8, width)),))


FAMILIES: Mapping[str, Callable[[int, int], ModelSpec]] = {"dhen": dhen, "wukong": wukong, "rankmixer": rankmixer}


def grown(problem: Problem, made: Callable[[int, int], ModelSpec], size: int, widest: int) -> ModelSpec:
    """The form of that size, with the baseline's embeddings and training but for what its width asks for."""
    width, least = (nearest(problem, partial(made, LAYERS[one]), one, widest) for one in (size, 1))
    base = problem.baseline
    train = replace(base.train, precision="bf16", dense_lr=base.train.dense_lr * least / width)
    return replace(made(LAYERS[size], width), embedding=base.embedding, train=train)


def nearest(problem: Problem, made: Callable[[int], ModelSpec], size: int, widest: int) -> int:
    """The width whose FLOPs are nearest to so many times the baseline's."""
    inputs: InputShape = problem.log.inputs
    base = problem.baseline
    flops = size * base.cost(inputs).flops

    def off(width: int) -> float:
        return abs(math.log(replace(made(width), embedding=base.embedding).cost(inputs).flops / flops))

    return min(range(STEP, widest + 1, STEP), key=off)


def trained(problem: Problem, runs: list[dict[str, Any]], name: str, model: str, spec: ModelSpec, order: int) -> float:
    """NE on the validation window; what is in the result is not trained again."""
    for run in runs:
        if (run["model"], run["key"], run["order"]) == (model, spec.key, order):
            return float(run["ne"])
    found = measured(problem, spec, order)
    seconds = found.seconds.get("train", 0.0)
    runs.append({"model": model, "key": spec.key, "order": order, "ne": found.ne, "train_s": seconds})
    write_result(name, settings={}, figures={"runs": runs}, headline={})
    return found.ne


def slope(rows: list[dict[str, Any]], base: float) -> dict[str, float]:
    """eta over the sizes of a family: mean over the orders, and its interval of 95%."""
    sizes = np.array([math.log(row["flops"] / base) for row in rows])
    etas = [-float(np.polyfit(sizes, [row["ne"][order] for row in rows], 1)[0]) for order in range(len(rows[0]["ne"]))]
    half = float(student.ppf(0.975, len(etas) - 1)) * stdev(etas) / math.sqrt(len(etas))
    return {"eta": fmean(etas), "low": fmean(etas) - half, "high": fmean(etas) + half}


def simulated() -> Path:
    """A study over a made-up log of 300,000 rows."""
    folder = STUDIES / "scaling-simulated"
    if not (folder / "log").exists():
        simulate(folder / "log", rows=ROWS, seed=11)
    (folder / "study.yaml").write_text(SIMULATED)
    (folder / "baseline.yaml").write_text(BASELINE)
    return folder / "study.yaml"


if __name__ == "__main__":
    main()
