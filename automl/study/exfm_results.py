"""What an ExFM run has found, as frozen values: what exfm.json holds and the report shows.

Gains and headrooms are in percent of NE: negative is good. What was not measured is NaN.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from automl.study.exfm_figures import AUTO, NONE, PartFigures, RecipeFigures, RecipeGain, Verdict
from automl.study.plain import Model, Number
from search_spaces.model import ModelSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """A student (`vm`) under one recipe and seed, window by window.

    spec: the model that serves next. serving: its arm. choices: the arm that served each window. muted: where the
    teacher was not heard after it. rows: rows learnt. train_seconds: core seconds of training by arm. weights: digest
    of the file of its weights; "" in older files.
    """

    vm: str
    recipe: str
    seed: int
    spec: Model
    serving: str
    choices: tuple[str, ...]
    muted: tuple[bool, ...]
    rows: int
    train_seconds: Mapping[str, Number]
    weights: str = ""


@dataclass(frozen=True, slots=True)
class ModelCost:
    """Weights of a model and FLOPs of one row, forward pass; of a teacher of all its members."""

    params: int
    flops: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentResult:
    """A student, all its recipes and seeds.

    own: the recipe that the file names for it. rows: its examples, scored or not. segments: by name. runs: by recipe,
    one a seed.
    """

    name: str
    label: str
    own: str
    rows: int
    cost: ModelCost
    all: PartFigures
    windows: tuple[PartFigures, ...]
    segments: Mapping[str, PartFigures]
    runs: Mapping[str, tuple[RunFacts, ...]]

    @property
    def taught(self) -> tuple[str, ...]:
        """Recipes with a teacher, as far as there are figures."""
        return tuple(name for name in self.all.recipes if name != NONE)

    @property
    def chosen(self) -> RecipeFigures | None:
        """What the answer speaks of: the student's own recipe; where that is none, the best of those compared."""
        found = [self.all.recipes[name] for name in self.taught]
        own = self.all.recipes.get(self.own) if self.own != NONE else None
        return own or min(found, key=lambda recipe: recipe.ne, default=None)

    @property
    def gain(self) -> RecipeGain | None:
        """Of the chosen recipe."""
        return self.chosen.gain if self.chosen else None

    @property
    def verdict(self) -> Verdict | Literal["not measured"]:
        """Of the chosen recipe."""
        return self.gain.verdict if self.gain else "not measured"

    @property
    def model(self) -> ModelSpec | None:
        """The model, however it was taught; None where nothing was run."""
        first = next((run for runs in self.runs.values() for run in runs), None)
        return replace(first.spec, distill=None) if first else None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A snapshot of the teacher that was not published after a tick, and why."""

    tick: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TeacherResult:
    """The teacher and its pass over the stream.

    snapshot_every_s: none is at the end of every window. age_s: it scored with snapshots at least this old.
    train_seconds: core seconds of training.
    """

    model: Model
    members: int
    cost: ModelCost
    snapshot_every_s: float | None
    age_s: float
    refusals: tuple[Refusal, ...]
    train_seconds: Number
    ticks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DasCounts:
    """What the data augmentation system did.

    examples: unique, of at least one student. scored: those with a prediction; coverage is their share. calls: rows
    given to the teacher. duplicates: rows of an example that was there before. labels: (example, task) pairs joined.
    late: labels that came after the horizon. never: labels that do not come. ages: scored examples by the hours
    between what their snapshot had seen and their impression, in bins between age_edges_hours. seconds: wall time of
    scoring, core_seconds its core time. core_seconds_per_student: of the teacher's training and scoring.
    """

    examples: int
    scored: int
    calls: int
    duplicates: int
    labels: int
    late: int
    never: int
    ages: tuple[int, ...]
    seconds: Number
    core_seconds: Number
    age_edges_hours: tuple[int, ...]
    coverage: Number
    calls_per_example: Number
    rows_per_second: Number
    core_seconds_per_student: Number


@dataclass(frozen=True, slots=True)
class StreamWindow:
    """A window of the stream; only those that are scored count."""

    name: str
    rows: int
    scored: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ExfmResult:
    """A whole run that has ended.

    tasks: labels of the stream. notes: what was seen when it was encoded. score_from: the first window that counts.
    students: by name. wall_seconds: of the last start. stream: fingerprint of what was streamed, "" in older files.
    """

    name: str
    tasks: tuple[str, ...]
    notes: tuple[str, ...]
    score_from: int
    seeds: int
    windows: tuple[StreamWindow, ...]
    teacher: TeacherResult
    das: DasCounts
    students: Mapping[str, StudentResult]
    wall_seconds: Number = math.nan
    stream: str = ""
    machine: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def compared(self) -> int:
        """Gains that Holm's correction of the students' own recipes is over."""
        return sum(student.own in student.taught for student in self.students.values())

    @property
    def recipes(self) -> tuple[str, ...]:
        """Taught recipes of any student, auto first."""
        names = dict.fromkeys(name for student in self.students.values() for name in student.taught)
        return tuple(sorted(names, key=lambda name: name != AUTO))

    @property
    def segments(self) -> tuple[str, ...]:
        """Segments that any student has, in their order."""
        return tuple(dict.fromkeys(name for student in self.students.values() for name in student.segments))

    @property
    def fm_core_seconds(self) -> float:
        """Core seconds of the teacher's training and scoring."""
        return self.teacher.train_seconds + self.das.core_seconds
