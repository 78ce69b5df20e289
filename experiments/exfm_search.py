"""A search over `distill:` knobs for one student of an ExFM run, its teacher scored once, against `auto`.

    python -m experiments.exfm_search --run RUN [--student NAME] [--trials 40] [--quick]

The model is fixed; train, validate and test are the first days, the next and the last of the run's lessons. What the
finals find most accurate then streams like any recipe of the run, and is compared on the test days, which the search
has never seen, with no teacher and with the run's own recipes. Writes studies/exfm-search-NAME/ and
experiments/results/exfm_search.json.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from scipy.special import expit

import automl
from automl.cli.common import terminal
from automl.data.columns.times import days_of, midnight
from automl.data.store.lessons import LESSONS, LessonLog, open_lessons
from automl.exfm.problem import ExfmProblem, Student, load_exfm
from automl.exfm.run import run_students
from automl.exfm.scores import Scored, figures
from automl.exfm.student.jobs import assignment_of, job_name
from automl.exfm.student.recipes import Recipe
from automl.exfm.student.run import LOGITS
from automl.exfm.summary import scored_rows
from automl.report.study.lines import finals_lines
from automl.runtime.cluster import cluster
from automl.study.exfm_figures import AUTO, PartFigures
from automl.study.plain import Codec
from experiments.live import CORES, search_figures
from experiments.record import write_result
from experiments.studies import STUDIES
from search_spaces.distill import Distill

SEARCHED = "searched"
PARTS = Codec(PartFigures)
_KNOBS = """\
distill:
  heads: {choice: [none, plain, auxiliary, both, adapter, calibrated], default: plain}
  weight: {log: [0.1, 10], default: 3}
  alpha: {log: [0.5, 2], default: 1}
  beta: {float: [0, 1], default: 1}
  averaged: {choice: [true, false], default: true}
  adapter_width: {choice: [0, 4, 8, 16], default: 8}
  adapter_lr: {log: [1.0e-3, 0.1], default: 0.01}
  half_life_hours: {choice: [0, 1, 6, 24, 72], default: 0}
  tasks: {choice: [own, all], default: own}
"""


def main() -> None:
    """Search, finals, the recipe that was found on the stream; the result file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="folder of a finished ExFM run")
    parser.add_argument("--student", default="v1")
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--quick", action="store_true", help="2 seeds in the finals")
    arguments = parser.parse_args()
    run = arguments.run.absolute()
    lessons = open_lessons(run / LESSONS.name / arguments.student)
    file, split = write_study(lessons, arguments.student)
    study = automl.search(file, trials=arguments.trials, workers=CORES, console=terminal())
    print(study.summary())
    found = study.finals(seeds=2 if arguments.quick else 5, workers=CORES, console=terminal())
    print(*finals_lines(found), sep="\n")
    print(study.report())
    distill = study.best("accurate").distill
    problem = load_exfm(Path(lessons.facts["file"]), run)
    student = next(s for s in problem.students if s.name == arguments.student)
    first_ns = midnight(dt.date.fromisoformat(split["test"][0]), lessons.facts["timezone"])
    parts = on_the_stream(problem, student, distill, first_ns, file.parent)
    test = parts["test"].recipes
    gains = {name: recipe.gain.pct if recipe.gain else 0.0 for name, recipe in test.items()}
    write_result(
        "exfm_search",
        settings={
            "student": arguments.student,
            "trials": arguments.trials,
            "seeds": problem.config.seeds,
            "workers": CORES,
            "split": split,
        },
        figures={
            **search_figures(study),
            "finals": found.to_json(),
            "distill": None if distill is None else asdict(distill),
            "stream": {name: PARTS.plain(part) for name, part in parts.items()},
        },
        headline={
            "wall_s": round(study.facts.wall_seconds, 1),
            "offline_gain_pct": round(min(pick.ne_gain_pct for pick in found.picks), 3),
            "stream_gain_pct": round(gains[SEARCHED], 3),
            "stream_p": test[SEARCHED].gain.p,
            **({"auto_gain_pct": round(gains[AUTO], 3)} if AUTO in gains else {}),
            "best_fixed_gain_pct": round(min(pct for name, pct in gains.items() if name not in (SEARCHED, AUTO)), 3),
        },
    )
    print(json.dumps({name: round(pct, 3) for name, pct in gains.items()}))


def write_study(lessons: LessonLog, student: str) -> tuple[Path, dict[str, list[str]]]:
    """Write studies/exfm-search-STUDENT: the run's own model, without a teacher and with every way to learn from it."""
    folder = STUDIES / f"exfm-search-{student}"
    folder.mkdir(parents=True, exist_ok=True)
    model = {key: value for key, value in lessons.facts["model"].items() if key != "distill"}
    model["train"] = {**model["train"], "order": "time"}  # as the stream comes
    text = json.dumps(model, indent=1) + "\n"  # JSON is YAML
    (folder / "baseline.yaml").write_text(text)
    space = "".join(f"{key}: {json.dumps(value)}\n" for key, value in model.items())
    (folder / "space.yaml").write_text(space + _KNOBS)
    split = split_days(lessons)
    file = folder / "study.yaml"
    file.write_text(
        f"name: exfm-search-{student}\ndata:\n  lessons: {lessons.folder}\n  split: {json.dumps(split)}\n"
        "space: space.yaml\nbaseline: baseline.yaml\n"
        "search: {strategy: controller, batch: 10}\ntrial: {timeout: 5m, memory: 4GiB}\n"
        "qps: {clock: analytic}\n"  # one served graph: there is no speed to measure
        "finals: {margin_pct: 0.2, seeds: 5}\nbaseline_seeds: 5\nseed: 7\n"
    )
    return file, split


def split_days(lessons: LessonLog) -> dict[str, list[str]]:
    """The last seventh of the days to test, as many before them to validate, the others to train."""
    days = days_of(int(lessons.times_N[0]), int(lessons.times_N[-1]), lessons.facts["timezone"])
    size = max(1, len(days) // 7)
    bounds = {"train": days[: -2 * size], "validate": days[-2 * size : -size], "test": days[-size:]}
    return {name: [str(part[0]), str(part[-1])] for name, part in bounds.items()}


def on_the_stream(
    problem: ExfmProblem, student: Student, distill: Distill | None, first_ns: int, folder: Path
) -> dict[str, PartFigures]:
    """The recipe on the run's stream with the run's seeds, beside the run's own recipes: on the test days, on all."""
    stream, seeds = problem.stream, range(problem.config.seeds)
    out = folder / "stream" / replace(student.spec, distill=distill).key
    mine = {
        job_name(student.name, SEARCHED, seed): replace(
            assignment_of(problem, student, Recipe(SEARCHED, distill), seed), out=out / f"seed-{seed}"
        )
        for seed in seeds
    }
    with cluster(folder, CORES, None):
        run_students(problem, mine, workers=CORES, console=terminal())
    given = {
        recipe.name: [assignment_of(problem, student, recipe, seed) for seed in seeds] for recipe in student.recipes
    }
    given[SEARCHED] = list(mine.values())
    rows_N = np.flatnonzero(student.members_N & np.isfinite(stream.labels_NT[:, student.task]))
    scored = Scored(
        rows=scored_rows(stream, rows_N, student.task),
        windows_N=np.zeros(len(rows_N), np.int64),
        probs_SN={
            name: np.stack([expit(np.load(task.out / LOGITS), dtype=np.float64) for task in of])
            for name, of in given.items()
            if all(task.out.exists() for task in of)
        },
        teacher_N=np.full(len(rows_N), np.nan),
    )
    first = stream.windows[problem.config.score_from].rows.start
    return {
        "test": figures(scored.part(stream.times_N[rows_N] >= first_ns), "test"),
        "scored": figures(scored.part(rows_N >= first), "scored"),
    }


if __name__ == "__main__":
    main()
