"""The answer in words: what the teacher gave, what may be shipped, and what must be said beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from automl.report.common.formats import counted, decimal, is_number, listed, p_value, percent, share
from automl.report.exfm.data import AUTO, ExfmFacts, GainFacts, Part, StudentFacts, mean

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


def answer(facts: ExfmFacts) -> Answer:
    """What the teacher gave, over all students."""
    measured = [student for student in facts.students if student.gain is not None]
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
    return Answer(headline, _lead(facts, measured), tone)


def _lead(facts: ExfmFacts, measured: Sequence[StudentFacts]) -> str:
    scored = [name for name, _, scored in facts.windows if scored]
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
    said.append(f"Scored on {counted(len(scored), 'window')}{spans} before each was learnt, {facts.seeds} seeds.")
    if facts.compared > 1:
        said.append(f"p is corrected over the {facts.compared} students.")
    return " ".join(said)


def _figures(student: StudentFacts) -> str:
    gain = student.gain
    assert gain is not None
    return f"{student.name}, {percent(gain.pct)} ({interval(gain)}, {p_value(gain.p)})"


def interval(gain: GainFacts) -> str:
    """Both ends: −0.46% to −0.02%."""
    return f"{percent(gain.low_pct)} to {percent(gain.high_pct)}"


def _of(students: Sequence[StudentFacts], verdict: str) -> list[StudentFacts]:
    return [student for student in students if student.verdict == verdict]


def _said(pct: float) -> str:
    if abs(pct) < 0.005:
        return "NE unchanged"
    return f"NE {abs(pct):.2f}% {'better' if pct < 0 else 'worse'}"


def nothing_to_teach(student: StudentFacts) -> bool:
    """The teacher is no better than the student on its rows."""
    return student.all.teacher.headroom_pct >= 0


def harmed(student: StudentFacts) -> tuple[Part, ...]:
    """Segments in which the chosen recipe's whole interval is above 0."""
    return tuple(part for part in student.segments if (gain := _gain_on(student, part)) and gain.low_pct > 0)


def _gain_on(student: StudentFacts, part: Part) -> GainFacts | None:
    recipe = part.recipes.get(student.chosen.name) if student.chosen else None
    return recipe.gain if recipe else None


def calibration_shift(student: StudentFacts) -> float:
    """How much further from 1 than without a teacher; negative is nearer."""
    without, chosen = student.all.without, student.chosen
    if without is None or chosen is None:
        return math.nan
    return abs(chosen.calibration - 1) - abs(without.calibration - 1)


def shipping(student: StudentFacts) -> Shipping:
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


def notes(facts: ExfmFacts) -> tuple[str, ...]:
    """What must be said before the rest is believed; nothing where all is as it should be."""
    said = [*_teaching_notes(facts), *_student_notes(facts), *_data_notes(facts)]
    return tuple(note for note in said if note)


def _teaching_notes(facts: ExfmFacts) -> list[str]:
    empty = [s for s in facts.students if nothing_to_teach(s)]
    little = [s for s in facts.students if -LITTLE_PCT < s.all.teacher.headroom_pct < 0]
    said = []
    if empty:
        said.append(
            f"Nothing to teach: on the rows of {_names(empty)} the teacher's NE is no better than the student's own. "
            "A larger teacher, more labels or counters raise the headroom."
        )
    if little:
        said.append(f"Little to teach: the teacher's headroom for {_names(little)} is below {LITTLE_PCT:g}%.")
    muted = [s for s in facts.students if any(run.muted and run.muted[-1] for run in s.runs.get(AUTO, ()))]
    if muted:
        said.append(f"auto did not hear the teacher any more at the end of the stream: {_names(muted)}.")
    if facts.refusals:
        ticks = facts.teacher.get("ticks")
        of = f" of {ticks:,}" if ticks else ""
        said.append(f"{counted(len(facts.refusals), 'snapshot')}{of} refused: the last good one went on scoring.")
    return said


def _student_notes(facts: ExfmFacts) -> list[str]:
    said = []
    unsure = [s for s in facts.students if s.verdict == "not proven" and s.gain and s.gain.pct < 0]
    if unsure and facts.seeds < FEW_SEEDS:
        said.append(
            f"{facts.seeds} seeds leave wide intervals. More of them (seeds: in the file) may prove what is seen "
            f"here of {_names(unsure)}; those that have run are kept."
        )
    shifted = [s for s in facts.students if calibration_shift(s) > OFF]
    if shifted:
        said.append(f"Calibration of {_names(shifted)} is further from 1 than without a teacher, by more than {OFF:g}.")
    losing = [s for s in facts.students if harmed(s)]
    if losing:
        names = dict.fromkeys(part.name for s in losing for part in harmed(s))
        said.append(f"Worse than without a teacher for some segment ({listed(names)}): {_names(losing)}.")
    single = [s for s in facts.students if s.all.without is None]
    if single:
        said.append(f"All scored rows of {_names(single)} are of one class: there is no NE.")
    holes = [s for s in facts.students if s.all.without and any(part.without is None for part in s.windows)]
    if holes:
        said.append(f"Windows of one class have no NE and are left out of the charts over time: {_names(holes)}.")
    return said


def _data_notes(facts: ExfmFacts) -> list[str]:
    das, said = facts.das, []
    coverage, calls = das.get("coverage"), das.get("calls_per_example")
    if is_number(coverage) and coverage is not None and coverage < 0.95:
        said.append(f"Only {share(coverage)} of the examples have a prediction: the rest teach by their labels alone.")
    if is_number(calls) and calls is not None and calls > 1.01:
        said.append(f"The teacher was called {calls:.2f} times an example: batches had to be scored again.")
    late, labels = das.get("late", 0), das.get("labels", 0)
    if labels and late > 0.01 * labels:
        said.append(f"{share(late / labels)} of the labels came after the horizon.")
    return said


def _names(students: Sequence[StudentFacts]) -> str:
    return listed(student.name for student in students)
