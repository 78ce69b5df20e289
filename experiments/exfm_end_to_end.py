"""From two searches to a served student: a large model and a small front are searched on days 1 to 7, handed over, and
streamed; students are scored on days 8 to 14, which neither search saw.

python -m experiments.exfm_end_to_end [--quick] [--trials 40] [--workers 2]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

import automl
from automl.exfm.handle import ExfmHandle
from automl.exfm.problem import ExfmProblem, Student, load_exfm
from automl.exfm.run import run_exfm
from automl.ranking.features import Features
from automl.ranking.model import RankingModel, build_member, build_model
from automl.ranking.place import CpuClock
from automl.ranking.process import prepare_process
from automl.ranking.served import load_served
from automl.ranking.throughput import quiet_qps, time_ratio
from automl.study.exfm_figures import AUTO, NONE
from automl.study.exfm_results import StudentResult
from experiments.exfm_world import COUNTERS, stream_data
from experiments.kuairand import write_study
from experiments.record import write_result
from experiments.studies import STUDIES

_SPLIT = {
    "train": ["2022-04-25", "2022-04-29"],
    "validate": ["2022-04-30", "2022-05-01"],
    "test": ["2022-05-02", "2022-05-08"],
}
_LARGE = "constraints: [flops >= 400K]\n"
_SMALL = "constraints: [flops <= 60K]\n"
_RUN = """\
name: end-to-end
{data}
teacher: {{model: ../exfm-large#accurate, members: 3, snapshot_every: 1h}}
students:
  click: {{model: "../exfm-small#front", label: click}}
score_from: 7
seeds: {seeds}
seed: 1
"""
_TIMING_SECONDS = 3.0


def main() -> None:
    """Search twice, stream, export the best student; write experiments/results/exfm_end_to_end.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="8 trials, two seeds")
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    trials, seeds = (8, 2) if arguments.quick else (arguments.trials, 5)
    console, start = Console(stderr=True), time.monotonic()
    large = write_study("exfm-large", split=_SPLIT, counters=COUNTERS, rest=_LARGE)
    small = write_study("exfm-small", split=_SPLIT, rest=_SMALL)
    for file in (large, small):
        study = automl.search(file, trials=trials, workers=arguments.workers, console=console)
        console.print(study.summary(), highlight=False)
    folder = STUDIES / "exfm-end-to-end"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "exfm.yaml").write_text(_RUN.format(data=stream_data(), seeds=seeds))
    problem = load_exfm(folder / "exfm.yaml")
    result = run_exfm(problem, workers=arguments.workers, console=console)
    students = result.students
    best = min(students, key=lambda name: students[name].all.recipes[AUTO].ne)
    rows = {name: _row(part) for name, part in students.items()}
    file = folder / "best.zip"
    exported = ExfmHandle(problem.folder).export(file, student=best)
    speed = _speeds(problem, next(s for s in problem.students if s.name == best), file)
    headline = {
        "small_ne": rows[best]["none_ne"],
        "student_ne": rows[best]["auto_ne"],
        "large_ne": rows[best]["teacher_ne"],
        "student_gain_pct": rows[best]["gain"]["pct"],
        "student_p": rows[best]["gain"]["p_corrected"],
        **speed,
    }
    write_result(
        "exfm_end_to_end_quick" if arguments.quick else "exfm_end_to_end",
        settings={"trials": trials, "seeds": seeds, "search_days": "1 to 7", "scored_days": "8 to 14"},
        figures={
            "students": rows,
            "best": best,
            "teacher": result.teacher.model.to_tree(),
            "export_parity": exported["parity"],
            "minutes": (time.monotonic() - start) / 60,
        },
        headline=headline,
    )
    console.print(headline, highlight=False)


def _row(student: StudentResult) -> dict[str, Any]:
    recipes = student.all.recipes
    return {
        "flops": student.cost.flops,
        "none_ne": recipes[NONE].ne,
        "auto_ne": recipes[AUTO].ne,
        "teacher_ne": student.all.teacher.ne,
        "gain": asdict(recipes[AUTO].gain),
        "calibration": recipes[AUTO].calibration,
    }


def _speeds(problem: ExfmProblem, student: Student, exported: Path) -> dict[str, float]:
    """QPS of the student that was taught, of an equal one without a teacher, and of one member of the teacher."""
    prepare_process()
    stream = problem.stream
    rows = slice(len(stream) - 32768, len(stream))
    batches = list(student.columns.read(stream, rows).parts(512))
    inputs = student.columns.inputs(stream)
    served = load_served(exported)
    plain, taught = build_model(student.spec, inputs, seed=0), build_model(student.spec, inputs, seed=1)
    ratio = time_ratio(taught, plain, batches, max_seconds=_TIMING_SECONDS, clock=CpuClock())
    expected = served.probabilities(batches[0])
    if not np.isfinite(expected).all():
        raise RuntimeError("the exported student must predict numbers")
    columns = problem.teacher_columns
    big = list(columns.read(stream, rows).parts(512))
    teacher = build_member(problem.teacher, columns.inputs(stream), seed=0, tasks=len(stream.tasks))
    small_qps = _qps(plain, batches)
    large_qps = _qps(teacher, big)
    return {
        "student_qps_over_small": ratio.qps_ratio,
        "small_qps": small_qps,
        "large_member_qps": large_qps,
        "student_qps_over_large_member": small_qps / large_qps,
    }


def _qps(model: RankingModel, batches: Sequence[Features]) -> float:
    return quiet_qps(model, batches, max_seconds=_TIMING_SECONDS, clock=CpuClock())


if __name__ == "__main__":
    main()
