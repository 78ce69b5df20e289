"""Searches that start warm, in the world of a table: what a helpful old study saves, and what a misleading one costs.

    python -m experiments.search_benchmark.warmed --log kuairand [--seeds 8]

Old studies of 100 trials: `same` are really trained candidates of the same log, drawn evenly among those that its
searches proposed; `other` those of the other log, whose models, knobs and winners differ; `opposite` are the same
log's with every gain turned round. Trials saved: how many more a search without an old study takes to the hypervolume
that one with it has after 40. Writes experiments/results/warm_start_LOG.json,
and warm_start.json of all logs.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import numpy as np

from automl.stats.seeds import seed_of
from automl.strategies import strategy_of
from automl.study.precedents import Precedent
from experiments.record import summarise, write_result
from experiments.search_benchmark.logs import LOGS
from experiments.search_benchmark.play import play
from experiments.search_benchmark.race import played, rows_of, world_of
from experiments.search_benchmark.table import ROOT, Table, read_table
from experiments.search_benchmark.told import course_of
from experiments.search_benchmark.worlds import baseline_in

TRIALS, BATCH, OLD, AT = 100, 10, 100, 40
MARKS = (20, 40, 60, 100)
KINDS = ("none", "same", "other", "opposite")
Line = Mapping[str, Any]


def main() -> None:
    """Play what was not played, and tell it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--log", choices=list(LOGS), required=True)
    parser.add_argument("--seeds", type=int, default=8)
    asked = parser.parse_args()
    file = ROOT / ".cache" / "search_benchmark" / f"warmed_{asked.log}.jsonl"
    cases = [{"kind": kind, "seed": seed} for seed in range(asked.seeds) for kind in KINDS]
    mark = "-".join(read_table(log).digest for log in LOGS)
    tell(asked.log, played(file, mark, cases, lambda case: {"volume": warmed(asked.log, **case)}))


def old_study(log: str, kind: str, seed: int) -> tuple[Precedent, ...]:
    """What a search is told of before it begins."""
    if kind == "none":
        return ()
    of = next(name for name in LOGS if name != log) if kind == "other" else log
    table = read_table(of)
    rng = np.random.default_rng(seed_of("old study", of, seed))
    proposed = [n for n, source in enumerate(table.sources) if source not in ("even", "baseline")]
    sign = -1.0 if kind == "opposite" else 1.0
    return tuple(_precedent(table, int(n), sign) for n in rng.choice(proposed, OLD, replace=False))


def _precedent(table: Table, number: int, sign: float) -> Precedent:
    return Precedent(
        study="old",
        trial=number,
        model=table.candidates[number].model,
        ne_gain_pct=sign * float(table.gain_NP[number, -1]),
        qps_ratio=float(2.0 ** table.log2_ratio_N[number]),
    )


def warmed(log: str, kind: str, seed: int) -> list[float]:
    """True hypervolume of the front that was seen, after each trial."""
    world = world_of(log, "surrogate")
    history = play(
        world.table.space,
        baseline_in(world, seed),
        strategy_of("controller"),
        lambda candidate, order: world.answer(candidate, order, seed),
        trials=TRIALS,
        batch=BATCH,
        seed=seed,
        precedents=old_study(log, kind, seed),
    )
    return [round(float(volume), 4) for volume in course_of({"trials": rows_of(world, history)}).volume_N]


def tell(log: str, lines: Sequence[Line]) -> None:
    """A row for each kind of old study, against the search without one of the same seed."""
    cold = {line["seed"]: line["volume"] for line in lines if line["kind"] == "none"}
    rows = {}
    for kind in KINDS:
        mine = [line for line in lines if line["kind"] == kind and line["seed"] in cold]
        saved = [reached(cold[line["seed"]], line["volume"][AT - 1]) - AT for line in mine]
        lost = [[100 * (1 - line["volume"][n - 1] / cold[line["seed"]][n - 1]) for n in MARKS] for line in mine]
        rows[kind] = {
            "seeds": len(mine),
            "hypervolume": [round(float(np.mean([line["volume"][n - 1] for line in mine])), 3) for n in MARKS],
            "loss_pct": [round(float(value), 1) for value in np.mean(lost, axis=0)],
            "loss_standard_error": [round(float(v), 1) for v in np.std(lost, axis=0, ddof=1) / len(mine) ** 0.5],
            "trials_saved": median(saved),
        }
        print(log, kind, rows[kind])
    headline = {"trials_saved": rows["same"]["trials_saved"], "misled_loss_pct": rows["opposite"]["loss_pct"][-1]}
    settings = {"old": OLD, "marks": MARKS, "at": AT, "table": lines[0]["table"]}
    write_result(f"warm_start_{log}", settings=settings, figures=rows, headline=headline)
    summarise("warm_start", tuple(headline))


def reached(volumes: Sequence[float], goal: float) -> int:
    """The first trial after which there is as much; TRIALS where there never is."""
    return next((n for n, volume in enumerate(volumes, 1) if volume >= goal), TRIALS)


if __name__ == "__main__":
    main()
