"""The charts over all students: gains, segments, headroom, calibration."""

from __future__ import annotations

import math
from collections.abc import Sequence

from automl.report.common.formats import decimal, p_value, percent, share
from automl.report.common.plot import Figure, Json, Nothing, bars, line, padded, rule, safe
from automl.report.exfm.data import NONE, ExfmFacts, GainFacts, Part, StudentFacts, mean
from automl.report.exfm.style import looks
from automl.report.exfm.verdict import interval

GAIN_AXIS = "NE against no teacher (left is better)"
_COLOURS = {"better": "$good", "worse": "$bad"}
_ROW = 36


def gains(facts: ExfmFacts) -> Figure | Nothing:
    """Gain of each student under the chosen recipe with its interval, beside the other recipes."""
    title = "What the teacher gave to each student"
    students = [student for student in facts.students if student.gain is not None]
    if not students:
        return Nothing(title, "No recipe with a teacher has figures.")
    style = looks([NONE, *facts.recipes])
    chosen = [(student.name, student.gain) for student in students]
    data = _forest([(name, gain, _hover(name, gain)) for name, gain in chosen if gain])
    others: dict[str, list[tuple[int, StudentFacts]]] = {}
    for row, student in enumerate(students):
        for name in student.taught:
            if student.chosen is not None and name != student.chosen.name:
                others.setdefault(name, []).append((row, student))
    for name, found in others.items():
        shown = [(row, gain, student) for row, student in found if (gain := student.all.recipes[name].gain)]
        marker = {"color": style[name].colour, "size": 10, "symbol": style[name].symbol, "line": {"width": 2}}
        said = [_hover(f"{student.name}, {name}", gain) for _, gain, student in shown]
        data.append(_marks(name, [gain.pct for _, gain, _ in shown], [row for row, _, _ in shown], marker, said))
    ends = [v for _, g in chosen if g for v in (g.low_pct, g.high_pct)]
    ends += [g.pct for s in students for r in s.all.recipes.values() if (g := r.gain)]
    legend = [("diamond", f"{_chosen_words(students)}, with 95% interval")]
    legend += [(style[name].ring, name) for name in others]
    legend += [("line-baseline", "no teacher")]
    caption = (
        "All scored rows of each student, paired seed by seed and row by row with the same student without a teacher. "
        "Green: proven better; red: proven worse; grey: not told from chance."
    )
    return Figure(
        name="gains",
        title=title,
        caption=caption,
        data=data,
        layout=_rows([student.name for student in students], ends, GAIN_AXIS, "%"),
        height=96 + _ROW * len(students),
        legend=tuple(legend),
    )


def _chosen_words(students: Sequence[StudentFacts]) -> str:
    names = dict.fromkeys(student.chosen.name for student in students if student.chosen)
    return next(iter(names)) if len(names) == 1 else "chosen recipe"


def segment(facts: ExfmFacts, name: str) -> Figure | Nothing:
    """The same gains on the rows of one segment."""
    title = name[:1].upper() + name[1:]
    found: list[tuple[str, GainFacts, str]] = []
    for student in facts.students:
        part = next((part for part in student.segments if part.name == name), None)
        recipe = part.recipes.get(student.chosen.name) if part and student.chosen else None
        if part is None or recipe is None or recipe.gain is None:
            continue
        found.append((student.name, recipe.gain, _segment_hover(student, part)))
    if not found:
        return Nothing(title, "No student has figures with a teacher here: its rows are of one class.")
    ends = [value for _, gain, _ in found for value in (gain.low_pct, gain.high_pct)]
    rows = sum(part.rows for student in facts.students for part in student.segments if part.name == name)
    return Figure(
        name="segment-" + "".join(c if c.isalnum() else "-" for c in name),
        title=title,
        caption=f"{rows:,} scored rows. Not corrected for the number of segments.",
        data=_forest(found),
        layout=_rows([label for label, _, _ in found], ends, GAIN_AXIS, "%"),
        height=88 + 28 * len(found),
    )


def headroom(facts: ExfmFacts) -> Figure | Nothing:
    """What the teacher knows more than each student, and how much of it the student took."""
    title = "What there was to teach, and what was learnt"
    students = [s for s in facts.students if math.isfinite(s.all.teacher.headroom_pct)]
    if not students:
        return Nothing(title, "The teacher has no NE on any student's rows.")
    labels = [safe(student.name) for student in students]
    room = [student.all.teacher.headroom_pct for student in students]
    won = [student.gain.pct if student.gain else math.nan for student in students]
    passed = [student.chosen.transfer if student.chosen else math.nan for student in students]
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
        height=96 + _ROW * len(students),
        legend=(
            ("bar-dim", "headroom of the teacher"),
            *((("bar-front", f"gain of {_chosen_words(students)}"),) if facts.recipes else ()),
        ),
    )


def calibration(facts: ExfmFacts) -> Figure | Nothing:
    """Sum of predictions over sum of labels of each student, without a teacher and as chosen."""
    title = "Calibration of the serving head"
    students = [student for student in facts.students if student.all.without is not None]
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
        _marks(
            kind,
            values,
            list(range(len(names))),
            marker,
            [f"{safe(name)}, {kind}: {decimal(value, 3)}" for name, value in zip(names, values, strict=True)],
        )
        for kind, values, marker in kinds
    ]
    ends = [value for _, values, _ in kinds for value in values if math.isfinite(value)]
    layout = _rows(names, [*ends, 0.99, 1.01], "sum of predictions / sum of labels", "", at=1.0)
    layout["shapes"] = [rule("x", 1.0, "$muted", dash="dot", width=1.5)]
    legend = (
        *((("diamond", _chosen_words(students)),) if facts.recipes else ()),
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
        height=92 + _ROW * len(students),
        legend=legend,
    )


def _mark(colour: str, symbol: str, size: int, width: int) -> Json:
    return {"color": colour, "symbol": symbol, "size": size, "line": {"width": width, "color": colour}}


def _forest(found: Sequence[tuple[str, GainFacts, str]]) -> list[Json]:
    """A row for each: its whisker, then all the diamonds."""
    colours = [_COLOURS.get(gain.verdict, "$muted") for _, gain, _ in found]
    data = [
        line("interval", [gain.low_pct, gain.high_pct], [row, row], {"color": colour, "width": 3})
        for row, ((_, gain, _), colour) in enumerate(zip(found, colours, strict=True))
    ]
    marker = {"color": colours, "size": 13, "symbol": "diamond"}
    values = [gain.pct for _, gain, _ in found]
    return [*data, _marks("gain", values, list(range(len(found))), marker, [said for _, _, said in found])]


def _marks(name: str, x: list[float], y: list[int], marker: Json, said: list[str]) -> Json:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": x,
        "y": y,
        "marker": marker,
        "text": said,
        "hovertemplate": "%{text}<extra></extra>",
    }


def _rows(names: Sequence[str], ends: Sequence[float], title: str, suffix: str, at: float = 0.0) -> Json:
    """One row a student, the first on top, and the rule that nothing changes."""
    known = [value for value in ends if math.isfinite(value)]
    low, high = padded(min([*known, at]), max([*known, at]), least=0.02 if suffix else 0.002)
    return {
        "shapes": [rule("x", at, "$baseline", width=1.5)],
        "xaxis": {"title": {"text": title}, "ticksuffix": suffix, "range": [low, high], "zeroline": False},
        "yaxis": {
            "tickvals": list(range(len(names))),
            "ticktext": [safe(name) for name in names],
            "range": [len(names) - 0.5, -0.5],
            "showgrid": False,
            "zeroline": False,
        },
        "hovermode": "closest",
    }


def _hover(name: str, gain: GainFacts) -> str:
    return f"{safe(name)}: {percent(gain.pct)} ({interval(gain)}, {p_value(gain.p)})"


def _segment_hover(student: StudentFacts, part: Part) -> str:
    assert student.chosen is not None
    recipe = part.recipes[student.chosen.name]
    assert recipe.gain is not None
    without = part.without.calibration if part.without else math.nan
    calibrated = f"calibration {decimal(without, 3)} → {decimal(recipe.calibration, 3)}"
    return f"{_hover(student.name, recipe.gain)}<br>{part.rows:,} rows, NE {decimal(recipe.ne)}, {calibrated}"
