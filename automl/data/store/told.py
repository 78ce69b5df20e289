"""What an encoded log tells of its rows: notes for a person, and of every feature what each window holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypedDict

NoteKind = Literal["rows", "feature", "drift", "leak"]
FeatureKind = Literal["categorical", "dense", "counter", "vector", "sequence"]


class NoteJson(TypedDict):
    at: list[str]
    kind: NoteKind
    text: str


@dataclass(frozen=True, slots=True)
class Note:
    """One thing that a person should know of a log.

    at: the part of the data description that it is about, as keys below `data` (("features", "dense", "price")); none:
    the log as a whole. kind: `rows` of what was read and left out, `feature` of a column in the fit windows, `drift` of
    a window that differs from train, `leak` of what gives the label away.
    """

    text: str
    kind: NoteKind = "rows"
    at: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.text

    def to_json(self) -> NoteJson:
        return {"at": list(self.at), "kind": self.kind, "text": self.text}

    @classmethod
    def of_json(cls, told: NoteJson) -> Note:
        return cls(told["text"], told["kind"], tuple(told["at"]))


class FeatureJson(TypedDict):
    name: str
    kind: FeatureKind
    missing: dict[str, float]
    unknown: dict[str, float]
    mean: dict[str, float | None]
    spread: dict[str, float | None]


@dataclass(frozen=True, slots=True)
class Feature:
    """What the windows hold of one feature, each by the window's name.

    missing, unknown: shares of the rows. An id is unknown where it has a value that the vocabulary of the fit windows
    does not hold; dense features have none. mean, spread: of dense features, mean and standard deviation of what is not
    missing, in the scale of the fit windows (0 and 1 there); None where a window has no value. Of a vector they are
    those of all its numbers; it is missing where all of them are. A column that is both categorical and dense is two
    features. A sequence is missing where its list is empty; unknown is the share of its events whose id is unknown,
    mean and spread are those of its length.
    """

    name: str
    kind: FeatureKind
    missing: Mapping[str, float]
    unknown: Mapping[str, float]
    mean: Mapping[str, float | None]
    spread: Mapping[str, float | None]

    def to_json(self) -> FeatureJson:
        return {
            "name": self.name,
            "kind": self.kind,
            "missing": dict(self.missing),
            "unknown": dict(self.unknown),
            "mean": dict(self.mean),
            "spread": dict(self.spread),
        }

    @classmethod
    def of_json(cls, told: FeatureJson) -> Feature:
        return cls(told["name"], told["kind"], told["missing"], told["unknown"], told["mean"], told["spread"])
