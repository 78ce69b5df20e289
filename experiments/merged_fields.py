"""What fields of few ids cost, and what it costs to make one of them: NE and speed of models that sum them.

    python -m experiments.merged_fields [--quick]

KuaiRand CTR: the human baseline, and models of the library at the rates of experiments/zoo.py, with `embedding.merge`
at several numbers of ids. NE of the validation window, each model against itself without merging on the same order, and
QPS, timed together. Goes on where it stopped: the runs that ended are in the result.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from statistics import fmean, stdev
from typing import Any

from automl.commands.judge import time_together
from automl.ranking.process import prepare_process
from automl.study.problem import Problem, load_problem
from experiments.live import LOGS
from experiments.record import figures_of, runs_of, write_result
from experiments.zoo import BASELINE, Run, published, trained, with_rates
from search_spaces.model import ModelSpec

NAME, ZOO, LOG = "merged_fields", "zoo_kuairand_ctr", "kuairand-ctr"
MODELS = (BASELINE, "dlrm", "masknet", "wukong", "autoint")
MERGED = (0, 8, 32, 128, 512)
ORDERS = (1, 2, 3)


def main() -> None:
    """Train what is left, time all together, write after each training."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the baseline, on one order")
    quick = parser.parse_args().quick
    models, orders = (MODELS[:1], ORDERS[:1]) if quick else (MODELS, ORDERS)
    prepare_process()
    problem = load_problem(LOGS[LOG].write(f"zoo-{LOG}"))
    runs: list[Run] = runs_of(NAME)
    found = {}
    for name, usual in usual_models(problem, models).items():
        for ids in MERGED:
            spec = replace(usual, embedding=replace(usual.embedding, merge=ids))
            nes = [trained(problem, runs, NAME, f"{name}, {ids}", spec, (0.0, 0.0), order) for order in orders]
            found[name, ids] = (spec, nes)
            print(f"{name:<10} {ids:>4} NE {fmean(nes):.5f}", flush=True)
    rows = table(problem, found)
    for row in rows:
        told = f"{row['pct']:+.3f}% ± {row['std_pct']:.3f}  QPS x{row['qps_ratio']:.2f}"
        print(f"{row['model']:<10} {row['merge']:>4} {row['fields']:>3} fields  {told}")
    write_result(
        NAME,
        settings={"orders": orders, "merged": MERGED, "log": LOG},
        figures={"runs": runs, "table": rows},
        headline={f"{row['model']}_{row['merge']}_pct": round(row["pct"], 3) for row in rows if row["merge"]},
    )


def usual_models(problem: Problem, names: tuple[str, ...]) -> dict[str, ModelSpec]:
    """The models as the zoo has trained them."""
    rates = {row["model"]: tuple(row["lr"]) for row in figures_of(ZOO)["table"]}
    all_models = {BASELINE: problem.baseline, **dict(published(problem))}
    return {name: with_rates(all_models[name], rates[name]) for name in names}


def table(problem: Problem, found: dict[tuple[str, int], tuple[ModelSpec, list[float]]]) -> list[dict[str, Any]]:
    """A row a model and number of ids: NE and QPS against the same model without merging."""
    speeds = time_together(problem, problem.log, [spec for spec, _ in found.values()])
    qps = {key: speed.qps_ratio for key, speed in zip(found, speeds, strict=True)}
    rows = []
    for (name, ids), (spec, nes) in found.items():
        pct = [100 * (ne / usual - 1) for ne, usual in zip(nes, found[name, 0][1], strict=True)]
        rows.append(
            {
                "model": name,
                "merge": ids,
                "fields": spec.fields_shape(problem.log.inputs).count,
                "ne": fmean(nes),
                "pct": fmean(pct),
                "std_pct": stdev(pct) if len(pct) > 1 else 0.0,
                "qps_ratio": qps[name, ids] / qps[name, 0],
            }
        )
    return rows


if __name__ == "__main__":
    main()
