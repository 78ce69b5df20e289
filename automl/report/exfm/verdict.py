"""The answer in words: what the teacher gave, what may be shipped, and what must be said beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from automl.report.common.formats import counted, decimal, listed, p_value, percent, share
from automl.report.exfm.derived import calibration_shift, harmed, mean, nothing_to_teach
from automl.report.exfm.words import interval
from automl.study.exfm_figures import AUTO
from automl.study.exfm_results import ExfmResult, StudentResult

LITTLE_PCT = 0.1  # a headroom below this is little to teach
OFF = 0.02  # calibration this much further from 1 than without a teacher
FEW_SEEDS = 5
BADGES = {"better": "good", "worse": "bad"}


@dataclass(frozen=True, slots=True)
class Answer:
    """Headline, the sentences below it, and its tone: good, plain or bad."""

    headline: str
    lead: str
    tone: str


@dataclass(frozen=True, slots=True)
class Shipping:
    """Whether a student may serve as it was taught, and why."""

    decision: str
    badge: str  # style class
    why: str


def answer(result: ExfmResult) -> Answer:
    """What the teacher gave, over all students."""
    measured = [student for student in result.students.values() if student.gain is not None]
    if not measured:
        lead = "No recipe with a teacher has figures: only the students without one can be read below."
        return Answer("Nothing to say of the teacher yet.", lead, "plain")
    better, worse = (_of(measured, verdict) for verdict in ("better", "worse"))
    count, average = len(measured), mean([s.gain.pct for s in measured if s.gain])
    tone = "bad" if worse and not better else "good" if better and not worse else "plain"
    if better and len(better) == count:
        who = better[0].name if count == 1 else "both students" if count == 2 else f"all {count} students"
        headline = f"The teacher helps {who}: {_said(average)}{' on average' if count > 1 else ''}."
    elif better or worse:
        parts = [f"{verb} {len(found)}" for verb, found in (("helps", better), ("harms", worse)) if found]
        who = f"{' and '.join(parts)} of {count} students" if count > 1 else f"harms {worse[0].name}"
        headline = f"The teacher {who}: {_said(average)}{' on average' if count > 1 else ''}."
    elif all(nothing_to_teach(student) for student in measured):
        headline = "No gain: the teacher knows no more than its students."
    else:
        headline = f"No gain proven yet: {_said(average)}{' on average' if count > 1 else ''}, and it may be chance."
    return Answer(headline, _lead(result, measured), tone)


def _lead(result: ExfmResult, measured: Sequence[StudentResult]) -> str:
    scored = [window.name for window in result.windows if window.scored]
    spans = f" ({scored[0]} to {scored[-1]})" if len(scored) > 1 else f" ({scored[0]})" if scored else ""
    said = []
    if len(measured) > 1:
        ranked = sorted(measured, key=lambda s: s.gain.pct if s.gain else math.inf)
        said.append(f"Most for {_figures(ranked[0])}; least for {_figures(ranked[-1])}.")
    else:
        said.append(f"{_figures(measured[0])[0].upper()}{_figures(measured[0])[1:]}.")
    if any(s.own not in s.taught for s in measured):
        said.append(
            "Of a student that is to have no teacher the best recipe stands here: known afterwards, it flatters."
        )
    elif all(s.chosen and s.chosen.name == AUTO for s in measured):
        said.append("With auto, each window is served by the arm that the windows before it favour.")
    said.append(f"Scored on {counted(len(scored), 'window')}{spans} before each was learnt, {result.seeds} seeds.")
    if result.compared > 1:
        said.append(f"p is corrected over the {result.compared} students.")
    return " ".join(said)


def _figures(student: StudentResult) -> str:
    gain = student.gain
    assert gain is not None
    return f"{student.name}, {percent(gain.pct)} ({interval(gain)}, {p_value(gain.judged_p)})"


def _of(students: Sequence[StudentResult], verdict: str) -> list[StudentResult]:
    return [student for student in students if student.verdict == verdict]


def _said(pct: float) -> str:
    if abs(pct) < 0.005:
        return "NE unchanged"
    return f"NE {abs(pct):.2f}% {'better' if pct < 0 else 'worse'}"


def shipping(student: StudentResult) -> Shipping:
    """Proven, calibrated and without a segment that loses; else what is missing."""
    gain, chosen = student.gain, student.chosen
    if gain is None or chosen is None:
        return Shipping("not measured", "plain", "No recipe with a teacher has figures.")
    lost, shift = harmed(student), calibration_shift(student)
    moved = ""
    if student.all.without is not None:
        moved = f"Calibration {decimal(student.all.without.calibration, 3)} → {decimal(chosen.calibration, 3)}. "
    segments = f"Worse for {listed(part.name for part in lost)}." if lost else "No segment is shown to lose."
    why = moved + (segments if student.segments else "No segments were asked for.")
    if gain.verdict == "worse":
        return Shipping("no: worse", "bad", why)
    if gain.verdict != "better":
        return Shipping("not proven", "plain", why)
    if lost or shift > OFF:
        return Shipping("look first", "plain", why)
    return Shipping("yes", "good", why)


def notes(result: ExfmResult) -> tuple[str, ...]:
    """What must be said before the rest is believed; nothing where all is as it should be."""
    said = [*_teaching_notes(result), *_student_notes(result), *_data_notes(result)]
    return tuple(note for note in said if note)


def _teaching_notes(result: ExfmResult) -> list[str]:
    empty = [s for s in result.students.values() if nothing_to_teach(s)]
    little = [s for s in result.students.values() if -LITTLE_PCT < s.all.teacher.headroom_pct < 0]
    said = []
    if empty:
        said.append(
            f"Nothing to teach: on the rows of {_names(empty)} the teacher's NE is no better than the student's own. "
            "A larger teacher, more labels or counters raise the headroom."
        )
    if little:
        said.append(f"Little to teach: the teacher's headroom for {_names(little)} is below {LITTLE_PCT:g}%.")
    muted = [s for s in result.students.values() if any(run.muted and run.muted[-1] for run in s.runs.get(AUTO, ()))]
    if muted:
        said.append(f"auto did not hear the teacher any more at the end of the stream: {_names(muted)}.")
    refusals, ticks = result.teacher.refusals, result.teacher.ticks
    if refusals:
        of = f" of {ticks:,}" if ticks else ""
        said.append(f"{counted(len(refusals), 'snapshot')}{of} refused: the last good one went on scoring.")
    return said


def _student_notes(result: ExfmResult) -> list[str]:
    said = []
    unsure = [s for s in result.students.values() if s.verdict == "not proven" and s.gain and s.gain.pct < 0]
    if unsure and result.seeds < FEW_SEEDS:
        said.append(
            f"{result.seeds} seeds leave wide intervals. More of them (seeds: in the file) may prove what is seen "
            f"here of {_names(unsure)}; those that have run are kept."
        )
    shifted = [s for s in result.students.values() if calibration_shift(s) > OFF]
    if shifted:
        said.append(f"Calibration of {_names(shifted)} is further from 1 than without a teacher, by more than {OFF:g}.")
    losing = [s for s in result.students.values() if harmed(s)]
    if losing:
        names = dict.fromkeys(part.name for s in losing for part in harmed(s))
        said.append(f"Worse than without a teacher for some segment ({listed(names)}): {_names(losing)}.")
    single = [s for s in result.students.values() if s.all.without is None]
    if single:
        said.append(f"All scored rows of {_names(single)} are of one class: there is no NE.")
    holes = [s for s in result.students.values() if s.all.without and any(part.without is None for part in s.windows)]
    if holes:
        said.append(f"Windows of one class have no NE and are left out of the charts over time: {_names(holes)}.")
    return said


def _data_notes(result: ExfmResult) -> list[str]:
    das, said = result.das, []
    if das.coverage < 0.95:
        share_told = share(das.coverage)
        said.append(f"Only {share_told} of the examples have a prediction: the rest teach by their labels alone.")
    if das.calls_per_example > 1.01:
        calls = f"{das.calls_per_example:.2f}"
        said.append(f"The teacher was called {calls} times an example: batches had to be scored again.")
    if das.labels and das.late > 0.01 * das.labels:
        said.append(f"{share(das.late / das.labels)} of the labels came after the horizon.")
    return said


def _names(students: Sequence[StudentResult]) -> str:
    return listed(student.name for student in students)
