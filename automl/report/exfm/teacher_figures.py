"""What the teacher knows more than each student, what the student took of it, and how both are calibrated."""

from __future__ import annotations

import math

from automl.report.common.formats import decimal, percent, share
from automl.report.common.plot import Figure, Json, Nothing, bars, padded, rule, safe
from automl.report.exfm.derived import mean
from automl.report.exfm.student_rows import GAIN_AXIS, ROW, chosen_words, marks, rows_layout
from automl.study.exfm_results import ExfmResult


def headroom(result: ExfmResult) -> Figure | Nothing:
    """What the teacher knows more than each student, and how much of it the student took."""
    title = "What there was to teach, and what was learnt"
    students = [s for s in result.students.values() if math.isfinite(s.all.teacher.headroom_pct)]
    if not students:
        return Nothing(title, "The teacher has no NE on any student's rows.")
    labels = [safe(student.name) for student in students]
    room = [student.all.teacher.headroom_pct for student in students]
    won = [student.gain.pct if student.gain else math.nan for student in students]
    passed = [student.chosen.transfer_ratio if student.chosen else math.nan for student in students]
    room_said = [
        f"{label}: teacher's NE {decimal(s.all.teacher.ne)}, {percent(s.all.teacher.headroom_pct)} against the student"
        for label, s in zip(labels, students, strict=True)
    ]
    won_said = [
        f"{label}: {percent(gain)}, {share(ratio)} of the headroom"
        for label, gain, ratio in zip(labels, won, passed, strict=True)
    ]
    data = [
        {**bars("headroom", room, labels, "$dim", room_said), "width": 0.66},
        {**bars("gain", won, labels, "$front", won_said), "width": 0.3},
    ]
    known = [value for value in (*room, *won) if math.isfinite(value)]
    layout: Json = {
        "xaxis": {
            "title": {"text": GAIN_AXIS},
            "ticksuffix": "%",
            "range": list(padded(min([*known, 0.0]), max([*known, 0.0]), least=0.02)),
            "zerolinecolor": "$baseline",
            "zerolinewidth": 1.5,
        },
        "yaxis": {"autorange": "reversed", "showgrid": False, "automargin": True, "type": "category"},
        "barmode": "overlay",
    }
    average = mean(passed)
    caption = "Headroom: the teacher's NE on a student's own rows, against the student without a teacher there. "
    caption += (
        f"Transfer, the share of it that the student gained: {share(average)} on average."
        if math.isfinite(average)
        else ""
    )
    return Figure(
        name="headroom",
        title=title,
        caption=caption,
        data=data,
        layout=layout,
        height=96 + ROW * len(students),
        legend=(
            ("bar-dim", "headroom of the teacher"),
            *((("bar-front", f"gain of {chosen_words(students)}"),) if result.recipes else ()),
        ),
    )


def calibration(result: ExfmResult) -> Figure | Nothing:
    """Sum of predictions over sum of labels of each student, without a teacher and as chosen."""
    title = "Calibration of the serving head"
    students = [student for student in result.students.values() if student.all.without is not None]
    if not students:
        return Nothing(title, "No student has scored rows of both classes.")
    names = [student.name for student in students]
    kinds = (
        ("teacher", [s.all.teacher.calibration for s in students], _mark("$pick", "line-ns-open", 13, 2)),
        (
            "no teacher",
            [s.all.without.calibration if s.all.without else math.nan for s in students],
            _mark("$baseline", "circle-open", 11, 2),
        ),
        (
            "chosen",
            [s.chosen.calibration if s.chosen else math.nan for s in students],
            _mark("$front", "diamond", 12, 0),
        ),
    )
    data = [
        marks(
            kind,
            values,
            list(range(len(names))),
            marker,
            [f"{safe(name)}, {kind}: {decimal(value, 3)}" for name, value in zip(names, values, strict=True)],
        )
        for kind, values, marker in kinds
    ]
    ends = [value for _, values, _ in kinds for value in values if math.isfinite(value)]
    layout = rows_layout(names, [*ends, 0.99, 1.01], "sum of predictions / sum of labels", "", at=1.0)
    layout["shapes"] = [rule("x", 1.0, "$muted", dash="dot", width=1.5)]
    legend = (
        *((("diamond", chosen_words(students)),) if result.recipes else ()),
        ("ring-none", "no teacher"),
        ("tick", "teacher"),
        ("dotted", "right"),
    )
    return Figure(
        name="calibration",
        title=title,
        caption="All scored rows. Above 1 a model predicts too much; an auction or a blend of scores feels that.",
        data=data,
        layout=layout,
        height=92 + ROW * len(students),
        legend=legend,
    )


def _mark(colour: str, symbol: str, size: int, width: int) -> Json:
    return {"color": colour, "symbol": symbol, "size": size, "line": {"width": width, "color": colour}}
