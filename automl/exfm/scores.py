"""What the teacher gave to each student: NE, gains with intervals and calibration, by window and segment.

N scored rows of a student, S seeds, K recipes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from statsmodels.stats.multitest import multipletests

from automl.exfm.student.recipes import NONE
from automl.stats.compared import ScoredRows
from automl.stats.significance import Gain

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Scored:
    """Rows of one student in the scored windows, and every recipe's probabilities on them; the teacher's may be NaN."""

    rows: ScoredRows
    windows_N: NDArray[np.int64]
    probs_SN: Mapping[str, Floats]
    teacher_N: Floats

    def part(self, rows_N: NDArray[np.bool_]) -> Scored:
        """Some of the rows."""
        probs = {name: probs_SN[:, rows_N] for name, probs_SN in self.probs_SN.items()}
        return Scored(self.rows.part(rows_N), self.windows_N[rows_N], probs, self.teacher_N[rows_N])


def figures(scored: Scored) -> dict[str, Any]:
    """NE, calibration and gains over no teacher; of a set with one class only the rows."""
    shown: dict[str, Any] = {"rows": len(scored.rows)}
    if not scored.rows.both_classes:
        return shown
    sums = {name: scored.rows.sums(probs_SN) for name, probs_SN in scored.probs_SN.items()}
    taught = [name for name in scored.probs_SN if name != NONE]
    gains = scored.rows.gains(scored.probs_SN[NONE], [scored.probs_SN[name] for name in taught])
    found = dict(zip(taught, gains, strict=True))
    shown["base_rate"] = sums[NONE][0].base_rate
    shown["teacher"] = _teacher(scored, float(np.mean([s.ne for s in sums[NONE]])))
    shown["recipes"] = {
        name: {
            "ne": float(np.mean([s.ne for s in parts])),
            "ne_by_seed": [s.ne for s in parts],
            "calibration": float(np.mean([s.calibration for s in parts])),
            "gain": _gain(found[name]) if name in found else None,
        }
        for name, parts in sums.items()
    }
    return shown


def _teacher(scored: Scored, student_ne: float) -> dict[str, Any]:
    """The teacher on the rows that it scored; headroom is its NE against that of the student without one there."""
    known_N = np.isfinite(scored.teacher_N)
    part = scored.part(known_N)
    if not part.rows.both_classes:
        return {"coverage": float(known_N.mean()), "ne": None, "calibration": None, "headroom_pct": None}
    (sums,) = part.rows.sums(part.teacher_N[None, :])
    if not known_N.all():
        student_ne = float(np.mean(part.rows.ne(part.probs_SN[NONE])))
    return {
        "coverage": float(known_N.mean()),
        "ne": sums.ne,
        "calibration": sums.calibration,
        "headroom_pct": 100 * (sums.ne / student_ne - 1),
    }


def _gain(gain: Gain) -> dict[str, float]:
    kept = ("pct", "low_pct", "high_pct", "p")
    return {name: value for name, value in asdict(gain).items() if name in kept}


def correct(students: Mapping[str, dict[str, Any]]) -> None:
    """p_corrected beside every p of the whole stream, and the transfer ratio.

    What a student was to run (`own`) was named before: Holm over the students. All that was run to compare: Holm over
    those.
    """
    cells = [
        (student, name)
        for student in students.values()
        for name, recipe in student["all"].get("recipes", {}).items()
        if recipe["gain"] is not None
    ]
    for family in (True, False):
        chosen = [(student, name) for student, name in cells if (name == student["own"]) is family]
        if not chosen:
            continue
        found = multipletests([s["all"]["recipes"][name]["gain"]["p"] for s, name in chosen], method="holm")[1]
        for (student, name), p in zip(chosen, found, strict=True):
            student["all"]["recipes"][name]["gain"]["p_corrected"] = float(p)
    for student, name in cells:
        recipe, headroom = student["all"]["recipes"][name], student["all"]["teacher"]["headroom_pct"]
        good = headroom is not None and headroom < 0 and math.isfinite(headroom)
        recipe["transfer_ratio"] = recipe["gain"]["pct"] / headroom if good else None
