"""Searches on real logs, told as they are: 100 trials and finals with five seeds on one of five logs.

    python -m experiments.live --log kuairand-ctr --seed 1 [--trials 100] [--seeds 5] [--minutes 20] [--quick]
    python -m experiments.live --log kuairand-ctr --seed 1 --best 10
    python -m experiments.live --summary

The study goes on where it stopped; --minutes ends this call's part of the search. Each run writes
experiments/results/live_LOG_SEED.json. --best trains the best trials again on ten orders: whether anything better was
there to be found. --summary reads all runs and writes experiments/results/search_live.json.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import automl
from automl.cli.common import terminal
from automl.report.study.lines import finals_lines
from automl.stats.verdicts import Verdict
from automl.study.history import State
from automl.study.results import Finals, read_finals, write_finals
from experiments import completejourney, kuairand
from experiments.record import RESULTS, write_result
from experiments.studies import STUDIES

CORES = 2
SPACE = "ctr-ensemble"
TUNINGS = 16  # trainings that tune the baseline first
ORDERS = 10  # of the best trials, where it is asked whether anything better was there
SUMMED = ("completejourney", "kuairand-ctr", "kuairand-cvr")


@dataclass(frozen=True, slots=True)
class Log:
    """A log to search on: what writes a study over it, given a name and a seed; whether a faster pick is hoped for."""

    write: Callable[..., Path]
    faster: bool = False


LOGS: Mapping[str, Log] = {
    "kuairand-ctr": Log(
        partial(kuairand.write_study, space=SPACE, label=kuairand.CTR, baseline=kuairand.TUNED, split=kuairand.WEEK),
        faster=True,
    ),
    "kuairand-cvr": Log(
        partial(
            kuairand.write_study, space=SPACE, label=kuairand.CVR, baseline=kuairand.TUNED_CVR, split=kuairand.WEEK
        ),
        faster=True,
    ),
    "kuairand-history": Log(
        partial(
            kuairand.write_study,
            space="ctr-history",
            label=kuairand.CTR,
            baseline=kuairand.TUNED,
            split=kuairand.WEEK,
            sequence=kuairand.sequences("watched", "before", delay="10m"),
            reads="{din: {units: 32}}",
        ),
        faster=True,
    ),
    "kuairand-tasks": Log(
        partial(
            kuairand.write_study,
            space="ctr-cvr",
            labels={"ctr": kuairand.CTR, "cvr": kuairand.CVR},
            baseline=kuairand.TUNED,
            split=kuairand.WEEK,
            rest="constraints: [ne.cvr <= 1.001 * baseline.ne.cvr]\n",
        ),
        faster=True,
    ),
    "completejourney": Log(partial(completejourney.write_study, space=SPACE)),
}


def main() -> None:
    """Go on with one run, or sum up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--log", choices=list(LOGS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--minutes", type=float, help="of the search, in this call; the next one goes on")
    parser.add_argument("--best", type=int, metavar="N", help="train the N best trials again on ten orders")
    parser.add_argument("--quick", action="store_true", help="12 trials, 2 seeds")
    parser.add_argument("--summary", action="store_true", help="read the results of all runs")
    asked = parser.parse_args()
    if asked.quick:
        asked.trials, asked.seeds = 12, 2
    if asked.summary:
        summarise()
    elif asked.log is None:
        parser.error("--log or --summary")
    elif asked.best is not None:
        again(asked.log, asked.seed, asked.best)
    else:
        live(asked.log, asked.seed, asked.trials, asked.seeds, asked.minutes)


def live(log: str, seed: int, trials: int, seeds: int, minutes: float | None) -> None:
    """Search; where all trials have ended, run the finals and write the result."""
    name = f"live-{log}-{seed}"
    file = LOGS[log].write(name, seed=seed, tune_baseline=TUNINGS)
    budget = None if minutes is None else 60 * minutes
    study = automl.search(file, trials=trials, workers=CORES, time_budget=budget, console=terminal())
    print(study.summary())
    ended = sum(trial.ended for trial in study.history.trials)
    if ended < trials and not study.facts.exhausted:
        print(f"{ended} of {trials} trials: call it again to go on")
        return
    found = study.finals(seeds=seeds, workers=CORES, console=terminal())
    print(*finals_lines(found), sep="\n")
    print(study.report())
    figures = {**search_figures(study), "finals": found.to_json()}
    write_result(
        result_name(log, seed),
        settings={"log": log, "seed": seed, "trials": trials, "seeds": found.seeds, "workers": CORES},
        figures=figures,
        headline=headline(found, figures),
    )


def search_figures(study: automl.StudyHandle) -> dict[str, Any]:
    """Wall time, how trials ended, what share of the cores they used, the front."""
    facts, frame = study.facts, study.trials_dataframe()
    trials = frame[frame["trial"] > 0]
    inside = float(frame["cpu_seconds"].fillna(0).sum())
    front = study.pareto()
    return {
        "wall_seconds": facts.wall_seconds,
        "core_seconds_inside_trials": inside,
        "core_share": inside / (CORES * facts.wall_seconds),
        "states": trials["state"].value_counts().to_dict(),
        "failures": trials["failure_kind"].dropna().value_counts().to_dict(),
        "origins_of_front": front["origin"].value_counts().to_dict(),
        "front": front[["trial", "ne", "ne_gain_pct", "qps_ratio", "origin", "words"]].to_dict("records"),
        "baseline": {
            "ne": study.history.baseline.ne,
            "ne_std": study.history.baseline.ne_std,
            "qps": study.history.baseline.qps,
        },
    }


def result_name(log: str, seed: int | str) -> str:
    """Of a run's file, without its ending."""
    return f"live_{log.replace('-', '_')}_{seed}"


def headline(found: Finals, figures: Mapping[str, Any]) -> dict[str, Any]:
    """The few numbers of a run. Gains in percent, negative is better.

    ne_gain_pct: the best gain that was proven; None where none was. detectable_pct: the smallest gain that these finals
    could have told from chance. winners_curse_pct: by how much the picks looked better than they are when they were
    picked, after their repeats; best_runs_curse_pct: the same of what the search itself had seen, often one run. Means
    over the picks that are fit to ship.
    """
    better = [pick.ne_gain_pct for pick in found.picks if pick.verdict is Verdict.BETTER]
    shipped = [p.qps_ratio for p in found.picks if p.verdict in (Verdict.BETTER, Verdict.FASTER)]
    return {
        "better": len(better),
        "faster": sum(pick.verdict is Verdict.FASTER for pick in found.picks),
        "ne_gain_pct": round(min(better), 3) if better else None,
        "best_ne_gain_pct": round(min(pick.ne_gain_pct for pick in found.fit), 3),
        "faster_qps_ratio": round(max(shipped, default=0.0), 2),
        "winners_curse_pct": round(fmean(p.ne_gain_pct - p.confirmed_ne_gain_pct for p in found.fit), 3),
        "best_runs_curse_pct": round(fmean(p.ne_gain_pct - p.search_ne_gain_pct for p in found.fit), 3),
        "detectable_pct": round(found.detectable_pct.found, 3),
        "wall_s": round(figures["wall_seconds"], 1),
        **{state: figures["states"].get(state, 0) for state in ("complete", "stopped", "failed")},
    }


def again(log: str, seed: int, count: int) -> None:
    """The best trials of a run on ten orders, tested as picks are; goes into the run's result, its finals stay."""
    file = RESULTS / f"{result_name(log, seed)}.json"
    result = json.loads(file.read_text())
    study = automl.open_study(STUDIES / f"live-{log}-{seed}")
    finals = read_finals(study.folder)
    complete = [t for t in study.history.of_state(State.COMPLETE) if t.measurement is not None]
    best = sorted(complete, key=lambda t: t.measurement.ne if t.measurement else 0.0)[:count]
    found = study.finals(trials=[t.number for t in best], seeds=ORDERS, workers=CORES, console=terminal())
    if finals is not None:
        write_finals(study.folder, finals)
    print(*finals_lines(found), sep="\n")
    parts = {name: result[name] for name in ("settings", "headline")}
    write_result(file.stem, **parts, figures={**result["figures"], "best_again": found.to_json()})


def summarise() -> None:
    """All runs as one result, a line each."""
    files = [file for log in SUMMED for file in sorted(RESULTS.glob(f"{result_name(log, '*')}.json"))]
    runs = [json.loads(file.read_text()) for file in files]
    for run in runs:
        run["headline"] = headline(Finals.of_json(run["figures"]["finals"]), run["figures"])
        print(run["name"], run["headline"])
    write_result(
        "search_live",
        settings={"runs": [run["settings"] for run in runs]},
        figures={run["name"]: run["headline"] for run in runs},
        headline=summary([(run["settings"]["log"], run["headline"]) for run in runs]),
    )


def summary(runs: Sequence[tuple[str, Mapping[str, Any]]]) -> dict[str, Any]:
    """Of runs as (log, headline).

    better: runs with a pick that is proven better. ne_gain_pct: mean of their best proven gains. faster_qps_ratio: of
    the fastest pick no worse, in the run where it is least, among the logs that hope for one.
    """
    gains = [found["ne_gain_pct"] for _, found in runs if found["ne_gain_pct"] is not None]
    ratios = [found["faster_qps_ratio"] for log, found in runs if LOGS[log].faster]
    return {
        "better": len(gains),
        "runs": len(runs),
        "ne_gain_pct": round(fmean(gains), 3) if gains else None,
        "faster_qps_ratio": min(ratios, default=None),
        "winners_curse_pct": round(fmean(found["winners_curse_pct"] for _, found in runs), 3) if runs else None,
    }


if __name__ == "__main__":
    main()
