"""List columns of events: ids, and beside them when each was and of which kind; one list a row, the latest event last.

N rows, E events of all rows, one list after the other.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from automl.data.columns.kinds import MisfitError, cast, is_list, is_numeric, is_text, plain
from automl.data.columns.times import MS, NotTimesError, Unit, near
from automl.data.columns.vocabulary import Codes, numbered

_WHOLE = re.compile(r"^(-?\d+)\.0+$")
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
ListPart = Literal["column", "times", "actions"]


@dataclass(frozen=True, slots=True)
class WrongLists:
    """So many rows in which a list column breaks a rule; one of them."""

    part: ListPart
    count: int
    example: str
    must: str  # what comes after the column's name


@dataclass(frozen=True, eq=False, slots=True)
class Lists:
    """counts_N events of each row: codes_E of `values` (from 1 on), times_E (nanoseconds UTC) and kinds_E, codes of
    `kinds` (0: none is told); without times and kinds where the lists have none."""

    counts_N: Ints
    codes_E: Codes
    values: pa.Array
    times_E: Ints | None = None
    kinds_E: Codes | None = None
    kinds: pa.Array = field(default_factory=lambda: pa.nulls(0))
    wrong: tuple[WrongLists, ...] = ()

    def some(self, kept_E: Flags) -> Lists:
        """The events that are kept."""
        rows_E = np.repeat(np.arange(len(self.counts_N)), self.counts_N)
        return Lists(
            np.bincount(rows_E[kept_E], minlength=len(self.counts_N)).astype(np.int64),
            self.codes_E[kept_E],
            self.values,
            None if self.times_E is None else self.times_E[kept_E],
            None if self.kinds_E is None else self.kinds_E[kept_E],
            self.kinds,
            self.wrong,
        )

    def last(self, most: int) -> Lists:
        """The last events of each list."""
        if not len(self.counts_N) or self.counts_N.max() <= most:
            return self
        ends_E = np.repeat(np.cumsum(self.counts_N), self.counts_N)
        return self.some(np.arange(len(self.codes_E)) >= ends_E - most)

    def before(self, times_N: Ints) -> tuple[Lists, int]:
        """The events that are earlier than their row by a millisecond or more, and of how many rows some are not."""
        if self.times_E is None:
            return self, 0
        early_E = self.times_E // MS < np.repeat(times_N // MS, self.counts_N)
        if early_E.all():
            return self, 0
        found = self.some(early_E)
        return found, int((found.counts_N < self.counts_N).sum())


@dataclass(frozen=True, slots=True)
class EventClock:
    """Reads times of events as nanoseconds UTC. `unit` is that of numbers, `span` the first and the last time of the
    log: None where it has none."""

    read: Callable[[pa.Array], pa.Array]
    unit: Unit | None = None
    span: tuple[int, int] | None = None

    def in_another_unit(self, times_E: Ints) -> Ints:
        """The times that lie decades before the log, but near it in a larger unit."""
        if self.span is None or not len(times_E):
            return times_E[:0]
        first, last = near(self.span)
        old_E = times_E[times_E < first]
        wrong_E = np.zeros(len(old_E), bool)
        for factor in (10**3, 10**6, 10**9):
            wrong_E |= (old_E >= -(-first // factor)) & (old_E <= last // factor)
        return old_E[wrong_E]


def action_names(kinds: pa.Array) -> list[str]:
    """What kinds of events are called: a whole number is itself however it is written, and yes is 1."""
    if pa.types.is_boolean(kinds.type):
        kinds = kinds.cast(pa.int8())
    return [_WHOLE.sub(r"\1", str(kind)) for kind in kinds.to_pylist()]


def inexact(column: pa.Array) -> str | None:
    """A double that stands for several ids, as each beyond 2**53 does; None where there is none."""
    if not pa.types.is_floating(column.type):
        return None
    far = pc.filter(column, pc.greater(pc.abs(column), float(1 << 53)))
    return f"{far[0].as_py():.0f}" if len(far) else None


def holds_lists(kind: pa.DataType) -> bool:
    """Whether a column may hold lists of ids, of times or of words."""
    return pa.types.is_null(kind) or (is_list(kind) and not pa.types.is_nested(plain_of(kind)))


def plain_of(kind: pa.DataType) -> pa.DataType:
    """What the lists of a column hold."""
    if pa.types.is_null(kind):
        return kind
    found = plain(kind.value_type)
    return found.value_type if pa.types.is_dictionary(found) else found


def alike(kind: pa.DataType, of: pa.DataType, untyped: bool) -> bool:
    """Whether lists of a kind may hold values of a column: numbers those of numbers, words those of words; whole
    numbers also those of a column that is text for want of types."""
    of = of.value_type if pa.types.is_dictionary(of) else plain(of)
    if pa.types.is_null(kind) or pa.types.is_null(of):
        return True
    if is_text(of):
        return is_text(kind) or (untyped and pa.types.is_integer(kind))
    if is_numeric(of) or pa.types.is_boolean(of):
        return is_numeric(kind) or pa.types.is_boolean(kind)
    return bool(kind == of)


def read_lists(
    ids: pa.Array,
    kind: pa.DataType | None,
    times: pa.Array | None = None,
    actions: pa.Array | None = None,
    clock: EventClock | None = None,
) -> Lists:
    """Lists of N rows as values of a type (None: as they are), with what is wrong in them; a missing list is empty.

    An event without an id or without a time is none. `clock` reads times.
    """
    flat, counts_N = _flat(ids)
    wrong: list[WrongLists] = []
    beside: dict[ListPart, pa.Array] = {}
    asked: tuple[tuple[ListPart, pa.Array | None], ...] = (("times", times), ("actions", actions))
    for part, column in asked:
        if column is not None:
            beside[part], own_N = _flat(column)
            wrong += _lengths(part, own_N, counts_N)
    codes_E, values = numbered(flat)
    far = inexact(values) if kind is not None and pa.types.is_integer(kind) else None
    if far is not None:
        wrong.append(
            WrongLists("column", 1, far, f"must hold {kind} in its lists; as doubles they are exact up to 2**53")
        )
    try:
        values = values if kind is None else cast(values, kind)
    except MisfitError as error:
        wrong.append(WrongLists("column", 1, str(error), f"must hold {kind} in its lists"))
    if wrong:
        return Lists(np.zeros_like(counts_N), np.zeros(0, np.int32), pa.nulls(0), wrong=tuple(wrong))
    kept_E = codes_E > 0
    times_E = None
    if "times" in beside and clock is not None:
        try:
            known = clock.read(beside["times"])
        except NotTimesError as error:
            known = pa.nulls(len(flat), pa.int64())
            wrong.append(WrongLists("times", 1, str(error), "must hold times in its lists"))
        kept_E &= known.is_valid().to_numpy(zero_copy_only=False)
        times_E = np.asarray(pc.fill_null(known, 0).to_numpy(zero_copy_only=False))
        wrong += _of_another_unit(clock, times_E)
    kinds_E, kinds = (None, pa.nulls(0)) if "actions" not in beside else numbered(beside["actions"])
    found = Lists(counts_N, codes_E, values, times_E, kinds_E, kinds, tuple(wrong))
    found = found if kept_E.all() else found.some(kept_E)
    falling = 0 if found.times_E is None else _falling(found.times_E, found.counts_N)
    if falling:
        must = "must rise within a list: the latest event stands last"
        found = replace(found, wrong=(*wrong, WrongLists("times", falling, "times that fall", must)))
    return found


def places(stop_N: Ints, count_N: NDArray[np.integer]) -> Ints:
    """Where the events of lists that end before `stop_N` stand, one list after the other."""
    count_N = count_N.astype(np.int64)
    ends_N = np.cumsum(count_N)
    shift_N = stop_N - ends_N
    total = int(ends_N[-1]) if len(ends_N) else 0
    return np.arange(total, dtype=np.int64) + np.repeat(shift_N, count_N)


def before_in(times_P: Ints, start_N: Ints, stop_N: Ints, times_N: Ints) -> Ints:
    """Where the events of a list end that are earlier than a row by a millisecond or more: between start and stop, in
    times that rise there."""
    low_N, high_N, wanted_N = start_N.copy(), stop_N.copy(), times_N // MS
    while (open_N := low_N < high_N).any():
        middle_N = (low_N + high_N) // 2
        early_N = open_N & (times_P[np.minimum(middle_N, len(times_P) - 1)] // MS < wanted_N)
        low_N = np.where(early_N, middle_N + 1, low_N)
        high_N = np.where(open_N & ~early_N, middle_N, high_N)
    return low_N


def _flat(column: pa.Array) -> tuple[pa.Array, Ints]:
    """The elements of all lists, and how many each row has."""
    if pa.types.is_null(column.type):
        return pa.nulls(0), np.zeros(len(column), np.int64)
    lengths = pc.fill_null(pc.list_value_length(column), 0)
    flat = pc.list_flatten(column)
    if isinstance(flat.type, pa.BaseExtensionType) or plain(flat.type) != flat.type:
        flat = cast(flat, plain(flat.type))
    return flat, lengths.to_numpy(zero_copy_only=False).astype(np.int64)


def _lengths(part: ListPart, own_N: Ints, counts_N: Ints) -> list[WrongLists]:
    other_N = own_N != counts_N
    if not other_N.any():
        return []
    first = int(other_N.argmax())
    example = f"{own_N[first]} beside {counts_N[first]} ids"
    return [WrongLists(part, int(other_N.sum()), example, "must be as long as the list of ids in every row")]


def _of_another_unit(clock: EventClock, times_E: Ints) -> list[WrongLists]:
    others = clock.in_another_unit(times_E)
    if not len(others):
        return []
    read = "" if clock.unit is None else f"; numbers are read in {clock.unit}, as the log's time"
    day = str(others[0].astype("datetime64[ns]").astype("datetime64[D]"))
    return [WrongLists("times", len(others), day, f"must hold times in its lists that lie near the log{read}")]


def _falling(times_E: Ints, counts_N: Ints) -> int:
    """How many lists have a time that is earlier than the one before it."""
    falls_E = np.zeros(len(times_E), bool)
    falls_E[1:] = times_E[1:] < times_E[:-1]
    starts_N = np.cumsum(counts_N) - counts_N
    falls_E[starts_N[counts_N > 0]] = False
    rows_E = np.repeat(np.arange(len(counts_N)), counts_N)
    return len(np.unique(rows_E[falls_E]))
