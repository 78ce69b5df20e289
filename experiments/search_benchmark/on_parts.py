"""Searches that train on a part of the rows first, in the world of a table: what they cost, and what they lose.

    python -m experiments.search_benchmark.on_parts --log kuairand [--seeds 8]

The world tells NE by a training on one row in 8 and in 4 too, as 86 trained models had it on 1.4M simulated rows:
twice the gain of the end near the front, half of it where models are bad, faster models a little better; and an error,
half of it the candidate's own (a forest of random numbers: models alike err alike), as large as there or two fifths of
it, as larger logs have it. A training costs by its speed. Beside it the search on all rows: what it has at the same
spend, and what it spends on the same front. Writes experiments/results/parts_replayed_LOG.json.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesRegressor

from automl.stats import pareto
from automl.stats.seeds import seed_of
from automl.strategies import strategy_of
from automl.strategies.fidelity import PILOTS, Expected, chosen, next_promoted
from automl.study.history import History, Measurement, PartNE, State, Trial
from automl.study.parts import is_parked, is_pilot
from experiments.record import write_result
from experiments.search_benchmark.logs import LOGS
from experiments.search_benchmark.play import begin, end
from experiments.search_benchmark.race import played, world_of
from experiments.search_benchmark.table import ROOT, Table, read_table
from experiments.search_benchmark.worlds import Features, World, baseline_in
from search_spaces.space import Candidate

Floats = NDArray[np.float64]
TRIALS, BATCH = 100, 10
NEAR, STEEP, FLAT, BY_SPEED = (
    0.3,
    2.0,
    0.5,
    -0.15,
)  # percent of NE; of the level over the end, and over log2 of the ratio
ERROR = {8: 0.7, 4: 0.5}  # percent of NE, of a training on one row in so many
ERRORS = (1.0, 0.4)  # times that


@dataclass(frozen=True)
class Parts:
    """NE gains on parts of the rows. `own`: a forest for each, and the standard deviation of what it says."""

    features: Features
    own: Mapping[int, tuple[ExtraTreesRegressor, float]]
    error: float

    @classmethod
    def of(cls, table: Table, error: float) -> Parts:
        features, rng = Features.of(table), np.random.default_rng(3)
        rows = features.rows(table.answers_ND)[0]
        own = {}
        for every in ERROR:
            forest = ExtraTreesRegressor(50, min_samples_leaf=8, random_state=0).fit(rows, rng.normal(size=len(rows)))
            own[every] = forest, float(forest.predict(rows).std())
        return cls(features, own, error)

    def gain(self, world: World, candidate: Candidate, every: int, seed: int) -> float:
        """In percent, of a training on one row in so many."""
        true = world.truth(candidate)
        level = STEEP * min(true.gain, NEAR) + FLAT * max(true.gain - NEAR, 0.0) + BY_SPEED * true.log2_ratio
        rows = self.features.rows(world.table.space.answers(candidate)[None, :])[0]
        forest, spread = self.own[every]
        own, luck = forest.predict(rows)[0] / spread, seed_of("part", seed, every, candidate.key)
        half = self.error * ERROR[every] * 0.5**0.5
        return float(level + half * (own + np.random.default_rng(luck).normal()))


class Played:
    """A search under way: its history, what it has spent, and the front that it saw."""

    def __init__(self, log: str, seed: int, error: float | None) -> None:
        """`error` of parts; None: on all rows."""
        self.world, self.seed = world_of(log, "surrogate"), seed
        self.parts = None if error is None else _parts(log, error)
        baseline = baseline_in(self.world, seed)
        first = baseline.trials[0]
        if self.parts is not None:
            first = self._with_parts(first, tuple(ERROR), pilot=False)
        self.history = History(replace(baseline, trials=(first, *baseline.trials[1:])))
        self.spent, self.clock, self.course = 0.0, 0.0, list[tuple[float, float]]()

    def to_end(self) -> None:
        """All candidates, and all promotions."""
        controller = strategy_of("controller")
        while len(self.history.trials) < TRIALS:
            self.history = begin(self.history, controller(self.world.table.space, self.history, BATCH, self.seed))
            for trial in [one for one in self.history.trials if not one.ended]:
                self._train(trial)
                self._promote(at_the_end=False)
        while self._promote(at_the_end=True):
            pass

    def _train(self, trial: Trial) -> None:
        fidelity = chosen(self.history) if self.parts is not None else None
        if self.parts is None:
            self._put(self._whole(trial), 1.0)
        elif fidelity is None:
            pilot = sum(map(is_pilot, self.history.trials)) < PILOTS
            whole = self._whole(trial)
            self._put(self._with_parts(whole, tuple(ERROR), pilot=True) if pilot else whole, 1.0)
            self.spent += _cost(whole) * sum(1 / every for every in ERROR) if pilot else 0.0
        else:
            part = self._with_parts(self._whole(trial), (fidelity.every,), pilot=False)
            assert part.measurement is not None
            told = Expected(self.history).by_part(part.measurement.parts[0], part.measurement.speed.qps_ratio)
            assert told is not None
            measurement = replace(part.measurement, ne=told.ne)
            self._put(replace(part, state=State.STOPPED, measurement=measurement), 1 / fidelity.every)

    def _promote(self, *, at_the_end: bool) -> bool:
        number = next_promoted(self.history, frozenset(), at_the_end=at_the_end)
        if number is None:
            return False
        parked = self.history.trials[number - 1]
        assert parked.measurement is not None
        whole = self._whole(parked)
        assert whole.measurement is not None
        measurement = replace(whole.measurement, parts=parked.measurement.parts)
        self._put(replace(whole, measurement=measurement, on_part=parked.measurement), 1.0)
        return True

    def _whole(self, trial: Trial) -> Trial:
        running = replace(trial, state=State.RUNNING, measurement=None)
        one = replace(self.history, trials=(running,))
        return end(one, partial(self.world.answer, seed=self.seed)).trials[0]

    def _with_parts(self, trial: Trial, every: Sequence[int], *, pilot: bool) -> Trial:
        measurement, base = trial.measurement, float(self.world.table.baseline_ne_O.mean())
        assert measurement is not None
        assert self.parts is not None
        gains = {n: self.parts.gain(self.world, trial.candidate, n, self.seed) for n in every}
        parts = tuple(PartNE(n, base * (1 + gain / 100)) for n, gain in gains.items())
        return replace(trial, measurement=replace(measurement, parts=parts, pilot=pilot))

    def _put(self, trial: Trial, share: float) -> None:
        self.clock += 1.0
        trial = replace(trial, started_at=self.clock, ended_at=self.clock)
        trials = [trial if one.number == trial.number else one for one in self.history.trials]
        self.history = replace(self.history, trials=tuple(trials))
        self.spent += share * _cost(trial)
        self.course.append((self.spent, self._volume()))

    def _volume(self) -> float:
        """True hypervolume of the front that it saw."""
        done = [trial for trial in self.history.trials if trial.state is State.COMPLETE]
        seen = np.array([(0.0, 0.0), *(self._seen(trial) for trial in done)])
        true = np.array([(0.0, 0.0), *(self._true(trial) for trial in done)])
        return pareto.hypervolume(true[pareto.front(seen)])

    def _seen(self, trial: Trial) -> tuple[float, float]:
        return self.history.baseline.mean_gain_pct(trial), -float(np.log2(_speed(trial.measurement)))

    def _true(self, trial: Trial) -> tuple[float, float]:
        truth = self.world.truth(trial.candidate)
        return truth.gain, -truth.log2_ratio


def _speed(measurement: Measurement | None) -> float:
    return 1.0 if measurement is None else measurement.speed.qps_ratio


def _cost(trial: Trial) -> float:
    """Of a training on all rows, the baseline's being 1."""
    return 0.1 + 0.9 * _speed(trial.measurement) ** -0.8


def main() -> None:
    """Play what was not played, and tell it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--log", choices=list(LOGS), required=True)
    parser.add_argument("--seeds", type=int, default=8)
    asked = parser.parse_args()
    file = ROOT / ".cache" / "search_benchmark" / f"on_parts_{asked.log}.jsonl"
    cases = [{"error": error, "seed": seed} for seed in range(asked.seeds) for error in (None, *ERRORS)]
    mark = read_table(asked.log).digest
    tell(asked.log, played(file, mark, cases, lambda case: searched(asked.log, **case)))


def searched(log: str, error: float | None, seed: int) -> dict[str, Any]:
    """One search: spend and hypervolume after each training."""
    found = Played(log, seed, error)
    found.to_end()
    trials = found.history.trials
    return {
        "course": [[round(spent, 3), round(volume, 4)] for spent, volume in found.course],
        "pilots": sum(map(is_pilot, trials)),
        "promoted": sum(trial.on_part is not None for trial in trials),
        "parked": sum(map(is_parked, trials)),
    }


def tell(log: str, lines: Sequence[Mapping[str, Any]]) -> None:
    """The searches on parts against that on all rows of the same seed."""
    full = {line["seed"]: np.array(line["course"]) for line in lines if line["error"] is None}
    rows = [_row(line, full[line["seed"]]) for line in lines if line["error"] is not None]
    headline = {}
    for error in ERRORS:
        of_error = [row for row in rows if row["error"] == error]
        means = {name: _mean(of_error, name) for name in ("compute", "hypervolume", "at_equal_spend", "promoted")}
        print(log, error, len(of_error), means)
        headline[f"error_{error:g}"] = means
    settings = {"trials": TRIALS, "batch": BATCH}
    write_result(f"parts_replayed_{log}", settings=settings, figures={"seeds": rows}, headline=headline)


def _row(line: Mapping[str, Any], full: Floats) -> dict[str, Any]:
    """Ratios to a search on all rows: of its whole spend and front, and of its front at the spend of this one."""
    spent, volume = line["course"][-1]
    before = max(0, int(np.searchsorted(full[:, 0], spent)) - 1)
    return {
        **{name: line[name] for name in ("error", "seed", "pilots", "promoted")},
        "compute": round(spent / full[-1, 0], 3),
        "hypervolume": round(volume / full[-1, 1], 3),
        "at_equal_spend": round(volume / full[before, 1], 3),
    }


def _mean(rows: Sequence[Mapping[str, Any]], name: str) -> tuple[float, float]:
    """And its standard error."""
    values = np.array([row[name] for row in rows])
    return round(float(values.mean()), 3), round(float(values.std(ddof=1) / len(values) ** 0.5), 3)


@cache
def _parts(log: str, error: float) -> Parts:
    return Parts.of(read_table(log), error)


if __name__ == "__main__":
    main()
