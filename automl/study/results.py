"""What the finals found, as frozen values and as finals.json (docs/schemas/finals.json)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from automl.files.whole import whole_file
from automl.stats.significance import Verdict
from search_spaces.errors import InputError

VERSION = 1  # of the file; one without a version is of the first
FILE = "finals.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalBaseline:
    """The baseline, trained with every seed and scored on the test window."""

    ne: float  # mean over the seeds
    ne_std: float
    qps: float  # rows a second, as the search timed it


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalPick:
    """One pick, trained with every seed and scored on the test window. Gains in percent against the baseline, negative
    is better; NaN where a figure is not known."""

    trial: int
    role: str  # accurate, fast, balanced, unlimited, or named: by hand
    ne: float  # mean over the seeds
    ne_gain_pct: float
    ci_low_pct: float  # interval of 95% of the gain
    ci_high_pct: float
    p_corrected: float  # Holm over the picks
    qps_ratio: float
    qps_ratio_low: float  # of the interval of 95%
    search_ne_gain_pct: float  # what the search had seen in one run
    confirmed_ne_gain_pct: float  # what its repeats on the validation window made of it, shrunken
    verdict: Verdict

    @property
    def half_width_pct(self) -> float:
        """Half of the interval of the gain."""
        return 0.5 * (self.ci_high_pct - self.ci_low_pct)

    @property
    def smallest_margin_pct(self) -> float | None:
        """The smallest margin that could be shown, where the verdict is "no better"."""
        return max(self.ci_high_pct, 0.0) if self.verdict is Verdict.NO_BETTER else None

    def to_json(self) -> dict[str, object]:
        """One of `picks` of finals.json."""
        shown = {field.name: _known(getattr(self, field.name)) for field in fields(self)}
        shown["verdict"] = self.verdict.value
        if self.smallest_margin_pct is not None:
            shown["smallest_margin_pct"] = _known(self.smallest_margin_pct)
        return shown

    @classmethod
    def of_json(cls, data: Mapping[str, Any]) -> FinalPick:
        """Inverse of to_json; other keys are left alone.

        Raises:
            KeyError: a key is missing.
            ValueError: the verdict is none.
        """
        known: dict[str, Any] = {field.name: _number(data[field.name]) for field in fields(cls)}
        return cls(**{**known, "verdict": Verdict(data["verdict"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class Finals:
    """Picks against the baseline, as judged on the test window."""

    baseline: FinalBaseline
    margin_pct: float  # by how much NE may be worse and still count as no worse
    seeds: int
    seeds_wanted: int | None  # to narrow every interval to the margin; 0: those that were run; None: no number would
    picks: tuple[FinalPick, ...]
    trials: int | None = None  # of the search that had ended when the picks were made; None where that is not known
    confirmed: Mapping[int, tuple[float, ...]] | None = None  # trial -> NE gains of its repeats, as picked from

    @property
    def half_width_pct(self) -> float:
        """Of the widest interval; NaN without picks."""
        return max((pick.half_width_pct for pick in self.picks), default=math.nan)

    def of_trial(self, number: int) -> FinalPick | None:
        """The pick that is this trial."""
        return next((pick for pick in self.picks if pick.trial == number), None)

    def to_json(self) -> dict[str, object]:
        """What finals.json holds."""
        baseline = {field.name: _known(getattr(self.baseline, field.name)) for field in fields(self.baseline)}
        shown: dict[str, object] = {
            "version": VERSION,
            "baseline": baseline,
            "margin_pct": self.margin_pct,
            "seeds": self.seeds,
            "half_width_pct": _known(self.half_width_pct),
            "seeds_wanted": self.seeds_wanted,
            "picks": [pick.to_json() for pick in self.picks],
        }
        if self.trials is not None:
            shown["trials"] = self.trials
        if self.confirmed is not None:
            shown["confirmed"] = {str(number): list(map(_known, gains)) for number, gains in self.confirmed.items()}
        return shown

    @classmethod
    def of_json(cls, data: Mapping[str, Any]) -> Finals:
        """Inverse of to_json.

        Raises:
            KeyError: a key is missing.
            ValueError: the file is of a later version, or a verdict is none.
        """
        if data.get("version", VERSION) > VERSION:
            raise ValueError(f"version {data['version']}")
        confirmed = data.get("confirmed")
        return cls(
            baseline=FinalBaseline(**{name: _number(data["baseline"][name]) for name in ("ne", "ne_std", "qps")}),
            margin_pct=data["margin_pct"],
            seeds=data["seeds"],
            seeds_wanted=data["seeds_wanted"],
            picks=tuple(map(FinalPick.of_json, data["picks"])),
            trials=data.get("trials"),
            confirmed=None
            if confirmed is None
            else {int(number): tuple(map(_number, gains)) for number, gains in confirmed.items()},
        )


def write_finals(folder: Path, found: Finals) -> None:
    """Write finals.json of a study."""
    with whole_file(folder / FILE) as part:
        part.write_text(json.dumps(found.to_json(), indent=2, allow_nan=False))


def read_finals(folder: Path) -> Finals | None:
    """The finals of a study, if they were run.

    Raises:
        InputError: where finals.json is not as documented, or of a later version.
    """
    path = folder / FILE
    if not path.exists():
        return None
    try:
        return Finals.of_json(json.loads(path.read_text()))
    except (KeyError, TypeError, ValueError) as error:
        must = f"must be what `automl finals` writes, version {VERSION} or below"
        raise InputError.of(str(path), must, str(error), "run the finals again") from None


def _known(value: object) -> object:
    """JSON has no NaN: null."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _number(value: Any) -> Any:
    return math.nan if value is None else value
