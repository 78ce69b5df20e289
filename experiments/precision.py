"""NE of models trained in bfloat16 beside the same in fp32, order by order, and the CPU seconds of both.

    python -m experiments.precision [--quick]

The rates are those that experiments/zoo.py chose. Goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from statistics import fmean, stdev
from typing import Any

from automl.ranking.process import prepare_process
from automl.study.problem import load_problem
from experiments.live import LOGS
from experiments.record import figures_of, runs_of, write_result
from experiments.zoo import ORDERS, Run, published, trained, with_rates

NAME, ZOO, LOG = "precision", "zoo_kuairand_ctr", "kuairand-ctr"
MODELS = ("dcnv2", "deepfm", "masknet", "wukong", "transformer")


def main() -> None:
    """Train what is left in both precisions."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one model")
    asked = parser.parse_args()
    prepare_process()
    problem = load_problem(LOGS[LOG].write(f"zoo-{LOG}"))
    runs: list[Run] = runs_of(NAME)
    rates = {row["model"]: row["lr"] for row in figures_of(ZOO)["table"]}
    table: list[dict[str, Any]] = []
    for model, spec in published(problem):
        if model not in MODELS[: 1 if asked.quick else None]:
            continue
        half = replace(spec, train=replace(spec.train, precision="bf16"))
        pair = (rates[model][0], rates[model][1])
        found = {
            name: [trained(problem, runs, NAME, name, with_rates(one, pair), pair, order) for order in ORDERS]
            for name, one in ((model, spec), (f"{model} bf16", half))
        }
        gains = [100 * (bf16 / fp32 - 1) for fp32, bf16 in zip(*found.values(), strict=True)]
        seconds = [fmean(run["train_s"] for run in runs if run["model"] == name) for name in found]
        table.append(
            {
                "model": model,
                "ne_fp32": fmean(found[model]),
                "difference_pct": fmean(gains),
                "difference_std_pct": stdev(gains),
                "train_s": seconds,
            }
        )
        print(json.dumps(table[-1]), flush=True)
    write_result(
        NAME,
        settings={"orders": ORDERS, "log": LOG},
        figures={"runs": runs, "table": table},
        headline={
            "mean_difference_pct": round(fmean(row["difference_pct"] for row in table), 4),
            "worst_difference_pct": round(max(row["difference_pct"] for row in table), 4),
        },
    )


if __name__ == "__main__":
    main()
