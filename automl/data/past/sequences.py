"""Of each row the events of its key that were known before it: rows of which an action, or all, are told.

N rows in the order of time, E events in the order of time, P columns of a key, K coded columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from automl.data.columns.times import MS
from automl.data.past.counters import key_codes
from automl.data.past.rows import Gathered

Ints = NDArray[np.int64]
Codes = NDArray[np.int32]
_AT_ONCE = 1 << 18  # rows


def action_bits(rows: int, done: Sequence[NDArray[np.bool_]]) -> NDArray[np.uint8]:
    """bits_N: bit k where a row was the k-th action; without any actions every row is an event."""
    bits_N = np.full(rows, 0 if done else 1, np.uint8)
    for k, done_N in enumerate(done):
        bits_N |= done_N.astype(np.uint8) << np.uint8(k)
    return bits_N


@dataclass(frozen=True, eq=False, slots=True)
class Events:
    """What was seen, in the order of time: when, of whom (codes of the columns of the key), what, and bits of actions.
    Codes are above 0: an event of nobody, or of nothing, is none."""

    times_E: Ints
    keys_PE: Codes
    ids_E: Codes
    bits_E: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.times_E)

    @classmethod
    def none(cls, columns: int) -> Events:
        return cls(
            np.zeros(0, np.int64), np.zeros((columns, 0), np.int32), np.zeros(0, np.int32), np.zeros(0, np.uint8)
        )

    @classmethod
    def of_rows(cls, rows: Gathered, first: int, keys: Sequence[int], of: int, sequence: int) -> Events:
        """Those among gathered rows from `first` on. `keys` and `of` are places of their columns."""
        bits_N = rows.events(sequence)[first:]
        is_event_N = (bits_N > 0) & (rows.codes(of)[first:] > 0)
        for column in keys:
            is_event_N &= rows.codes(column)[first:] > 0
        return cls(
            np.asarray(rows.times_N[first:])[is_event_N],
            np.stack([rows.codes(column)[first:][is_event_N] for column in keys]),
            rows.codes(of)[first:][is_event_N],
            bits_N[is_event_N],
        )

    def then(self, later: Events) -> Events:
        """With events that are none of them earlier."""
        return Events(
            np.concatenate([self.times_E, later.times_E]),
            np.concatenate([self.keys_PE, later.keys_PE], axis=1),
            np.concatenate([self.ids_E, later.ids_E]),
            np.concatenate([self.bits_E, later.bits_E]),
        )

    def take(self, which: NDArray[np.generic]) -> Events:
        """Some of them, by place or by flag."""
        return Events(self.times_E[which], self.keys_PE[:, which], self.ids_E[which], self.bits_E[which])

    def recoded(self, keys_PE: Codes, ids_E: Codes) -> Events:
        return replace(self, keys_PE=keys_PE, ids_E=ids_E)

    def left(self, most: int, delay: float, last: int) -> Events:
        """What rows later than `last` may still see: of each key the last ones that all of them see, and those that the
        delay held back from it."""
        known_E = self.times_E // MS < last // MS - delay_ms(delay)
        key_E = key_codes(list(self.keys_PE))
        order = np.argsort(key_E[known_E], kind="stable")
        key_of = key_E[known_E][order]
        ends = np.searchsorted(key_of, key_of, "right")
        kept = np.ones(len(self), bool)
        kept[np.flatnonzero(known_E)[order]] = np.arange(len(key_of)) >= ends - most
        return self.take(kept)


@dataclass(frozen=True, eq=False, slots=True)
class Listed:
    """The list of row n is events[stop_N[n] - count_N[n] : stop_N[n]], the latest event last."""

    events: Events
    stop_N: Ints
    count_N: Codes


def listed(events: Events, keys_PN: Sequence[Codes], times_N: Ints, most: int, delay: float) -> Listed:
    """The last `most` events of each row's key that are earlier than the row less `delay` seconds, both in whole
    milliseconds; none where the key is missing. Events of one time keep their order. Codes are those of the events.
    """
    both = key_codes([np.concatenate(pair) for pair in zip(events.keys_PE, keys_PN, strict=True)])
    key_E, key_N = both[: len(events)].astype(np.int64), both[len(events) :]
    order_E = np.argsort(key_E, kind="stable")
    stop_N, count_N = np.zeros(len(times_N), np.int64), np.zeros(len(times_N), np.int32)
    if not len(events) or not len(times_N):
        return Listed(events.take(order_E), stop_N, count_N)
    first = min(int(events.times_E[0]), int(times_N[0])) // MS
    last = max(int(events.times_E[-1]), int(times_N[-1])) // MS
    held = delay_ms(delay)
    far = last - first + held + 2  # no row reaches the events of another key
    place_E = (key_E * far + (events.times_E // MS - first))[order_E]
    order_N = np.argsort(key_N, kind="stable")  # neighbours look for neighbours
    for part in range(0, len(order_N), _AT_ONCE):
        some = order_N[part : part + _AT_ONCE]
        start_n = key_N[some].astype(np.int64) * far - held
        until_n = np.searchsorted(place_E, start_n + (times_N[some] // MS - first), "left")
        from_n = np.searchsorted(place_E, start_n - 1, "left")
        known_n = key_N[some] > 0
        stop_N[some] = np.where(known_n, until_n, 0)
        count_N[some] = np.where(known_n, np.minimum(until_n - from_n, most), 0)
    return Listed(events.take(order_E), stop_N, count_N)


def delay_ms(delay: float) -> int:
    return round(delay * 1000)
