"""What exfm.json holds, typed. What was not measured is NaN or None; negative gains and headrooms are good."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from automl.report.common.formats import is_number
from search_spaces.errors import InputError
from search_spaces.model import ModelSpec

NONE, AUTO = "none", "auto"
LEVEL = 0.05


@dataclass(frozen=True, slots=True)
class GainFacts:
    """NE of a recipe against no teacher, in percent, with its 95% interval. `p` is Holm's where there is one."""

    pct: float
    low_pct: float
    high_pct: float
    p: float
    corrected: bool

    @property
    def verdict(self) -> str:
        """better, worse or not proven."""
        if self.high_pct < 0 and self.p < LEVEL:
            return "better"
        return "worse" if self.low_pct > 0 and self.p < LEVEL else "not proven"


@dataclass(frozen=True, slots=True)
class RecipeFacts:
    """A recipe on some rows, mean over its seeds; no gain for the one without a teacher."""

    name: str
    ne: float
    calibration: float
    gain: GainFacts | None
    transfer: float


@dataclass(frozen=True, slots=True)
class TeacherFacts:
    """The teacher on a student's rows; headroom is its NE against that of the student without one."""

    coverage: float
    ne: float
    calibration: float
    headroom_pct: float


@dataclass(frozen=True, slots=True)
class Part:
    """Figures on some of a student's rows: all that are scored, a window, a segment. Of one class only the rows."""

    name: str
    rows: int
    base_rate: float
    teacher: TeacherFacts
    recipes: Mapping[str, RecipeFacts]

    @property
    def without(self) -> RecipeFacts | None:
        return self.recipes.get(NONE)


@dataclass(frozen=True, slots=True)
class RunFacts:
    """A student under one recipe and seed: the arm that served each window, where the teacher was not heard after it,
    and core seconds of training by arm."""

    serving: str
    choices: tuple[str, ...]
    muted: tuple[bool, ...]
    rows: int
    train_seconds: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class StudentFacts:
    """A student, all its recipes and seeds."""

    name: str
    label: str
    own: str  # the recipe that the file names for it
    rows: int
    params: float
    flops: float
    all: Part
    windows: tuple[Part, ...]
    segments: tuple[Part, ...]
    runs: Mapping[str, tuple[RunFacts, ...]]
    model: ModelSpec | None

    @property
    def taught(self) -> tuple[str, ...]:
        """Recipes with a teacher, as far as there are figures."""
        return tuple(name for name in self.all.recipes if name != NONE)

    @property
    def chosen(self) -> RecipeFacts | None:
        """What the answer speaks of: the student's own recipe; where that is none, the best of those compared."""
        found = [self.all.recipes[name] for name in self.taught]
        own = self.all.recipes.get(self.own) if self.own != NONE else None
        return own or min(found, key=lambda recipe: recipe.ne, default=None)

    @property
    def gain(self) -> GainFacts | None:
        """Of the chosen recipe."""
        return self.chosen.gain if self.chosen else None

    @property
    def verdict(self) -> str:
        return self.gain.verdict if self.gain else "not measured"


@dataclass(frozen=True, slots=True)
class Refused:
    """A snapshot of the teacher that was not published."""

    tick: int
    reason: str


@dataclass(frozen=True, slots=True)
class ExfmFacts:
    """A whole run."""

    name: str
    tasks: tuple[str, ...]
    notes: tuple[str, ...]
    seeds: int
    windows: tuple[tuple[str, int, bool], ...]  # name, rows, scored
    teacher: Mapping[str, Any]
    teacher_model: ModelSpec | None
    refusals: tuple[Refused, ...]
    das: Mapping[str, Any]
    students: tuple[StudentFacts, ...]
    wall_seconds: float
    machine: str
    versions: Mapping[str, str]

    @property
    def compared(self) -> int:
        """Gains that Holm's correction of the students' own recipes is over."""
        return sum(student.own in student.taught for student in self.students)

    @property
    def recipes(self) -> tuple[str, ...]:
        """Taught recipes of any student, auto first."""
        names = dict.fromkeys(name for student in self.students for name in student.taught)
        return tuple(sorted(names, key=lambda name: name != AUTO))

    @property
    def segments(self) -> tuple[str, ...]:
        """Segments that any student has, in their order."""
        return tuple(dict.fromkeys(part.name for student in self.students for part in student.segments))

    @property
    def fm_core_seconds(self) -> float:
        """Training and scoring of the teacher."""
        return number(self.teacher.get("train_seconds")) + number(self.das.get("core_seconds"))


def read_exfm(folder: Path) -> ExfmFacts:
    """exfm.json of a run.

    Raises:
        InputError: where there is none.
    """
    file = folder / "exfm.json"
    if not file.exists():
        raise InputError.of(str(file), "must be there", "no such file", "`automl exfm run` writes it when it ends")
    return exfm_facts(json.loads(file.read_text(encoding="utf-8")))


def exfm_facts(found: Mapping[str, Any]) -> ExfmFacts:
    """What exfm.json holds, from its plain data."""
    teacher = found["teacher"]
    return ExfmFacts(
        name=found["name"],
        tasks=tuple(found.get("tasks", ())),
        notes=tuple(found.get("notes", ())),
        seeds=int(found["seeds"]),
        windows=tuple((w["name"], int(w["rows"]), bool(w["scored"])) for w in found["windows"]),
        teacher=teacher,
        teacher_model=_model(teacher.get("model")),
        refusals=tuple(Refused(int(r["tick"]), str(r["reason"])) for r in teacher.get("refusals", ())),
        das=found["das"],
        students=tuple(_student(name, student) for name, student in found["students"].items()),
        wall_seconds=number(found.get("wall_seconds")),
        machine=str(found.get("machine", "")),
        versions=found.get("versions", {}),
    )


def number(value: object) -> float:
    """A finite number, else NaN."""
    return float(value) if isinstance(value, int | float) and is_number(value) else math.nan


def mean(values: Sequence[float]) -> float:
    """Of the finite ones; NaN of none."""
    known = [value for value in values if math.isfinite(value)]
    return sum(known) / len(known) if known else math.nan


def _student(name: str, found: Mapping[str, Any]) -> StudentFacts:
    runs = {recipe: tuple(_run(run) for run in each) for recipe, each in found.get("runs", {}).items()}
    first: Mapping[str, Any] = next((run for each in found.get("runs", {}).values() for run in each), {})
    cost = found.get("cost", {})
    return StudentFacts(
        name=name,
        label=str(found["label"]),
        own=str(found["own"]),
        rows=int(found["rows"]),
        params=number(cost.get("params")),
        flops=number(cost.get("flops")),
        all=_part("all", found["all"]),
        windows=tuple(_part(window["name"], window) for window in found.get("windows", ())),
        segments=tuple(_part(segment, part) for segment, part in found.get("segments", {}).items()),
        runs=runs,
        model=_model({key: part for key, part in first.get("spec", {}).items() if key != "distill"}),
    )


def _run(found: Mapping[str, Any]) -> RunFacts:
    return RunFacts(
        serving=str(found.get("serving", "")),
        choices=tuple(found.get("choices", ())),
        muted=tuple(bool(muted) for muted in found.get("muted", ())),
        rows=int(found.get("rows", 0)),
        train_seconds={arm: number(seconds) for arm, seconds in found.get("train_seconds", {}).items()},
    )


def _part(name: str, found: Mapping[str, Any]) -> Part:
    teacher = found.get("teacher") or {}
    facts = (number(teacher.get(key)) for key in ("coverage", "ne", "calibration", "headroom_pct"))
    return Part(
        name=name,
        rows=int(found["rows"]),
        base_rate=number(found.get("base_rate")),
        teacher=TeacherFacts(*facts),
        recipes={recipe: _recipe(recipe, figures) for recipe, figures in (found.get("recipes") or {}).items()},
    )


def _recipe(name: str, found: Mapping[str, Any]) -> RecipeFacts:
    gain = found.get("gain")
    ne, calibration, transfer = (number(found.get(key)) for key in ("ne", "calibration", "transfer_ratio"))
    return RecipeFacts(name, ne, calibration, _gain(gain) if gain else None, transfer)


def _gain(found: Mapping[str, Any]) -> GainFacts:
    corrected = "p_corrected" in found
    pct, low, high, p = (number(found.get(key)) for key in ("pct", "low_pct", "high_pct", "p"))
    return GainFacts(pct, low, high, number(found["p_corrected"]) if corrected else p, corrected)


def _model(tree: Mapping[str, Any] | None) -> ModelSpec | None:
    return ModelSpec.from_tree(dict(tree)) if tree else None
