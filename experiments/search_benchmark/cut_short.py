"""Searches that stop trials early, in the world of a table: what is saved of the training, and what it loses.

    python -m experiments.search_benchmark.cut_short --log kuairand [--seeds 8]

The world tells NE at eight points of a training too: the end, plus what a forest says of the difference from the
candidate, plus what that leaves of some candidate of the table with the same kind of order. So what a search learns
from trials that were cut short has its effect on what it proposes, which a replay of trials that were proposed without
any stop cannot show. Beside each rule: a search without stops that is as cheap. Writes
experiments/results/early_stopping_LOG.json, and early_stopping.json of all logs.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.model_selection import cross_val_predict

from automl.stats.seeds import seed_of
from automl.strategies import stopping, strategy_of
from automl.study.history import CurvePoint, History, State, Trial
from experiments.record import summarise, write_result
from experiments.search_benchmark.logs import LOGS
from experiments.search_benchmark.play import begin, end
from experiments.search_benchmark.race import played, rows_of, world_of
from experiments.search_benchmark.table import ROOT, Table, read_table
from experiments.search_benchmark.told import course_of
from experiments.search_benchmark.worlds import Features, World, baseline_in

Floats = NDArray[np.float64]
TRIALS, BATCH = 100, 10
ROWS = 100_000  # of a training, as curves tell them
Rule = Callable[[Trial, tuple[CurvePoint, ...], float, tuple[Trial, ...]], bool]


def never(trial: Trial, curve: tuple[CurvePoint, ...], ratio: float, others: tuple[Trial, ...]) -> bool:
    """No stops."""
    return False


def halving(trial: Trial, curve: tuple[CurvePoint, ...], ratio: float, others: tuple[Trial, ...]) -> bool:
    """Asynchronous successive halving by NE: at 10 and 30% the best third goes on (Li and others, 2018)."""
    if len(curve) not in (2, 6):
        return False
    levels = [one.curve[len(curve) - 1].check_ne for one in others[1:] if len(one.curve) >= len(curve)]
    mine = curve[-1].check_ne
    return mine is not None and sum(level is not None and level <= mine for level in levels) >= (len(levels) + 1) / 3


RULES: Mapping[str, Rule] = {
    "none": never,
    "in force": stopping.should_stop,
    "successive halving": halving,
}


@dataclass(frozen=True)
class Levels:
    """NE gains at the eight stops of a training: of the end, and what a forest and its errors make of the way."""

    features: Features
    forest: ExtraTreesRegressor
    left_NP: Floats
    timed_N: NDArray[np.bool_]

    @classmethod
    def of(cls, table: Table) -> Levels:
        features = Features.of(table)
        rows = features.rows(table.answers_ND)[0]
        away_NP = np.clip(table.gain_NP[:, :8] - table.gain_NP[:, -1:], -20.0, 20.0)
        forest = ExtraTreesRegressor(200, min_samples_leaf=2, max_features=0.5, random_state=0)
        left_NP = away_NP - cross_val_predict(forest, rows, away_NP, cv=5)
        timed = np.array([candidate.model.train.order == "time" for candidate in table.candidates])
        return cls(features, forest.fit(rows, away_NP), left_NP, timed)

    def gains(self, world: World, trial: Trial, gain: float, seed: int) -> Floats:
        """(8,), in percent, of a training that ended with that gain."""
        rng = np.random.default_rng(seed_of("levels", seed, trial.candidate.key))
        alike = np.flatnonzero(self.timed_N == (trial.candidate.model.train.order == "time"))
        rows = self.features.rows(world.table.space.answers(trial.candidate)[None, :])[0]
        return np.asarray(gain + self.forest.predict(rows)[0] + self.left_NP[rng.choice(alike)], dtype=np.float64)


def main() -> None:
    """Play what was not played, and tell it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--log", choices=list(LOGS), required=True)
    parser.add_argument("--seeds", type=int, default=8)
    asked = parser.parse_args()
    file = ROOT / ".cache" / "search_benchmark" / f"cut_short_{asked.log}.jsonl"
    cases = [{"rule": rule, "seed": seed} for seed in range(asked.seeds) for rule in RULES]
    mark = read_table(asked.log).digest
    tell(asked.log, played(file, mark, cases, lambda case: cut_short(asked.log, **case)))


def cut_short(log: str, rule: str, seed: int) -> dict[str, Any]:
    """A search with that rule: after each trial the share of full trainings that was spent, and the true hypervolume of
    the front that it saw."""
    world, levels = world_of(log, "surrogate"), _levels(log)
    history = History(baseline_in(world, seed))
    first = _with_curve(history.baseline.trials[0], levels, world, 0.0, seed)
    base = first.measurement.ne if first.measurement else 1.0
    controller = strategy_of("controller")
    spent, spent_N = 0.0, list[float]()
    while len(history.trials) < TRIALS:
        history = begin(history, controller(world.table.space, history, BATCH, seed))
        for trial in [one for one in history.trials if not one.ended]:
            whole = end(replace(history, trials=(trial,)), partial(world.answer, seed=seed)).trials[0]
            share = 1.0
            if whole.measurement is not None:
                whole = _with_curve(whole, levels, world, 100 * (whole.measurement.ne / base - 1), seed)
                whole, share = _cut(whole, RULES[rule], (first, *(one for one in history.trials if one.ended)))
            trials = [whole if one.number == whole.number else one for one in history.trials]
            history = replace(history, trials=tuple(trials))
            spent += share
            spent_N.append(round(spent, 3))
    volumes = course_of({"trials": rows_of(world, history)}).volume_N
    return {
        "spent": spent_N,
        "volume": [round(float(volume), 4) for volume in volumes],
        "stopped": sum(trial.state is State.STOPPED for trial in history.trials),
    }


def _with_curve(trial: Trial, levels: Levels, world: World, gain: float, seed: int) -> Trial:
    """Twenty points, checked at each tenth up to 80%."""
    base = float(world.table.baseline_ne_O.mean())
    checks = base * (1 + levels.gains(world, trial, gain, seed) / 100)
    points = [
        CurvePoint(n * ROWS // 20, 0.9, 0.9, float(checks[n // 2 - 1]) if n % 2 == 0 and n <= 16 else None)
        for n in range(1, 21)
    ]
    return replace(trial, curve=tuple(points))


def _cut(trial: Trial, rule: Rule, others: tuple[Trial, ...]) -> tuple[Trial, float]:
    """The trial as the rule leaves it, and the share of its training that was spent."""
    assert trial.measurement is not None
    for count in range(2, 17, 2):
        curve = trial.curve[:count]
        if rule(replace(trial, state=State.RUNNING), curve, trial.measurement.speed.qps_ratio, others):
            ne = stopping.extrapolated_ne(trial, curve, others)
            found = replace(trial.measurement, ne=ne)
            return replace(trial, state=State.STOPPED, curve=curve, measurement=found), count / 20
    return trial, 1.0


def tell(log: str, lines: Sequence[Mapping[str, Any]]) -> None:
    """A row a rule: saved, lost against the search without stops of the same seed, lost by one that is as cheap."""
    full = {line["seed"]: line for line in lines if line["rule"] == "none"}
    rows = {}
    for name in RULES:
        mine = [line for line in lines if line["rule"] == name and line["seed"] in full]
        saved = np.array([1 - line["spent"][-1] / TRIALS for line in mine])
        lost = np.array([100 * (1 - line["volume"][-1] / full[line["seed"]]["volume"][-1]) for line in mine])
        cheap = [full[line["seed"]]["volume"][max(0, round(line["spent"][-1]) - 1)] for line in mine]
        fewer = [100 * (1 - v / full[line["seed"]]["volume"][-1]) for v, line in zip(cheap, mine, strict=True)]
        rows[name] = {
            "seeds": len(mine),
            "stopped": float(np.mean([line["stopped"] for line in mine])),
            "compute_saved": round(float(saved.mean()), 3),
            "hypervolume_loss_pct": round(float(lost.mean()), 2),
            "loss_standard_error": round(float(lost.std(ddof=1) / len(lost) ** 0.5), 2) if len(lost) > 1 else None,
            "loss_of_fewer_trials_pct": round(float(np.mean(fewer)), 2),
        }
        print(log, name, rows[name])
    headline = {name: rows["in force"][name] for name in ("compute_saved", "hypervolume_loss_pct")}
    settings = {"trials": TRIALS, "batch": BATCH, "table": lines[0]["table"]}
    write_result(f"early_stopping_{log}", settings=settings, figures=rows, headline=headline)
    summarise("early_stopping", tuple(headline))


@cache
def _levels(log: str) -> Levels:
    return Levels.of(read_table(log))


if __name__ == "__main__":
    main()
