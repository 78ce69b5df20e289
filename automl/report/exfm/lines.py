"""A run in the terminal: a line a student."""

from __future__ import annotations

from automl.report.common.formats import is_number
from automl.report.exfm.derived import nothing_to_teach
from automl.study.exfm_results import ExfmResult, StudentResult


def exfm_lines(result: ExfmResult) -> list[str]:
    """A run in words: NE without a teacher, the gain of the chosen recipe, headroom and transfer."""
    names = max((len(student.name) for student in result.students.values()), default=0)
    chosen = max((len(student.chosen.name) for student in result.students.values() if student.chosen), default=0)
    return [_line(student, names, chosen) for student in result.students.values()]


def _line(student: StudentResult, names: int, recipes: int) -> str:
    name, without = f"{student.name:<{names}}", student.all.without
    if without is None:
        return f"{name}  no NE: its {student.all.rows:,} scored rows are all of one class"
    start = f"{name}  NE {without.ne:.4f}"
    headroom = student.all.teacher.headroom_pct
    room = f"headroom {headroom:+.2f}%" if is_number(headroom) else "headroom unknown"
    if student.chosen is None or student.gain is None:
        return f"{start}  no recipe with a teacher was run   {room}"
    gain, transfer = student.gain, student.chosen.transfer_ratio
    interval = f"[{gain.low_pct:+.2f}, {gain.high_pct:+.2f}]"
    figures = f"{student.chosen.name:<{recipes}} {gain.pct:+.2f}% {interval:<16} p {gain.judged_p:<7.2g}"
    passed = f"transfer {100 * transfer:.0f}%" if is_number(transfer) else "transfer -"
    words = f"{student.verdict}, nothing to teach" if nothing_to_teach(student) else student.verdict
    return f"{start}  {figures} {room}  {passed:<13}   {words}"
