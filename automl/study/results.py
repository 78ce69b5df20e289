"""What the finals found, as frozen values and as finals.json (docs/schemas/finals.json)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from automl.files.whole import whole_file
from automl.stats.verdicts import LEVEL, Verdict
from automl.study.plain import Codec, Number, Plain, read_json
from search_spaces.errors import InputError

VERSION = 2  # of the file; one without a version is of the first
FILE = "finals.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalBaseline:
    """The baseline, trained with every seed and scored on the test window."""

    ne: Number  # mean over the seeds
    ne_std: Number
    qps: Number  # rows a second, as the search timed it
    orders: int  # of the data that it was trained on
    nes: Mapping[str, Number] | None = None  # of several labels the NE of each


@dataclass(frozen=True, slots=True, kw_only=True)
class Detectable:
    """The smallest NE gain in percent that the finals can tell from chance: half of the middle pick's interval."""

    planned: Number  # from the repeats before the picks; NaN without them
    found: Number  # NaN where no pick was judged


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineDay:
    """A day of the test window."""

    day: str  # 2022-05-07
    rows: int
    ne: Number  # of the baseline, mean over its seeds; NaN where the day has one class


@dataclass(frozen=True, slots=True, kw_only=True)
class DayGain:
    """The gain of a pick on one day alone, in percent; NaN where the day has one class."""

    day: str
    ne_gain_pct: Number
    ci_low_pct: Number  # interval of 95%, not corrected
    ci_high_pct: Number


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskGain:
    """The gain of a pick on another label than the objective's, in percent; negative is better."""

    task: str
    ne: Number  # mean over the seeds
    ne_gain_pct: Number
    ci_low_pct: Number  # interval of 95%, not corrected
    ci_high_pct: Number
    p_corrected: Number  # Holm over all labels and picks

    @property
    def lost(self) -> bool:
        """Whether it is shown that the label is predicted worse."""
        return self.ci_low_pct > 0 and self.p_corrected < LEVEL


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfit:
    """Why a pick must not be shipped: what became of it on an order of the finals."""

    order: int  # from 1
    kind: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalPick:
    """One pick, trained with every seed and scored on the test window. Gains in percent against the baseline, negative
    is better; NaN where a figure is not known. Of an unfit pick nothing was measured."""

    trial: int
    role: str  # accurate, fast, balanced, unlimited, or named: by hand
    orders: int  # of the data that it was trained on; fewer than the seeds where it could not win any more
    ne: Number  # mean over the seeds
    ne_gain_pct: Number
    ci_low_pct: Number  # interval of 95% of the gain
    ci_high_pct: Number
    p_corrected: Number  # Holm over all models that were tested
    order_std_pct: Number  # of the gain between two orders of the data
    examples_std_pct: Number  # standard error from the choice of examples: seeds do not narrow it
    examples_std_first_day_pct: Number  # the same with the first test day alone
    qps_ratio: Number
    qps_ratio_low: Number  # of the interval of 95%
    search_ne_gain_pct: Number  # what the search had seen, mean over its trainings
    confirmed_ne_gain_pct: Number  # what its repeats on the validation window made of it, shrunken
    verdict: Verdict
    days: tuple[DayGain, ...] = ()  # where the test window has several
    tasks: tuple[TaskGain, ...] = ()  # the other ones of several labels
    unfit: Unfit | None = None  # where that is the verdict

    @property
    def half_width_pct(self) -> float:
        """Half of the interval of the gain."""
        return 0.5 * (self.ci_high_pct - self.ci_low_pct)

    @property
    def smallest_margin_pct(self) -> float | None:
        """The smallest margin that could be shown, where the verdict is "no better"."""
        return max(self.ci_high_pct, 0.0) if self.verdict is Verdict.NO_BETTER else None

    def to_json(self) -> Plain:
        """One of `picks` of finals.json."""
        shown, smallest = _PICK.plain(self), self.smallest_margin_pct
        if self.unfit is None:
            del shown["unfit"]
        if not self.tasks:
            del shown["tasks"]
        return shown if smallest is None else {**shown, "smallest_margin_pct": smallest}


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """Over how many models of the study p is corrected: all that the test window was ever asked of."""

    before: int  # by earlier finals, and not by these
    models: int  # in all
    p: Mapping[int, Number]  # trial -> p of its gain alone, of the picks that were judged


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """The study's place among several of which one is hoped to succeed, and the level at which it tests."""

    name: str
    place: int  # from 1, in the order in which finals were first run
    level: float  # below which a corrected p is "better"
    ledger: str = ""  # the folder of its ledger, relative to the study's; "" in a file of an older release

    @property
    def file(self) -> str | None:
        """The ledger, relative to the study's folder."""
        return f"{self.ledger}/{ledger_name(self.name)}" if self.ledger else None


def ledger_name(family: str) -> str:
    """The file's name of a family's ledger."""
    return f".automl-family-{family}.json"


def level_at(family: Family | None) -> float:
    """The level of a study's claims: what its family leaves to it, all of it where it stands alone."""
    return LEVEL if family is None else family.level


@dataclass(frozen=True, slots=True, kw_only=True)
class PickParts:
    """Of what the gain of a pick over the model as brought is made. In percent of NE, negative is better, intervals of
    95%; NaN where it was not asked for or a model failed."""

    trial: int
    brought_gain_pct: Number  # against the model as brought
    brought_ci_low_pct: Number
    brought_ci_high_pct: Number
    training_gain_pct: Number  # of the tuned baseline with the pick's training knobs, against the tuned baseline
    architecture_gain_pct: Number  # of the pick against that model
    architecture_ci_low_pct: Number
    architecture_ci_high_pct: Number


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The model as brought on the test window beside the tuned (or widened) baseline, and the parts of each pick's
    gain. NaN where the model as brought is the baseline."""

    brought_ne: Number
    brought_ne_std: Number
    tuned_gain_pct: Number  # of the baseline as it was tuned or widened against the model as brought
    tuned_ci_low_pct: Number
    tuned_ci_high_pct: Number
    picks: tuple[PickParts, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpokenOf:
    """Of what finals speak. Name and first start (seconds since the epoch) of the study, "" and NaN in older files;
    fingerprints of the log as the search and as the finals read it, the key of the baseline
    that gains are against, the key of each pick by its trial, and by model a digest of its predictions."""

    data: str
    finals_data: str
    baseline: str
    models: Mapping[int, str]
    predictions: Mapping[str, str]
    name: str = ""
    started_at: Number = math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class Finals:
    """Picks against the baseline, as judged on the test window."""

    baseline: FinalBaseline
    margin_pct: float  # by how much NE may be worse and still count as no worse
    seeds: int  # trainings of each model as they were asked for; the race may have given one fewer, another more
    seeds_wanted: int | None  # to narrow every interval to the margin; 0: those that were run; None: no number would
    detectable_pct: Detectable
    picks: tuple[FinalPick, ...]
    progressive: bool = False  # each day of the test window was scored, then trained on
    days: tuple[BaselineDay, ...] = ()  # of the test window, where it has several
    trials: int | None = None  # of the search that had ended when the picks were made; None where that is not known
    confirmed: Mapping[int, tuple[Number, ...]] | None = None  # trial -> NE gains of its repeats, as picked from
    parts: Parts | None = None  # where the baseline was tuned or widened
    of: SpokenOf | None = None  # None in a file of an older release
    family: Family | None = None  # where the study file names one
    tested: Correction | None = None  # None in a file of an older release: corrected over its picks

    @property
    def half_width_pct(self) -> float:
        """Of the widest interval, of the picks that could win to the end if there are any; NaN without intervals."""
        return max((pick.half_width_pct for pick in self.settled), default=math.nan)

    def dropped(self, pick: FinalPick) -> bool:
        """Whether a pick was trained no further, since it could not win any more."""
        return pick.unfit is None and pick.orders < self.seeds

    @property
    def settled(self) -> tuple[FinalPick, ...]:
        """The picks that were trained to the end; all that were judged where none was."""
        return tuple(pick for pick in self.fit if not self.dropped(pick)) or self.fit

    @property
    def fit(self) -> tuple[FinalPick, ...]:
        """The picks that were trained on every order, and so were judged."""
        return tuple(pick for pick in self.picks if pick.unfit is None)

    def of_trial(self, number: int) -> FinalPick | None:
        """The pick that is this trial."""
        return next((pick for pick in self.picks if pick.trial == number), None)

    def to_json(self) -> Plain:
        """What finals.json holds: the fields, the version and what follows from the intervals."""
        shown = _FINALS.plain(self)
        for optional in ("trials", "confirmed", "parts", "of", "family", "tested"):
            if shown[optional] is None:
                del shown[optional]
        widest = self.half_width_pct if math.isfinite(self.half_width_pct) else None
        picks = [pick.to_json() for pick in self.picks]
        if self.baseline.nes is None:
            cast(Plain, shown["baseline"]).pop("nes")
        return {"version": VERSION, **shown, "half_width_pct": widest, "picks": picks}

    @classmethod
    def of_json(cls, found: object, file: str = FILE) -> Finals:
        """Inverse of to_json; other keys are left alone.

        Raises:
            InputError: where it is of a later version, or not as documented.
        """
        version = found.get("version", 1) if isinstance(found, Mapping) else VERSION
        if version != VERSION:
            hint = "another release wrote it: read it with that one, or run the finals again"
            raise InputError.of(file, f"must be of version {VERSION}", str(version), hint)
        return _FINALS.value(found, file)


_PICK, _FINALS = Codec(FinalPick), Codec(Finals)


def write_finals(folder: Path, found: Finals) -> None:
    """Write finals.json of a study."""
    with whole_file(folder / FILE) as part:
        part.write_text(json.dumps(found.to_json(), indent=2, allow_nan=False))


def read_finals(folder: Path) -> Finals | None:
    """The finals of a study, if they were run.

    Raises:
        InputError: where finals.json cannot be read.
    """
    file = folder / FILE
    return Finals.of_json(read_json(file), str(file)) if file.exists() else None
