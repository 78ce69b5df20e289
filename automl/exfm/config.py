"""The file of an ExFM run, as frozen typed values. Paths in it are relative to the file itself."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, field_validator

from automl.data.describe.parts import Bytes, Delay, Part, Seconds
from automl.data.describe.streams import StreamDataConfig
from automl.exfm.student.recipes import recipe_of
from automl.study.exfm_figures import AUTO


def _recipe(value: object) -> object:
    """A name, or the knobs of a recipe of one's own; kept as they are written."""
    recipe_of(value)
    return value


Recipe = Annotated[object, BeforeValidator(_recipe)]


class GuardConfig(Part):
    """What a snapshot must hold to be published; see automl.exfm.teacher.snapshots.Guard."""

    ne_rise_pct: Annotated[float, Field(gt=0)] = 5.0
    calibration: Annotated[float, Field(gt=1)] = 2.0


def _names(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


class UpgradeConfig(Part):
    """A larger teacher that takes over at a window (0 is the first), after learning all that came before."""

    model: str
    members: Annotated[int, Field(ge=1, le=16)] = 3
    window: Annotated[int, Field(ge=1)]


class TeacherConfig(Part):
    """The foundation model: trained on all that any student sees, on every label of the data."""

    model: str
    without: Annotated[tuple[str, ...], BeforeValidator(_names)] = ()  # features of the data that it does not read
    members: Annotated[int, Field(ge=1, le=16)] = 3
    snapshot_every: Delay | None = None  # a window if left out
    age: Delay = 0.0  # scoring uses snapshots that are at least this old: staleness, replayed
    guard: GuardConfig = GuardConfig()
    upgrade: UpgradeConfig | None = None


class StudentConfig(Part):
    """A vertical model: its rows, label and features, and how it learns from the teacher."""

    model: str
    label: str
    where: dict[str, object] = Field(default_factory=dict)
    features: Annotated[tuple[str, ...] | None, BeforeValidator(_names)] = None  # without counters if left out
    negatives_kept: Annotated[float, Field(gt=0, le=1)] | None = None
    distill: Recipe = AUTO


class ExfmConfig(Part):
    """One ExFM run."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    data: StreamDataConfig
    teacher: TeacherConfig
    students: Annotated[dict[str, StudentConfig], AfterValidator(lambda value: _checked_names(value))]
    compare: Annotated[tuple[Recipe, ...], BeforeValidator(_names)] = ()
    score_from: Annotated[int, Field(ge=1)] = 1
    seeds: Annotated[int, Field(ge=2, le=50)] = 3
    seed: Annotated[int, Field(ge=0)] = 0
    timeout: Seconds = 3600.0
    memory: Bytes = 4 << 30

    @field_validator("students", mode="after")
    @classmethod
    def _some(cls, value: dict[str, StudentConfig]) -> dict[str, StudentConfig]:
        if not value:
            raise ValueError("must name at least one student")
        return value


def _checked_names(value: dict[str, StudentConfig]) -> dict[str, StudentConfig]:
    """Names become files."""
    wrong = [name for name in value if not name.replace("_", "").replace("-", "").isalnum()]
    if wrong:
        raise ValueError(f"a student's name must be of letters, digits, - and _, but found {', '.join(wrong)}")
    return value
