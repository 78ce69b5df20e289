"""What quiet training costs: CPU seconds of whole trainings with and without it, in turn, on KuaiRand.

    python -m experiments.quiet_cost [--rounds 7] [--quick]

The tuned baseline, click, the train window; every round has each kind once, in another order.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch

from automl.ranking.model import build_model
from automl.ranking.place import busy_seconds
from automl.ranking.training import train
from automl.study.problem import Problem, load_problem
from experiments.kuairand import write_study
from experiments.record import write_result

KINDS: Mapping[str, tuple[float, bool]] = {
    "last weights": (0.0, False),
    "mean of a tenth": (0.1, False),
    "mean of a fifth": (0.2, False),
    "mean of a tenth, bias refitted": (0.1, True),
}


def main() -> None:
    """Take turns, print ratios to the last weights, write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="one round")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    problem = load_problem(write_study("quiet-cost"))
    seconds(problem, "last weights")  # warm
    rng, found = np.random.default_rng(0), {kind: list[float]() for kind in KINDS}
    for _ in range(1 if asked.quick else asked.rounds):
        for kind in rng.permutation(list(KINDS)):
            found[str(kind)].append(seconds(problem, str(kind)))
    plain = np.array(found["last weights"])
    ratios = {kind: float(np.median(np.array(of) / plain)) for kind, of in found.items() if kind != "last weights"}
    for kind, ratio in ratios.items():
        print(f"{kind:<32} {100 * (ratio - 1):+.1f}% of the training time")
    write_result(
        "quiet_cost",
        settings={"rounds": len(plain)},
        figures={"cpu_seconds": found},
        headline={kind: round(ratio, 4) for kind, ratio in ratios.items()},
    )


def seconds(problem: Problem, kind: str) -> float:
    """CPU seconds of one training."""
    average, recalibrate = KINDS[kind]
    spec = replace(problem.baseline, train=replace(problem.baseline.train, average=average, recalibrate=recalibrate))
    model = build_model(spec, problem.log.inputs, seed=1)
    start = busy_seconds()
    for _ in train(model, spec, problem.log, problem.log.windows["train"], order_seed=1, weights_seed=1):
        pass
    return busy_seconds() - start


if __name__ == "__main__":
    main()
