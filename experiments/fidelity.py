"""Searches on parts of the rows against searches on all of them: what the parts rank, what they save and lose.

    python -m experiments.fidelity --log completejourney|simulated [--trials 40] [--rows 5000000] [--seed 1]
    python -m experiments.fidelity --summary

Two searches of one seed and as many candidates, `fidelity: full` and `fidelity: auto`, each a study of its own that
goes on where it stopped. completejourney: all households, 752,620 rows to train on. simulated: the simulator's log.
Writes experiments/results/fidelity_LOG_SEED.json; --summary reads all and writes experiments/results/fidelity.json.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import automl
from automl.cli.common import terminal
from automl.stats import pareto
from automl.strategies.fidelity import chosen, fidelities
from automl.study.history import History, State, Trial
from automl.study.parts import is_pilot
from automl.study.saved import saved_share
from experiments import completejourney, simulated
from experiments.record import summarise, write_result
from experiments.studies import STUDIES, changed

SPACE, CORES, ROWS = "ctr-small", 2, 5_000_000


def main() -> None:
    """Go on with two searches, or sum up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--log", choices=("completejourney", "simulated"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--only", choices=("full", "auto"))
    parser.add_argument("--summary", action="store_true")
    asked = parser.parse_args()
    if asked.summary:
        summarise("fidelity", ("share", "tau", "compute_ratio", "front_ratio", "hypervolume_ratio"))
        return
    log, write = asked.log, _completejourney
    if log == "simulated":
        log, write = f"simulated-{asked.rows}", partial(_simulated, asked.rows)
    found = {
        kind: searched(write, f"fidelity-{log}-{kind}-{asked.seed}", kind, asked.seed, asked.trials)
        for kind in ("full", "auto")
        if asked.only in (None, kind)
    }
    if asked.only is None:
        tell(log, asked.seed, asked.trials, found["full"], found["auto"])


def _completejourney(name: str, seed: int) -> Path:
    return completejourney.write_study(name, space=SPACE, seed=seed, table="all")


def _simulated(rows: int, name: str, seed: int) -> Path:
    return simulated.write_study(name, rows=rows, space=SPACE, seed=seed)


def searched(write: Callable[[str, int], Path], name: str, kind: str, seed: int, trials: int) -> History:
    """The search, to its end."""

    def of_kind(tree: Any) -> None:
        tree["search"]["fidelity"], tree["search"]["repeats"] = kind, 0
        tree["trial"]["timeout"] = "30m"

    file = STUDIES / name / "study.yaml"
    if not file.exists():
        changed(write(name, seed), of_kind)
    return automl.search(file, trials=trials, workers=CORES, console=terminal()).history


def tell(log: str, seed: int, trials: int, full: History, auto: History) -> None:
    """What one pair of searches says."""
    goal = seen_volumes(full)[-1]
    figures = {
        "full": _figures(full, goal),
        "auto": _figures(auto, goal),
        "parts": [{"every": one.every, **asdict(one.agreement)} for one in fidelities(auto)],
    }
    found, there = chosen(auto), figures["auto"]["core_seconds_to_the_front_of_full"]
    headline = {
        "share": None if found is None else 1 / found.every,
        "tau": None if found is None else found.agreement.tau,
        "compute_ratio": figures["auto"]["core_seconds"] / figures["full"]["core_seconds"],
        "front_ratio": None if there is None else there / figures["full"]["core_seconds"],
        "hypervolume_ratio": figures["auto"]["hypervolume"] / figures["full"]["hypervolume"],
    }
    write_result(
        f"fidelity_{log}_{seed}", settings={"trials": trials, "seed": seed}, figures=figures, headline=headline
    )


def _figures(history: History, goal: float) -> Mapping[str, Any]:
    trials = by_end(history)
    volumes, seconds = seen_volumes(history), np.cumsum([trial.cpu_seconds or 0.0 for trial in trials])
    there = np.flatnonzero(volumes >= 0.98 * goal)
    best = min((history.baseline.mean_gain_pct(t) for t in _done(history) if _ratio(t) >= 1.0), default=0.0)
    return {
        "core_seconds": round(float(seconds[-1]), 1),
        "hypervolume": round(float(volumes[-1]), 4),
        "best_ne_pct": round(min(best, 0.0), 3),
        "core_seconds_to_the_front_of_full": round(float(seconds[there[0]]), 1) if len(there) else None,
        "complete": len(_done(history)),
        "stopped": len(history.of_state(State.STOPPED)),
        "pilots": sum(is_pilot(trial) for trial in history.trials),
        "promoted": sum(trial.on_part is not None for trial in history.trials),
        "saved": round(saved_share(history.trials, history.baseline), 3),
    }


def seen_volumes(history: History) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Hypervolume that was seen, after each end of a trial."""
    points = np.array([
        (history.baseline.mean_gain_pct(trial), -np.log2(_ratio(trial)))
        if trial.state is State.COMPLETE and history.eligible(trial)
        else (np.inf, np.inf)
        for trial in by_end(history)
    ])  # fmt: skip
    return np.array([pareto.hypervolume(np.vstack([[[0.0, 0.0]], points[: n + 1]])) for n in range(len(points))])


def by_end(history: History) -> list[Trial]:
    """In the order of their ends; a promoted trial, with all its seconds, at that of its promotion."""
    return sorted(history.trials, key=lambda trial: trial.ended_at or 0.0)


def _done(history: History) -> list[Trial]:
    return [trial for trial in history.of_state(State.COMPLETE) if history.eligible(trial)]


def _ratio(trial: Trial) -> float:
    return trial.measurement.speed.qps_ratio if trial.measurement else 0.0


if __name__ == "__main__":
    main()
