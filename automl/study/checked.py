"""What `automl check --json` tells of a study, as frozen values; docs/schemas/check.json is their schema."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from automl.data.store.told import FeatureKind
from automl.study.plain import Codec, Number, Plain

NoteKind = Literal["rows", "feature", "drift", "leak", "warm", "space", "limits", "memory", "disk", "gpu"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedWindow:
    """A window of the log. positive: the share of its rows, by weight, whose label is 1; of several labels the one that
    is the objective, among the rows that have it. first, last: its first and its last time, ISO 8601 in the log's
    timezone; null where the log has no time."""

    rows: int
    positive: Number
    first: str | None
    last: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedFeature:
    """A feature of the log. vocabulary: the ids that the training window tells apart; null where it is a number.
    missing, unknown: shares of the rows by window, unknown of ids alone; without windows where they are not known any
    more, as in lessons."""

    kind: FeatureKind
    vocabulary: int | None
    missing: Mapping[str, float]
    unknown: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedNote:
    """Something that a person should know. at: the file, and where there is one the line and column in it. kind: rows,
    feature, drift and leak are of the log; warm of the studies that the search starts warm from; space of the space
    file; limits of the study file's own limits; memory and disk of the machine."""

    at: str
    text: str
    kind: NoteKind


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialSeconds:
    """CPU seconds of a core that a trial takes: the baseline's, and those that a tenth of the space's candidates stay
    below (low) and a tenth lie above (high)."""

    low: float
    baseline: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a search costs. search_minutes: 100 trials on the workers, with the trainings of the baseline, those that
    tune it and the repeats, on cores that nobody else uses. memory_gib: of all processes together, at most. disk_gib:
    of the log, encoded for the search and for the finals, at most."""

    trial_seconds: TrialSeconds
    search_minutes: float
    memory_gib: float
    disk_gib: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What `automl check` found of a study: windows and features of its log by name, notes, what a search costs. A
    column that is read as an id and as a number has a second entry, its name with the kind in brackets."""

    windows: Mapping[str, CheckedWindow]
    features: Mapping[str, CheckedFeature]
    notes: tuple[CheckedNote, ...]
    cost: Cost

    def to_json(self) -> Plain:
        """What is printed."""
        return _CODEC.plain(self)


_CODEC = Codec(Checked)


def checked_schema() -> Plain:
    """The JSON schema of what is printed."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **_CODEC.schema()}
