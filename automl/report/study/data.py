"""What a report is made from: plain frozen values, handed over by the caller. Nothing here computes or draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from automl.study.history import History
from predictors.evaluate import Ranked

ROLES = ("accurate", "balanced", "fast", "unlimited")


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyFacts:
    """How the study was run. Every text may come from a user's file: the page escapes it."""

    name: str
    command: str  # as it was typed
    versions: Mapping[str, str]  # package -> version
    machine: str
    started_at: float | None  # seconds since the epoch; None if nothing has started
    workers: int
    data: str  # the log in words: path, rows, fields
    space: str  # the space in words: name, knobs
    space_size: str  # e.g. "2.1e7 discrete combinations x 5 continuous knobs"
    split_days: Mapping[str, str]  # window -> "2022-04-25 to 2022-05-04"
    seed: int
    strategy: str
    wall_seconds: float
    core_seconds_inside_trials: float
    config_text: str  # the study file as it was
    qps_conditions: str = ""  # engine, batch size, threads, dtype, device
    bayes_ne: Mapping[str, float] = field(default_factory=dict)  # window -> NE of the true probabilities, if known
    data_notes: Sequence[str] = ()  # what reading the log had to say
    margin_pct: float = 0.2  # by how much NE may be worse and still count as no worse
    trials_wanted: int | None = None  # the budget; None if not recorded
    time_budget: float | None = None  # seconds
    exhausted: bool = False  # the space held nothing new any more


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalPick:
    """One pick, retrained with several seeds and scored on days that the search never saw. Gains in percent."""

    trial: int
    role: str
    ne_gain_pct: float
    ci_low_pct: float
    ci_high_pct: float
    p_corrected: float
    qps_ratio: float
    qps_ratio_low: float
    search_ne_gain_pct: float
    verdict: str  # better, faster, no better, worse

    @classmethod
    def from_mapping(cls, pick: Mapping[str, Any]) -> FinalPick:
        """One entry of `picks` in finals.json; other keys are left alone."""
        return cls(
            trial=int(pick["trial"]),
            role=str(pick["role"]),
            ne_gain_pct=_number(pick["ne_gain_pct"]),
            ci_low_pct=_number(pick["ci_low_pct"]),
            ci_high_pct=_number(pick["ci_high_pct"]),
            p_corrected=_number(pick["p_corrected"]),
            qps_ratio=_number(pick["qps_ratio"]),
            qps_ratio_low=_number(pick["qps_ratio_low"]),
            search_ne_gain_pct=_number(pick["search_ne_gain_pct"]),
            verdict=str(pick["verdict"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Finals:
    """finals.json: the baseline on the test window, the margin of "no worse", and the picks."""

    baseline_ne: float
    baseline_ne_std: float
    baseline_qps: float
    margin_pct: float
    seeds: int | None
    half_width_pct: float  # of the widest interval
    seeds_wanted: int | None  # to narrow every interval to the margin; None: no number of seeds would
    picks: tuple[FinalPick, ...]

    @classmethod
    def from_mapping(cls, finals: Mapping[str, Any]) -> Finals:
        """From the parsed finals.json.

        Raises:
            KeyError: a key of the documented format is missing.
        """
        baseline = finals["baseline"]
        seeds = finals.get("seeds")
        picks = tuple(sorted(map(FinalPick.from_mapping, finals["picks"]), key=lambda pick: role_rank(pick.role)))
        return cls(
            baseline_ne=_number(baseline["ne"]),
            baseline_ne_std=_number(baseline["ne_std"]),
            baseline_qps=_number(baseline["qps"]),
            margin_pct=_number(finals["margin_pct"]),
            seeds=None if seeds is None else int(seeds),
            half_width_pct=max((0.5 * (pick.ci_high_pct - pick.ci_low_pct) for pick in picks), default=float("nan")),
            seeds_wanted=finals["seeds_wanted"],
            picks=picks,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportData:
    """All that one report shows.

    `picks` are the search's own choices by role, before finals (role -> trial number); left out, the report takes the
    extremes of the observed front and says so. `expected` holds their NE gains in percent with the luck of one run
    taken out. `importances` maps an objective ("ne", "qps") to knob -> share.
    """

    facts: StudyFacts
    history: History
    finals: Mapping[str, Any] | None = None  # the parsed finals.json
    picks: Mapping[str, int] | None = None
    expected: Mapping[int, float] = field(default_factory=dict)  # trial number -> NE gain
    importances: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    rankings: Sequence[Ranked] = ()  # how well each round was forecast
    notes: Sequence[str] = ()  # what the reader must be told before believing the rest


def role_rank(role: str) -> int:
    """Place of a role on the page."""
    return ROLES.index(role) if role in ROLES else len(ROLES)


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)
