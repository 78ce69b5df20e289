"""Replays: strategies search in the world of a table, each with many seeds; a line a search, told apart by its name.

    python -m experiments.search_benchmark.race --log kuairand --strategies controller,tpe [--seeds 20] [--batch 10]

A line holds what was trained in its order: true gain, observed gain, log2 of the QPS ratio, who proposed it and the
forecast, so that whatever is asked of searches is worked out from the lines (experiments.search_benchmark.told). The
same call goes on where it stopped.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from automl.strategies import Strategy
from automl.study.history import History, State, Trial
from experiments import json_lines
from experiments.search_benchmark.logs import LOGS
from experiments.search_benchmark.play import play
from experiments.search_benchmark.rivals import rival_of
from experiments.search_benchmark.table import ROOT, Table, read_table
from experiments.search_benchmark.variants import VARIANTS
from experiments.search_benchmark.worlds import Features, LookUp, Luck, Surrogate, World, baseline_in

TRIALS = 100
Case = Mapping[str, Any]
"""What tells one search from another, as a line has it."""


def main() -> None:
    """Play what has not been played."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--log", choices=list(LOGS), required=True)
    parser.add_argument("--world", choices=("surrogate", "look-up"), default="surrogate")
    parser.add_argument("--strategies", required=True, help="names, with commas between them")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--batch", type=int, default=10)
    parser.add_argument("--trials", type=int, default=TRIALS)
    asked = parser.parse_args()
    cases = [
        {"strategy": name, "batch": asked.batch, "seed": seed}
        for seed in range(asked.seeds)
        for name in asked.strategies.split(",")
    ]
    log, world = asked.log, asked.world
    played(races_of(log, world), _table(log).digest, cases, lambda case: race(log, world, trials=asked.trials, **case))


def played(
    file: Path,
    mark: str,
    cases: Sequence[Mapping[str, Any]],
    play_one: Callable[[Mapping[str, Any]], Mapping[str, Any]],
) -> list[Mapping[str, Any]]:
    """A line for each case in the table of that digest: those that stand in the file, and the others, played now and
    written as each ends. A line has its case's own keys."""
    lines = [line for line in json_lines.read(file) if line["table"] == mark]
    found = []
    for case in cases:
        line = next((one for one in lines if case.items() <= one.items()), None)
        if line is None:
            line = {"table": mark, **case, **play_one(case)}
            json_lines.append(file, line)
        found.append(line)
    return found


def races_of(log: str, world: str) -> Path:
    """Where the lines stand."""
    return ROOT / ".cache" / "search_benchmark" / f"races_{log}_{world}.jsonl"


@cache
def _table(log: str) -> Table:
    return read_table(log)


@cache
def _surrogate(log: str) -> Surrogate:
    return Surrogate(_table(log))


def world_of(log: str, kind: str) -> World:
    """A world for one search."""
    if kind == "surrogate":
        return _surrogate(log)
    table = _table(log)
    return LookUp(table, Luck.of(table), Features.of(table))


def race(log: str, kind: str, *, strategy: str, seed: int, batch: int, trials: int) -> dict[str, Any]:
    """One search, but for its case."""
    world = world_of(log, kind)
    proposer = strategy_named(strategy)
    spent: list[float] = []

    def timed(*asked: Any) -> Any:
        start = time.process_time()
        try:
            return proposer(*asked)
        finally:
            spent.append(time.process_time() - start)

    baseline = baseline_in(world, seed)
    wall = time.monotonic()
    history = play(
        world.table.space,
        baseline,
        timed,
        lambda candidate, order: world.answer(candidate, order, seed),
        trials=trials,
        batch=batch,
        seed=seed,
    )
    return {
        "trials": rows_of(world, history),
        "propose_cpu_s": [round(seconds, 3) for seconds in spent],
        "wall_s": round(time.monotonic() - wall, 2),
    }


def rows_of(world: World, history: History) -> list[list[Any]]:
    """Of each trial true gain, observed gain, log2 ratio, origin, forecast gain and its spread; None of one that failed
    or was stopped."""
    return [_row(world, history, trial) for trial in history.trials]


def _row(world: World, history: History, trial: Trial) -> list[Any]:
    if trial.measurement is None or trial.state is State.STOPPED:
        return [None, None, None, str(trial.origin), None, None]
    true, forecast = world.truth(trial.candidate), trial.forecast
    base = history.baseline.ne
    told = (None, None) if forecast is None else (history.baseline.gain_pct(forecast.ne), 100 * forecast.ne_std / base)
    seen = history.baseline.mean_gain_pct(trial)
    return [round(true.gain, 4), round(seen, 4), round(true.log2_ratio, 4), str(trial.origin), *map(_rounded, told)]


def _rounded(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(value, 4)


def strategy_named(name: str) -> Strategy:
    """A rival, or the controller, be it with a part taken away or told what is preferred.

    Raises:
        KeyError: where there is none of that name.
    """
    return VARIANTS[name] if name in VARIANTS else rival_of(name)


if __name__ == "__main__":
    main()
