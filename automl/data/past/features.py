"""What is made of earlier rows, as plain frozen values: of a study's or stream's description, and of an exported model.

Needs no pydantic: what serves reads it too.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class PastLabel:
    """A column of 0 and 1; missing, or `given` not 1: not defined. Known `delay` seconds after its row, or at the time
    that `arrives` holds (missing: never)."""

    column: str
    delay: float = 0.0
    given: str | None = None
    arrives: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(name for name in (self.column, self.given, self.arrives) if name is not None)


@dataclass(frozen=True, slots=True)
class Key:
    """One or several columns, and the names of the features that are made of it."""

    columns: tuple[str, ...]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CounterBlock:
    """Counters of one memory. `labels` are places; a key has a rate of each, then its count. Seconds."""

    keys: tuple[Key, ...]
    labels: tuple[int, ...]
    every: float
    half_life: float | None
    prior: float


@dataclass(frozen=True, slots=True)
class RecentBlock:
    """Of each key how long ago it was last seen, and how often within so many seconds."""

    keys: tuple[Key, ...]
    within: float


@dataclass(frozen=True, slots=True)
class SequenceBlock:
    """Of each row the last `most` events of its key (`by`): ids of the column `of`. Rows are events where one of the
    `actions` (columns of 0 and 1) is 1, all rows where there are none; known `delay` seconds later."""

    name: str
    of: str
    by: tuple[str, ...]
    actions: tuple[str, ...]
    most: int
    delay: float


@dataclass(frozen=True, slots=True)
class PastFeatures:
    """All that is made of earlier rows, in the order of its columns: the counters, then what is recent; and sequences.
    Of rows that are equal in the columns `equal_by`, those of the log, one is counted; of none: every row is."""

    labels: tuple[PastLabel, ...]
    blocks: tuple[CounterBlock, ...]
    recent: RecentBlock | None
    timezone: str
    equal_by: tuple[str, ...] = ()
    sequences: tuple[SequenceBlock, ...] = ()

    @property
    def keys(self) -> tuple[Key, ...]:
        recent = () if self.recent is None else self.recent.keys
        return (*(key for block in self.blocks for key in block.keys), *recent)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for key in self.keys for name in key.names)

    @property
    def columns(self) -> tuple[str, ...]:
        """Of all keys and of what is listed, each once."""
        of_keys = (column for key in self.keys for column in key.columns)
        of_lists = (column for block in self.sequences for column in (*block.by, block.of))
        return tuple(dict.fromkeys((*of_keys, *of_lists)))

    @property
    def label_columns(self) -> tuple[str, ...]:
        """Of labels and actions."""
        actions = (name for block in self.sequences for name in block.actions)
        return tuple(dict.fromkeys((*(name for label in self.labels for name in label.columns), *actions)))

    def select(self, names: Collection[str]) -> PastFeatures:
        """The blocks, keys and labels without which these features and sequences cannot be made."""
        blocks = [replace(block, keys=_some(block.keys, names)) for block in self.blocks]
        blocks = [block for block in blocks if block.keys]
        used = sorted({label for block in blocks for label in block.labels})
        recent = None if self.recent is None else replace(self.recent, keys=_some(self.recent.keys, names))
        return replace(
            self,
            labels=tuple(self.labels[label] for label in used),
            blocks=tuple(replace(block, labels=tuple(map(used.index, block.labels))) for block in blocks),
            recent=recent if recent is not None and recent.keys else None,
            sequences=tuple(block for block in self.sequences if block.name in names),
        )

    def to_json(self) -> dict[str, Any]:
        told = asdict(self)
        if not self.sequences:
            del told["sequences"]  # what has none is told as it was before there were any
        return told

    @classmethod
    def of_json(cls, told: Mapping[str, Any]) -> PastFeatures:
        recent = told["recent"]
        return cls(
            labels=tuple(PastLabel(**label) for label in told["labels"]),
            blocks=tuple(
                CounterBlock(**{**block, "keys": _keys(block["keys"]), "labels": tuple(block["labels"])})
                for block in told["blocks"]
            ),
            recent=None if recent is None else RecentBlock(_keys(recent["keys"]), recent["within"]),
            timezone=told["timezone"],
            equal_by=tuple(told["equal_by"]),
            sequences=tuple(
                SequenceBlock(**{**block, "by": tuple(block["by"]), "actions": tuple(block["actions"])})
                for block in told.get("sequences", ())
            ),
        )


def _some(keys: tuple[Key, ...], names: Collection[str]) -> tuple[Key, ...]:
    return tuple(key for key in keys if any(name in names for name in key.names))


def _keys(told: Collection[Mapping[str, Any]]) -> tuple[Key, ...]:
    return tuple(Key(tuple(key["columns"]), tuple(key["names"])) for key in told)
