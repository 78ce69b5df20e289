"""The rank table of all searches that were played, as figures and as lines to read.

    python -m experiments.search_benchmark.rank [--world surrogate|look-up]

Regret is hypervolume that is missing to the best front that anybody knows of. Rivals are met at batches of the same
size; of the controller without a part it is told what hypervolume is missing to the whole one. What is compared are the
seeds that both have. Writes experiments/results/search_benchmark.json; of the other world _look-up.json.
"""

from __future__ import annotations

import argparse
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from automl.stats.seeds import seed_of
from experiments import json_lines
from experiments.record import write_result
from experiments.search_benchmark.logs import LOGS
from experiments.search_benchmark.race import TRIALS, races_of
from experiments.search_benchmark.rivals import RIVALS
from experiments.search_benchmark.table import read_table
from experiments.search_benchmark.told import (
    Course,
    course_of,
    forecasts_of,
    ideal_volume,
    interval,
    paired_p,
    ratio_interval,
    trials_to_match,
)
from experiments.search_benchmark.variants import VARIANTS

OURS = "controller"
MARKS = (25, 50, 100)
NAMES = {"kuairand": "kuairand", "completejourney": "second"}
Courses = Mapping[tuple[str, int], Mapping[int, Course]]


def main() -> None:
    """Read the lines, print the tables, write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--world", choices=("surrogate", "look-up"), default="surrogate")
    asked = parser.parse_args()
    figures = {log: figures_of(log, asked.world) for log in LOGS if races_of(log, asked.world).exists()}
    best = {log: found["best_rival"] for log, found in figures.items()}
    headline: dict[str, Any] = {"best_rival": best["kuairand"] if len(set(best.values())) == 1 else best}
    for log, found in figures.items():
        against = found["table"][f"{OURS} (10)"].get("against_best_rival", {})
        headline |= {
            f"regret_ratio_{NAMES[log]}": against.get("regret_ratio", [None])[0],
            f"trials_to_match_{NAMES[log]}": against.get("trials_to_match"),
            f"p_{NAMES[log]}": against.get("p"),
        }
    name = "search_benchmark" if asked.world == "surrogate" else f"search_benchmark_{asked.world}"
    write_result(name, settings={"trials": TRIALS}, figures=figures, headline=headline)


def figures_of(log: str, world: str) -> dict[str, Any]:
    """Of one log: a row for each strategy and batch, best first."""
    table = read_table(log)
    lines = [line for line in json_lines.read(races_of(log, world)) if line["table"] == table.digest]
    ideal = ideal_volume(lines)
    courses: dict[tuple[str, int], dict[int, Course]] = defaultdict(dict)
    for line in lines:
        courses[line["strategy"], line["batch"]][line["seed"]] = course_of(line)
    ended = {key: [ideal - course.at(TRIALS)[0] for course in of.values()] for key, of in courses.items()}
    rivals = [key for key in ended if key[0] in RIVALS and key[1] == 10]
    best = min(rivals, key=lambda key: float(np.mean(ended[key])))
    rows = {}
    for key in sorted(ended, key=lambda key: float(np.mean(ended[key]))):
        rows[f"{key[0]} ({key[1]})"] = row = _row(courses, key, best, ideal)
        own = [line for line in lines if (line["strategy"], line["batch"]) == key]
        row["propose_cpu_s"] = round(float(np.mean([sum(line["propose_cpu_s"]) for line in own])), 1)
        row["wall_s"] = round(float(np.mean([line["wall_s"] for line in own])), 1)
        print(f"{log:<16}{key[0]:<22}{key[1]:>3}  {_words(row)}")
    forecasts = forecasts_of([line for line in lines if (line["strategy"], line["batch"]) == (OURS, 10)], 10)
    trained = int(np.isfinite(table.gain_NO).sum())
    of_table = {"candidates": len(table), "trainings": trained, "failed": len(table.failed), "digest": table.digest}
    return {
        "trained": of_table,
        "ideal_hypervolume": round(ideal, 4),
        "best_rival": best[0],
        "table": rows,
        "forecasts": forecasts,
    }


def _row(courses: Courses, key: tuple[str, int], best: tuple[str, int], ideal: float) -> dict[str, Any]:
    own, rng = courses[key], np.random.default_rng(seed_of("rank", *key))
    row: dict[str, Any] = {"seeds": len(own)}
    for mark in MARKS:
        volumes, gains = np.array([course.at(mark) for course in own.values()]).T
        row[f"regret_{mark}"] = _rounded(interval(ideal - volumes, rng))
        row[f"best_ne_pct_{mark}"] = round(float(gains.mean()), 3)
    rival = (best[0], key[1])
    both = sorted(own.keys() & courses.get(rival, {}).keys())
    if key != rival and len(both) > 1:
        ours, theirs = (np.array([ideal - courses[one][seed].at(TRIALS)[0] for seed in both]) for one in (key, rival))
        goal = float(np.mean([courses[rival][seed].at(TRIALS)[0] for seed in both]))
        row["against_best_rival"] = {
            "regret_ratio": _rounded(ratio_interval(ours, theirs, rng)),
            "better_in": f"{int((ours < theirs).sum())} of {len(both)}",
            "p": round(paired_p(ours, theirs), 5),
            "trials_to_match": trials_to_match([own[seed] for seed in both], goal),
        }
    if key[0] in VARIANTS and key != (OURS, 10):
        row["less_than_ours"] = {str(mark): _less(own, courses[OURS, 10], mark) for mark in MARKS}
    return row


def _less(own: Mapping[int, Course], ours: Mapping[int, Course], mark: int) -> list[float]:
    """Hypervolume that is missing to ours of the same seeds: mean, its standard error, p."""
    both = sorted(own.keys() & ours.keys())
    theirs_S, ours_S = (np.array([of[seed].at(mark)[0] for seed in both]) for of in (own, ours))
    missing_S = ours_S - theirs_S
    error = float(np.std(missing_S, ddof=1)) / len(both) ** 0.5 if len(both) > 1 else math.nan
    return _rounded([float(missing_S.mean()), error, paired_p(ours_S, theirs_S)])


def _words(row: Mapping[str, Any]) -> str:
    parts = [f"{row[f'regret_{mark}'][0]:.3f} ({row[f'best_ne_pct_{mark}']:+.2f}%)" for mark in MARKS]
    found = row.get("against_best_rival")
    more = (
        "" if found is None else f"  x{found['regret_ratio'][0]:.2f} p {found['p']:.4f} at {found['trials_to_match']}"
    )
    for mark, (mean, error, p) in row.get("less_than_ours", {}).items():
        more += f"  {mark}: {-mean:+.2f} ± {error:.2f} (p {p:.3f})"
    return f"{row['seeds']:>3} seeds  {'  '.join(parts)}{more}"


def _rounded(values: Sequence[float]) -> list[float]:
    return [round(value, 4) for value in values]


if __name__ == "__main__":
    main()
