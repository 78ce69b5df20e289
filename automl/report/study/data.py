"""What a report is made from: plain frozen values, handed over by the caller. Nothing here computes or draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from automl.study.facts import Facts
from automl.study.history import History
from automl.study.results import Finals
from automl.study.scale_up import ScaleUp
from automl.study.tuning import Tuning
from predictors.evaluate import Ranked
from search_spaces.model import ModelSpec

ROLES = ("accurate", "balanced", "fast", "unlimited")


MOST_FOR_IMPORTANCE = 200  # complete trials that the shares of the knobs are worked out from


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyFacts:
    """How the study was run. Every text may come from a user's file: the page escapes it."""

    name: str
    run: Facts  # as they are recorded
    command: str  # as it was typed, or what would do the same
    data: str  # the log in words: path, rows, fields
    space: str  # the space in words: name, knobs
    space_size: str  # e.g. "2.1e7 discrete combinations x 5 continuous knobs"
    split_days: Mapping[str, str]  # window -> "2022-04-25 to 2022-05-04"
    seed: int
    strategy: str
    core_seconds: float
    qps_conditions: str = ""  # engine, batch size, threads, dtype, device
    bayes_ne: Mapping[str, float] = field(default_factory=dict)  # window -> NE of the true probabilities, if known
    data_notes: Sequence[str] = ()  # what reading the log had to say
    margin_pct: float = 0.2  # by how much NE may be worse and still count as no worse


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportData:
    """All that one report shows.

    `picks` are the search's own choices by role, before finals (role -> trial number); left out, the report takes the
    extremes of the observed front and says so. `expected` holds their NE gains in percent with the luck of one run
    taken out. `importances` maps an objective ("ne", "qps") to knob -> share.
    """

    facts: StudyFacts
    history: History
    tuning: Tuning | None = None  # of the baseline, where it was tuned
    scale_up: ScaleUp | None = None  # of a study at a multiple of its baseline's FLOPs
    brought: ModelSpec | None = None  # its baseline as brought, once it was trained
    finals: Finals | None = None
    picks: Mapping[str, int] | None = None
    expected: Mapping[int, float] = field(default_factory=dict)  # trial number -> NE gain
    importances: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    rankings: Sequence[Ranked] = ()  # how well each round was forecast
    notes: Sequence[str] = ()  # what the reader must be told before believing the rest


def role_rank(role: str) -> int:
    """Place of a role on the page."""
    return ROLES.index(role) if role in ROLES else len(ROLES)
