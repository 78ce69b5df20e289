"""What charts with a row a student have in common: the rows, their marks, the words for what was chosen."""

from __future__ import annotations

import math
from collections.abc import Sequence

from automl.report.common.plot import Json, padded, rule, safe
from automl.study.exfm_results import StudentResult

GAIN_AXIS = "NE against no teacher (left is better)"
ROW = 36  # pixels


def rows_layout(names: Sequence[str], ends: Sequence[float], title: str, suffix: str, at: float = 0.0) -> Json:
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


def marks(name: str, x: list[float], y: list[int], marker: Json, said: list[str]) -> Json:
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


def chosen_words(students: Sequence[StudentResult]) -> str:
    names = dict.fromkeys(student.chosen.name for student in students if student.chosen)
    return next(iter(names)) if len(names) == 1 else "chosen recipe"
