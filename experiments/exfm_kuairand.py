"""One teacher and six students on KuaiRand by day: every recipe and auto, then biased, wrong and old teachers.

python -m experiments.exfm_kuairand [--quick] [--seeds 5] [--cell-seeds 3] [--workers 2]

Students are scored on days 8 to 14. Every recipe has the same five seeds of initial weights and data order; the teacher
is one, the mean of three members.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from automl.exfm.das.reader import DasReader
from automl.exfm.problem import ExfmProblem, Student, load_exfm
from automl.exfm.run import run_exfm, run_students, teach
from automl.exfm.scores import figures
from automl.exfm.student.jobs import assignment_of, job_name
from automl.exfm.student.recipes import recipe_of
from automl.exfm.student.run import Assignment, Distort
from automl.exfm.summary import scored_of, teacher_logits
from automl.runtime.cluster import cluster
from automl.stats.holm import holm
from automl.study.exfm_figures import AUTO, NONE
from automl.study.exfm_results import StudentResult
from experiments.exfm_world import LONG_VIEW_VMS, NOTED_NE, VMS, write_exfm
from experiments.record import write_result

RECIPES = (
    "plain",
    "calibrated",
    "auxiliary",
    "auxiliary-averaged",
    "auxiliary-adapter",
    "plain-averaged",
    "calibrated-averaged",
)
CELL_RECIPES = (NONE, "plain", "auxiliary-averaged", "auto")
AGES_DAYS = (1, 2, 4, 7)


def triple_odds(logits_NT: NDArray[np.float32]) -> NDArray[np.float32]:
    """A teacher that promises too much."""
    return logits_NT + np.float32(np.log(3.0))


def click_for_all(logits_NT: NDArray[np.float32]) -> NDArray[np.float32]:
    """A teacher of another label: the first task is the click."""
    return np.repeat(logits_NT[:, :1], logits_NT.shape[1], 1)


def main() -> None:
    """Run all, write experiments/results/exfm_kuairand.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two seeds, two ages")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--cell-seeds", type=int, default=3, help="of the bad teachers")
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    seeds, ages = (2, (1, 4)) if arguments.quick else (arguments.seeds, AGES_DAYS)
    console, start = Console(stderr=True), time.monotonic()
    problem = load_exfm(write_exfm("exfm-kuairand", seeds=seeds, compare=RECIPES))
    result = run_exfm(problem, workers=arguments.workers, console=console)
    table = {name: _row(result.students[name]) for name in VMS}
    for name, row in table.items():
        console.print(name, row, highlight=False)
    cell_seeds = min(seeds, arguments.cell_seeds)
    cells = _cells(problem, cell_seeds, ages, arguments.workers, console)
    for name, cell in cells.items():
        console.print(name, cell, highlight=False)
    headline = {**_headline(table), **_cells_headline(cells)}
    write_result(
        "exfm_kuairand_quick" if arguments.quick else "exfm_kuairand",
        settings={
            "seeds": seeds,
            "cell_seeds": cell_seeds,
            "score_from": "day 8",
            "teacher_members": 3,
            "snapshot_every": "1h",
        },
        figures={
            "students": table,
            "cells": cells,
            "das": asdict(result.das),
            "teacher": {
                "cost": asdict(result.teacher.cost),
                "train_seconds": result.teacher.train_seconds,
                "refusals": [asdict(refusal) for refusal in result.teacher.refusals],
            },
            "minutes": (time.monotonic() - start) / 60,
        },
        headline=headline,
    )
    console.print(headline, highlight=False)


def _row(student: StudentResult) -> dict[str, Any]:
    """A student's part of the table: NE, gains, calibration, and the regret of auto to the best in hindsight."""
    whole = student.all
    recipes = whole.recipes
    fixed = {name: recipe for name, recipe in recipes.items() if name not in (NONE, AUTO)}
    best = min(fixed, key=lambda name: fixed[name].ne)
    regrets = 100 * (np.array(recipes[AUTO].ne_by_seed) / np.array(recipes[best].ne_by_seed) - 1)
    half = 2.776 * regrets.std(ddof=1) / np.sqrt(len(regrets)) if len(regrets) == 5 else float("nan")
    return {
        "rows": whole.rows,
        "none_ne": recipes[NONE].ne,
        "teacher_ne": whole.teacher.ne,
        "headroom_pct": whole.teacher.headroom_pct,
        "gains_pct": {name: recipe.gain.pct for name, recipe in recipes.items() if recipe.gain},
        "auto": asdict(recipes[AUTO].gain),
        "transfer_ratio": recipes[AUTO].transfer_ratio,
        "best_fixed": best,
        "auto_regret_pct": [float(regrets.mean()), float(regrets.mean() - half), float(regrets.mean() + half)],
        "calibration": {name: recipes[name].calibration for name in (NONE, AUTO, "plain")},
        "train_seconds": {name: sum(sum(run.train_seconds.values()) for run in student.runs[name]) for name in recipes},
        "choices": [run.choices for run in student.runs[AUTO]],
    }


def _cells(
    problem: ExfmProblem, seeds: int, ages: Sequence[int], workers: int, console: Console
) -> dict[str, dict[str, Any]]:
    """Gains over no teacher under a bad one: cell/student -> recipe -> gain; p of auto corrected over all cells."""
    cells: dict[str, dict[str, Any]] = {}
    students = problem.students
    for name, distort, chosen in (
        ("odds x3", triple_odds, students),
        ("click teacher", click_for_all, [s for s in students if s.name in LONG_VIEW_VMS]),
    ):
        cells |= _cell(name, problem, problem, chosen, seeds, distort, workers, console)
    for days in ages:
        aged = load_exfm(write_exfm(f"exfm-kuairand-age-{days}", seeds=seeds, age=f"{days}d"))
        cells |= _cell(f"{days} days old", problem, aged, aged.students, seeds, None, workers, console)
    p = holm([cell["auto"]["p"] for cell in cells.values()])
    for cell, corrected in zip(cells.values(), p, strict=True):
        cell["auto"]["p_corrected"] = corrected
    return cells


def _cell(
    name: str,
    main_run: ExfmProblem,
    problem: ExfmProblem,
    students: Sequence[Student],
    seeds: int,
    distort: Distort | None,
    workers: int,
    console: Console,
) -> dict[str, dict[str, Any]]:
    """Students taught by what `problem`'s run says, distorted; without a teacher they are those of the main run."""
    given: dict[str, Assignment] = {}
    folder = problem.folder / "cells" / name.replace(" ", "-")
    for student in students:
        for recipe in CELL_RECIPES[1:]:
            for seed in range(seeds):
                one = assignment_of(problem, student, recipe_of(recipe), seed)
                job = job_name(student.name, recipe, seed)
                given[job] = replace(one, distort=distort, out=folder / job)
    console.print(f"cell: {name}", highlight=False)
    with cluster(problem.folder, workers):
        teach(problem, workers=workers, console=console)
        run_students(problem, given, workers=workers, console=console)
    said_NT = teacher_logits(problem, DasReader(problem.folder, problem.stream))
    if distort is not None:
        said_NT = distort(said_NT)
    found = {}
    for student in students:
        runs = {
            recipe: [given[job_name(student.name, recipe, seed)].out for seed in range(seeds)]
            for recipe in CELL_RECIPES[1:]
        }
        none = [assignment_of(main_run, student, recipe_of(NONE), seed).out for seed in range(seeds)]
        scored, _ = scored_of(problem, student, {NONE: none, **runs}, said_NT[:, student.task])
        shown = figures(scored)
        cell = {recipe: asdict(shown.recipes[recipe].gain) for recipe in CELL_RECIPES[1:]}
        calibration = {recipe: shown.recipes[recipe].calibration for recipe in CELL_RECIPES}
        found[f"{name} / {student.name}"] = {
            **cell,
            "headroom_pct": shown.teacher.headroom_pct,
            "calibration": calibration,
        }
    return found


def _headline(table: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    gains = [row["auto"]["pct"] for row in table.values()]
    p = holm([row["auto"]["p"] for row in table.values()])
    significant = [row["auto"]["high_pct"] < 0 and value < 0.05 for row, value in zip(table.values(), p, strict=True)]
    shifts = [abs(row["calibration"]["auto"] - 1) - abs(row["calibration"][NONE] - 1) for row in table.values()]
    return {
        "vms_significant": int(sum(significant)),
        "mean_gain_pct": float(np.mean(gains)),
        "worst_vm_gain_pct": max(gains),
        "auto_vs_best_fixed_pct": float(np.mean([row["auto_regret_pct"][0] for row in table.values()])),
        "calibration_shift": max(shifts),
        "train_rate_with_heads": _seconds(table, NONE) / _seconds(table, "auxiliary-adapter"),
        "none_vs_noted_pct": max(100 * (row["none_ne"] / NOTED_NE[name] - 1) for name, row in table.items()),
    }


def _seconds(table: Mapping[str, Mapping[str, Any]], recipe: str) -> float:
    """Core seconds of training, of all students and seeds."""
    return float(sum(row["train_seconds"][recipe] for row in table.values()))


def _cells_headline(cells: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    worse = [c["auto"]["low_pct"] > 0 and c["auto"]["p_corrected"] < 0.05 for c in cells.values()]
    old = {name: cell for name, cell in cells.items() if "days old" in name}
    return {
        "cells": len(cells),
        "cells_significantly_worse": sum(worse),
        "worst_under_bias_pct": max(cell["auto"]["pct"] for name, cell in cells.items() if name not in old),
        "worst_under_age_pct": max(cell["auto"]["pct"] for cell in old.values()),
    }


if __name__ == "__main__":
    main()
