"""What is written down of a study beside its trials: which files, which data, which machine, what was asked and spent.

Each fact is a user attribute of the Optuna study under the name of its field, so that its dashboard shows them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields

from automl.study.history import Prefer
from automl.study.plain import Codec, Model, Plain
from automl.study.precedents import Precedent, Source
from automl.study.scaled import Scaled

# The record's own attributes: repeats of the baseline, trainings that tune it, those of the one brought where it was
# widened, and the number that no trial has had.
REPEATS, TUNING, BROUGHT, NEXT_NUMBER = "baseline", "tuning", "brought", "next_number"
# Before the place of one repeat of a trial: they are attributes of the study, since Optuna's ended trials never change.
TRIAL_REPEAT = "repeat:"
DRIVER = "driver"  # of a trial: which of several drivers trains it
PROMOTED = "promoted"  # of a trial: one that ended on a part of the rows, and has its number, was trained on all then
BATCH = "batch:"  # before the round of a batch of proposals
# The fact that is written last of all: each is a transaction of its own, and a record that has this one has the others.
MARK = "started_at"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A model that the test window was asked of."""

    at: float | None  # when it was first, in seconds since the epoch; None: by an older release
    p: float | None = None  # of its latest test against the baseline, not corrected; None: it was never judged


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The place of a study in a family (automl/study/family.py)."""

    name: str
    place: int  # from 1
    ledger: str  # the folder of the ledger, relative to the study's


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Facts of a study that was started, all of them written before anything is trained. A default is what a record of
    an older release is read with, or what is told later.

    Files are told relative to the study's folder, so that a copy has its own (automl/study/places.py finds them); older
    records have them absolute.
    """

    study_file: str
    config_text: str  # the study file as it was at the last start
    data: str  # fingerprint of the log as the search reads it, and its folder's name under data/
    baseline_key: str  # of the model as brought: as its file has it
    baseline_qps: float  # rows a second, before anything else ran
    baseline_seeds: int
    workers: int
    command: str  # as it was typed; empty where Python asked
    versions: Mapping[str, str]  # package -> version
    machine: str
    started_at: float  # the first start, in seconds since the epoch
    # Files that must be loaded before the space and the trials are read, and a digest of the content of each.
    plugins: Mapping[str, str] = field(default_factory=dict)
    tune_baseline: int = 0  # trainings that tune the baseline before anything is compared with it
    scaled: Scaled | None = None  # the multiple of the FLOPs that it is searched at, and the baseline so wide
    tuned: Model | None = None  # the baseline that gains are against; None until its tuning is over, and without one
    prefer: Prefer = Prefer.BALANCED  # what the last start was told to look at more
    warm_start: tuple[Precedent, ...] = ()  # what the studies said that the first start was told to start warm from
    warm_sources: tuple[Source, ...] = ()  # those studies; none in older records
    finals_data: str | None = None  # fingerprint of the log as the finals read it; None in older records
    trials_wanted: int | None = None  # the budget of the last start; None if it is not recorded
    time_budget: float | None = None  # seconds
    exhausted: bool = False  # the space held nothing new any more
    out_of_time: bool = False  # the last start was ended by its time budget
    wall_seconds: float = 0.0  # of all starts that ended
    # By key, every model that the test window was ever asked of; written before anything of it is scored.
    tested: Mapping[str, Asked] = field(default_factory=dict)
    family: Place | None = None  # once it is taken

    @property
    def compared_key(self) -> str:
        """Of the model that gains are against: the tuned one, else the widened one, else the one brought."""
        if self.tuned is not None:
            return self.tuned.key
        return self.baseline_key if self.scaled is None else self.scaled.widened.key

    def to_json(self) -> Plain:
        """The attributes by name, in the order in which they are to be written: MARK last."""
        plain = _CODEC.plain(self)
        plain[MARK] = plain.pop(MARK)
        return plain

    @classmethod
    def of_json(cls, attributes: Mapping[str, object]) -> Facts | None:
        """Facts among the attributes of a study; None where it was not started, or died while it was.

        Raises:
            InputError: where one is not what it must be.
        """
        needed = {one.name for one in fields(cls) if one.default is MISSING and one.default_factory is MISSING}
        return _CODEC.value(attributes, "the study's record") if needed <= set(attributes) else None


_CODEC = Codec(Facts)
