"""What a training on a part of the rows says of one on all of them: models of a search, trained on both.

    python -m experiments.part_pairs [--rows 2000000] [--seed 1] [--draws 60]

Of the trials that `experiments.fidelity --only full` has trained on all rows, NE by a training on one row in 16 and in
8; then a few of them, drawn, tell the others, by the isotonic curve that searches use and by a line through levels.
Writes experiments/results/part_pairs.json.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import automl
from automl.commands.repeats import CONFIRM, trained_again
from automl.data.store.log import open_log
from automl.ranking.process import prepare_process
from automl.ranking.training import train
from automl.runtime.jobs import TrainModel
from automl.runtime.rehearsal import rehearse
from automl.runtime.work import window_rows
from automl.study.history import State
from automl.study.problem import load_problem
from experiments.record import write_result
from experiments.studies import STUDIES
from predictors.curves import foresee
from predictors.evaluate import tau
from predictors.monotone import fit_monotone
from search_spaces.model import ModelSpec

Floats = NDArray[np.float64]
EVERY, CORES = (16, 8), 2
TOLD_BY, BEST = (8, 13, 20, 35), 8  # models that tell the others; of those the best by what was told


def main() -> None:
    """Train the parts, and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--draws", type=int, default=60)
    asked = parser.parse_args()
    levels_NP, gain_N, speed_N = pairs(STUDIES / f"fidelity-simulated-{asked.rows}-full-{asked.seed}")
    figures = {
        f"one in {every}": {
            "tau": tau(level_N, gain_N),
            **{str(count): told(level_N, gain_N, speed_N, count, asked.draws) for count in TOLD_BY},
        }
        for every, level_N in zip(EVERY, levels_NP.T, strict=True)
    }
    print(figures)
    headline = {"mean_error_pct": figures["one in 8"]["13"]["isotonic"]["mean_error"]}
    write_result("part_pairs", settings={**vars(asked), "models": len(gain_N)}, figures=figures, headline=headline)


def pairs(folder: Path) -> tuple[Floats, Floats, Floats]:
    """Of the baseline and each trial that came to its end: NE gains on the parts (N, P) and on all rows (N,), in
    percent of the baseline's, and log2 of the QPS ratio."""
    study, problem = automl.open_study(folder), load_problem(folder / "study.yaml")
    payload = trained_again(problem, problem.log, problem.baseline, CONFIRM, -CONFIRM.first_order)
    done = [study.history.baseline.trials[0], *study.history.of_state(State.COMPLETE)]
    models = [trial.candidate.model.to_tree() for trial in done]
    with get_context("fork").Pool(CORES, prepare_process) as pool:
        levels_NP = np.array(pool.map(partial(_levels, payload), models, chunksize=1))
    ends = np.array([trial.measurement.ne for trial in done if trial.measurement])
    ratios = np.array([trial.measurement.speed.qps_ratio for trial in done if trial.measurement])
    return 100 * (levels_NP / levels_NP[0] - 1), 100 * (ends / ends[0] - 1), np.log2(ratios)


def _levels(payload: TrainModel, model: dict[str, object]) -> list[float]:
    asked = replace(payload, model=model)
    log = open_log(Path(asked.log), asked.task)
    rows, spec = window_rows(log, asked.train), ModelSpec.from_tree(model)
    return [rehearse(asked, spec, log, rows, every, train).ne for every in EVERY]


def told(level_N: Floats, gain_N: Floats, speed_N: Floats, count: int, draws: int) -> dict[str, dict[str, float]]:
    """Of the models that did not tell: mean error, tau, and by how much the best were foretold too bad; means of draws
    of `count` models, the baseline and some of the first 2 `count`."""
    found: dict[str, list[tuple[float, float, float]]] = {"isotonic": [], "line": []}
    rng = np.random.default_rng(1)
    for _ in range(draws):
        first = rng.permutation(min(len(level_N) - 1, 2 * count))[: count - 1]
        tells = np.append(0, 1 + first)
        rest = np.setdiff1d(np.arange(len(level_N)), tells)
        curve = fit_monotone(level_N[tells], gain_N[tells], speed_N[tells])
        ways: dict[str, Callable[[int], float]] = {
            "isotonic": lambda i, curve=curve: curve.at(level_N[i], speed_N[i]).ne,
            "line": lambda i, tells=tells: foresee(level_N[i], level_N[tells], gain_N[tells]).ne,
        }
        for name, way in ways.items():
            found[name].append(_errors(np.array([way(int(i)) for i in rest]), gain_N[rest]))
    return {name: dict(_named(np.nanmean(errors, axis=0))) for name, errors in found.items()}


def _errors(said_N: Floats, gain_N: Floats) -> tuple[float, float, float]:
    best = np.argsort(said_N, kind="stable")[:BEST]
    away = said_N - gain_N
    return float(np.abs(away).mean()), tau(said_N, gain_N), float(away[best].mean())


def _named(means: Floats) -> Iterator[tuple[str, float]]:
    for name, value in zip(("mean_error", "tau", "best_too_bad"), means.tolist(), strict=True):
        yield name, round(value, 3)


if __name__ == "__main__":
    main()
