"""The lists of rows that are served, as the encoded log has them for the same rows.

B rows, P events of all of them. Needs NumPy and pyarrow only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from automl.data.columns.kinds import is_numeric, is_text
from automl.data.columns.lists import EventClock, Lists, WrongLists, action_names, inexact, plain_of, read_lists
from automl.data.columns.vocabulary import Numbering


@dataclass(frozen=True, slots=True)
class ServedSequence:
    """A sequence and the list columns that hold it: `ids` of the field `of`, `times` and `kinds` of its events beside
    them. `actions` are the names of the kinds, in the order of their bits. One that is `built` has columns that are
    made of earlier rows: times as timestamps, kinds as bits."""

    name: str
    of: str
    most: int
    ids: str
    times: str | None
    kinds: str | None
    actions: tuple[str, ...]
    built: bool = False

    @classmethod
    def made(cls, name: str, of: str, most: int, actions: Iterable[str]) -> ServedSequence:
        """One that is built from the log: its columns have names that no table has."""
        names = tuple(actions)
        kinds = made_list("actions", name) if names else None
        return cls(name, of, most, made_list("ids", name), made_list("times", name), kinds, names, built=True)

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(name for name in (self.ids, self.times, self.kinds) if name is not None)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "actions": list(self.actions)}

    @classmethod
    def of_json(cls, told: Mapping[str, Any]) -> ServedSequence:
        return cls(**{**told, "actions": tuple(told["actions"])})

    def column(self, wrong: WrongLists) -> str:
        """The column in which something is wrong."""
        name = {"column": self.ids, "times": self.times, "actions": self.kinds}[wrong.part]
        assert name is not None
        return name


def made_list(what: str, name: str) -> str:
    """The column of `ids`, `times` or `actions` of a sequence that is made of earlier rows."""
    return f"@{what}({name})"


@dataclass(frozen=True, eq=False, slots=True)
class EncodedLists:
    """The list of row b is `pool[stop_B[b] - count_B[b] : stop_B[b]]`, the latest event last: as those of a History
    (automl/data/store/history.py), with times and actions where it has them."""

    ids_P: NDArray[np.int32]
    times_P: NDArray[np.int64] | None
    actions_P: NDArray[np.uint8] | None
    stop_B: NDArray[np.int64]
    count_B: NDArray[np.int32]
    strange: int = 0  # events whose action the log never had: they have none


@dataclass(frozen=True, eq=False, slots=True)
class EncodedRows:
    """What a model reads of B rows: ids_BF, dense_BD, and the lists of each sequence; times_B (nanoseconds UTC) where a
    sequence has times, else None."""

    ids_BF: NDArray[np.int32]
    dense_BD: NDArray[np.float32]
    histories: tuple[EncodedLists, ...] = ()
    times_B: NDArray[np.int64] | None = None


def encoded_lists(
    sequence: ServedSequence,
    column: Callable[[str], pa.Array],
    numbering: Numbering,
    kind: pa.DataType,
    times_B: NDArray[np.int64],
    clock: EventClock,
) -> tuple[EncodedLists, tuple[WrongLists, ...]]:
    """Lists with the ids of a field, whose values are of that kind, and what is wrong in their columns."""
    times, kinds = (None if name is None else column(name) for name in (sequence.times, sequence.kinds))
    ids = column(sequence.ids)
    as_text = is_numeric(kind) and is_text(plain_of(ids.type))  # of a file without types
    found = read_lists(ids, kind if as_text else None, times, kinds, _MADE if sequence.built else clock)
    found = found.before(times_B)[0].last(sequence.most)
    values = found.values
    if is_text(kind) and pa.types.is_integer(values.type):
        values = values.cast(pa.string())
    ids_P = np.concatenate([np.zeros(1, np.int32), numbering.find(values)])[found.codes_E]
    bits_P = None if found.kinds_E is None else _bits(sequence, found.kinds)[found.kinds_E]
    stop_B = np.cumsum(found.counts_N, dtype=np.int64)
    times_P = None if sequence.times is None else _times(found)
    if sequence.kinds is not None and bits_P is None:
        bits_P = np.zeros(len(ids_P), np.uint8)
    wrong = found.wrong
    far = inexact(values) if pa.types.is_integer(kind) else None
    if far is not None:
        must = "must hold whole numbers in its lists as the log did; as doubles they are exact up to 2**53"
        wrong = (*wrong, WrongLists("column", 1, far, must))
    strange = 0
    if found.kinds_E is not None and bits_P is not None:
        strange = int(((found.kinds_E > 0) & (bits_P == 0)).sum())
    return EncodedLists(ids_P, times_P, bits_P, stop_B, found.counts_N.astype(np.int32), strange), wrong


def _times(found: Lists) -> NDArray[np.int64]:
    """None where something is wrong."""
    return np.zeros(0, np.int64) if found.times_E is None else found.times_E


def _as_made(times: pa.Array) -> pa.Array:
    """Of a sequence that is built: int64 nanoseconds."""
    if pa.types.is_timestamp(times.type) and times.type.unit != "ns":
        times = times.cast(pa.timestamp("ns", tz=times.type.tz))
    return times.cast(pa.int64())


_MADE = EventClock(_as_made)


def _bits(sequence: ServedSequence, kinds: pa.Array) -> NDArray[np.uint8]:
    """Of each code of the kinds; a kind that the log did not have has none."""
    if sequence.built:
        told = [int(bits) for bits in kinds.to_pylist()]
    else:
        known = {name: 1 << k for k, name in enumerate(sequence.actions)}
        told = [known.get(name, 0) for name in action_names(kinds)]
    return np.array([0, *told], np.uint8)
