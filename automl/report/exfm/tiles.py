"""Numbers that stand alone: is the teacher worth it, what it cost, is the data sound."""

from __future__ import annotations

import math

from automl.report.common import formats
from automl.report.exfm.derived import mean, student_seconds, training_of
from automl.study.exfm_results import ExfmResult

Tile = tuple[str, str, str]  # label, number, small print


def worth_tiles(result: ExfmResult) -> list[Tile]:
    """Headroom and transfer over all students, and the teacher's size."""
    rooms = [student.all.teacher.headroom_pct for student in result.students.values()]
    known = [room for room in rooms if math.isfinite(room)]
    transfers = [student.chosen.transfer_ratio for student in result.students.values() if student.chosen]
    taught = sum(room < 0 for room in known)
    size = result.teacher.cost.flops / mean([student.cost.flops for student in result.students.values()])
    members = result.teacher.members
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


def cost_tiles(result: ExfmResult) -> list[Tile]:
    """Core time of the teacher and of the students."""
    total, students = result.fm_core_seconds, max(1, len(result.students))
    learning, scoring = result.teacher.train_seconds, result.das.core_seconds
    pupils = [seconds for s in result.students.values() if math.isfinite(seconds := student_seconds(s))]
    cost = result.teacher.cost
    trained = [training_of(student).slowdown for student in result.students.values()]
    more = formats.ratio(mean([slowdown for slowdown in trained if slowdown is not None]))
    rate = formats.count(result.das.rows_per_second)
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
        ("teacher's parameters", formats.count(cost.params), f"{formats.count(cost.flops)} FLOPs a row"),
    ]


def data_tiles(result: ExfmResult) -> list[Tile]:
    """What was scored and joined, and what was not."""
    das = result.das
    total = das.labels + das.never

    def of_labels(some: int) -> str:
        return f"{100 * some / total:.2g}% of the labels" if total else "no labels"

    coverage = f"{100 * das.coverage:.1f}%" if math.isfinite(das.coverage) else formats.ABSENT
    return [
        ("coverage", coverage, f"of {das.examples:,} unique examples"),
        ("calls an example", formats.decimal(das.calls_per_example, 3), "1 is once each"),
        ("duplicates", f"{das.duplicates:,}", "rows of an example that was there"),
        ("late labels", f"{das.late:,}", f"after the horizon, {of_labels(das.late)}"),
        ("labels that never come", f"{das.never:,}", of_labels(das.never)),
        ("snapshots refused", f"{len(result.teacher.refusals):,}", f"of {result.teacher.ticks:,} ticks"),
    ]
