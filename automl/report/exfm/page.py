"""The page of an ExFM run: exfm.html."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from automl.report.common import formats
from automl.report.common.shell import render_page, write_page
from automl.report.common.words import architecture, training
from automl.report.exfm import figures, run_figures
from automl.report.exfm.data import AUTO, NONE, ExfmFacts, Part, RunFacts, StudentFacts, mean, number, read_exfm
from automl.report.exfm.verdict import BADGES, answer, interval, notes, nothing_to_teach, shipping
from automl.report.exfm.window_figures import panel

SECTIONS = (
    ("gave", "Gain"),
    ("ship", "Ship"),
    ("worth", "Worth"),
    ("time", "Over time"),
    ("cost", "Cost"),
    ("data", "Data"),
    ("numbers", "Numbers"),
    ("how", "How"),
)
Tile = tuple[str, str, str]  # label, number, small print


def write_exfm_report(folder: Path) -> Path:
    """Write exfm.html beside exfm.json and return its path. It needs no network and no other file.

    Raises:
        InputError: where the folder holds no exfm.json.
    """
    return write_page(folder / "exfm.html", render(read_exfm(folder)))


def render(facts: ExfmFacts) -> str:
    """The whole page as text."""
    charts: dict[str, Any] = {
        "gains": figures.gains(facts),
        "calibration": figures.calibration(facts),
        "headroom": figures.headroom(facts),
        "core_time": run_figures.core_time(facts),
        "staleness": run_figures.staleness(facts),
        "window_rows": run_figures.window_rows(facts),
    }
    segments = [figures.segment(facts, name) for name in facts.segments if facts.recipes]
    panels = {student.name: panel(facts, student) for student in facts.students}
    return render_page(
        "exfm.html.j2",
        charts,
        {
            "name": facts.name,
            "sections": SECTIONS,
            "answer": answer(facts),
            "notes": notes(facts),
            "facts": facts,
            "badges": BADGES,
            "shipping": {student.name: shipping(student) for student in facts.students},
            "serving": {student.name: _serving(student) for student in facts.students},
            "empty": {student.name: nothing_to_teach(student) for student in facts.students},
            "interval": interval,
            "segments": segments,
            "panels": panels,
            "worth": _worth_tiles(facts),
            "costs": _cost_tiles(facts),
            "training": [_training(student) for student in facts.students],
            "sound": _data_tiles(facts),
            "teacher_words": _model_words(facts.teacher_model),
            "model_words": _students_words(facts),
            "numbers": [row for student in facts.students for row in _rows(student)],
        },
        more=[*segments, *(chart for each in panels.values() for chart in each)],
    )


def _model_words(model: Any) -> str:
    return f"{architecture(model)}; {training(model)}" if model is not None else formats.ABSENT


def _students_words(facts: ExfmFacts) -> dict[str, str]:
    """Models in words, by the names of the students that have them."""
    names: dict[str, list[str]] = {}
    for student in facts.students:
        names.setdefault(_model_words(student.model), []).append(student.name)
    return {formats.listed(found): words for words, found in names.items()}


def _serving(student: StudentFacts) -> str:
    """What would serve after the last window; of auto the arms of its seeds."""
    if student.chosen is None:
        return formats.ABSENT
    runs = student.runs.get(student.chosen.name, ())
    arms = [run.serving for run in runs]
    if student.chosen.name != AUTO or not arms:
        return student.chosen.name
    each = {arm: arms.count(arm) for arm in dict.fromkeys(arms)}
    if len(each) == 1:
        return f"auto: {arms[0]}"
    return "auto: " + ", ".join(f"{arm} ({formats.counted(times, 'seed')})" for arm, times in each.items())


# ---------------------------------------------------------------------- tiles


def _worth_tiles(facts: ExfmFacts) -> list[Tile]:
    rooms = [student.all.teacher.headroom_pct for student in facts.students]
    known = [room for room in rooms if math.isfinite(room)]
    transfers = [student.chosen.transfer for student in facts.students if student.chosen]
    taught = sum(room < 0 for room in known)
    size = number(facts.teacher.get("cost", {}).get("flops")) / mean([s.flops for s in facts.students])
    members = int(facts.teacher.get("members", 1))
    shown = f"{formats.percent(min(known))} to {formats.percent(max(known))}" if len(known) > 1 else "one student"
    return [
        ("mean headroom", formats.percent(mean(rooms)), shown if known else "no NE"),
        ("something to teach", f"{taught} of {len(rooms)}", "students whose teacher is better than they are"),
        ("mean transfer", formats.share(mean(transfers)), "gain / headroom"),
        (
            "size",
            formats.ratio(size),
            f"teacher's FLOPs a row over the students', {formats.counted(members, 'member')}",
        ),
    ]


def _cost_tiles(facts: ExfmFacts) -> list[Tile]:
    total, students = facts.fm_core_seconds, max(1, len(facts.students))
    learning, scoring = number(facts.teacher.get("train_seconds")), number(facts.das.get("core_seconds"))
    pupils = [seconds for s in facts.students if math.isfinite(seconds := run_figures.student_seconds(s))]
    cost = facts.teacher.get("cost", {})
    trained = [row for row in map(_training, facts.students) if row.slowdown is not None]
    more = formats.ratio(mean([row.slowdown for row in trained if row.slowdown is not None]))
    rate = formats.count(number(facts.das.get("rows_per_second")))
    size = f"{formats.count(number(cost.get('flops')))} FLOPs a row"
    return [
        (
            "teacher, core time",
            formats.duration(total),
            f"{formats.duration(learning)} training, {formats.duration(scoring)} scoring",
        ),
        ("teacher, a student", formats.duration(total / students), f"shared by {formats.counted(students, 'student')}"),
        ("students, core time", formats.duration(sum(pupils)), "all recipes, arms and seeds"),
        ("auto's training", more, "core time of one student without a teacher"),
        ("scoring", rate, "rows a second of wall clock"),
        ("teacher's parameters", formats.count(number(cost.get("params"))), size),
    ]


def _data_tiles(facts: ExfmFacts) -> list[Tile]:
    das = facts.das
    labels = int(das.get("labels", 0))

    def of_labels(key: str) -> str:
        total = labels + int(das.get("never", 0))
        return f"{100 * das.get(key, 0) / total:.2g}% of the labels" if total else "no labels"

    coverage, unique = number(das.get("coverage")), f"of {das.get('examples', 0):,} unique examples"
    return [
        ("coverage", f"{100 * coverage:.1f}%" if math.isfinite(coverage) else formats.ABSENT, unique),
        ("calls an example", formats.decimal(number(das.get("calls_per_example")), 3), "1 is once each"),
        ("duplicates", f"{das.get('duplicates', 0):,}", "rows of an example that was there"),
        ("late labels", f"{das.get('late', 0):,}", f"after the horizon, {of_labels('late')}"),
        ("labels that never come", f"{das.get('never', 0):,}", of_labels("never")),
        ("snapshots refused", f"{len(facts.refusals):,}", f"of {facts.teacher.get('ticks', 0):,} ticks"),
    ]


# ---------------------------------------------------------------------- tables


@dataclass(frozen=True, slots=True)
class Training:
    """How a student was trained: rows of a run, rows a core second of one arm, and what auto trained."""

    student: StudentFacts
    rows: int
    rate_without: float
    rate_taught: float
    arms: Mapping[str, float]  # of auto: its core seconds, mean over the seeds
    slowdown: float | None  # core time of auto over that of no teacher


def _training(student: StudentFacts) -> Training:
    plain = student.runs.get(NONE, ())
    taught = student.runs.get(student.chosen.name, ()) if student.chosen else ()
    auto = student.runs.get(AUTO, ())
    names = dict.fromkeys(arm for run in auto for arm in run.train_seconds)
    arms = {arm: mean([run.train_seconds.get(arm, math.nan) for run in auto]) for arm in names}
    alone = mean([_seconds(run) for run in plain])
    slowdown = mean([_seconds(run) for run in auto]) / alone if auto and alone > 0 else None
    rows = max((run.rows for runs in student.runs.values() for run in runs), default=0)
    return Training(student, rows, _rate(plain), _rate(taught), arms, slowdown)


def _seconds(run: RunFacts) -> float:
    return sum(run.train_seconds.values())


def _rate(runs: tuple[RunFacts, ...]) -> float:
    """Rows a core second of the arms that heard the teacher, or of the only one; those that were dropped have seen
    fewer rows and are left out where they are much quicker than the slowest."""
    rates = []
    for run in runs:
        heard = [s for arm, s in run.train_seconds.items() if arm != NONE or len(run.train_seconds) == 1]
        slowest = max(heard, default=math.nan)
        full = [seconds for seconds in heard if seconds > 0.7 * slowest]
        rates.append(run.rows / mean(full) if full and mean(full) > 0 else math.nan)
    return mean(rates)


@dataclass(frozen=True, slots=True)
class Row:
    """A student, some of its rows, and a recipe on them."""

    student: str
    part: Part
    recipe: str
    ne: float
    calibration: float
    gain: str
    p: str


def _rows(student: StudentFacts) -> list[Row]:
    found = []
    for part in (student.all, *student.segments):
        found += [
            Row(
                student.name,
                part,
                "no teacher" if name == NONE else name,
                recipe.ne,
                recipe.calibration,
                f"{formats.percent(recipe.gain.pct)} ({interval(recipe.gain)})" if recipe.gain else formats.ABSENT,
                formats.p_value(recipe.gain.p).removeprefix("p ").removeprefix("= ") if recipe.gain else "",
            )
            for name, recipe in part.recipes.items()
        ]
        if part.recipes:
            teacher = part.teacher
            room = f"{formats.percent(teacher.headroom_pct)}"
            found.append(Row(student.name, part, "teacher", teacher.ne, teacher.calibration, room, ""))
    return found
