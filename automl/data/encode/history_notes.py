"""What the windows hold of a sequence, counted while the rows are written, and what a person should know of it.

n rows, E events of these rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from automl.data.columns.vocabulary import Codes, Vocabulary
from automl.data.store.told import Feature, Note
from automl.data.tables.sources import LOG, SequenceSource
from automl.data.tables.windows import WINDOWS

_MUCH_EMPTY = 0.5  # more, or less, of the rows than in train
_LONGER = 2.0  # or shorter, times
_SHORT = 0.5  # events: means below are not compared
_OLDER = 2.0  # times
_DAY_NS = 86_400 * 10**9
_YEAR_NS = 365.25 * _DAY_NS
_YEARS = 20
_NEARLY_ALL = 0.9  # of the ids are unknown
_KNOWN_IN_TRAIN = 0.5  # and in train not so
_OWN_ID = 0.2  # of the lists end in the row's own id
_CHANCE = 10.0  # times as many as by chance
_ENOUGH = 100  # rows


class HistoryCounts:
    """Lengths, empty lists and unknown ids of a sequence, by window; `lengths` (1 + actions, max_len + 1) over the fit
    windows: how many rows have so many events, of all actions and of each."""

    def __init__(
        self, sequence: SequenceSource, actions: Sequence[str], vocabulary: Vocabulary, fits: set[int]
    ) -> None:
        self.sequence, self.actions, self._fits = sequence, tuple(actions), fits
        self.lengths = np.zeros((1 + len(actions), sequence.most + 1), np.int64)
        self._vocabulary = vocabulary
        self._rows, self._empty, self._events, self._unknown = (np.zeros(len(WINDOWS), np.int64) for _ in range(4))
        self._squares, self._ages = np.zeros(len(WINDOWS)), np.zeros(len(WINDOWS))
        self._ends, self._own = 0, 0  # rows of train whose list ends in a known id, and in their own one
        self._last = np.zeros(len(vocabulary.values) + 1, np.int64)

    def add(
        self, window: int, count_n: NDArray[np.int32], ids_E: Codes, bits_E: NDArray[np.uint8] | None, own_n: Codes
    ) -> None:
        """Rows of one window: their lists, and their own ids."""
        self._rows[window] += len(count_n)
        self._empty[window] += int((count_n == 0).sum())
        self._events[window] += len(ids_E)
        self._squares[window] += float((count_n.astype(np.float64) ** 2).sum())
        buckets = self._vocabulary.buckets
        self._unknown[window] += int((ids_E <= buckets).sum())
        if window in self._fits:
            self._count_lengths(count_n, bits_E)
        if window == 0 and self._may_hold_itself:
            some_n = count_n > 0
            last_n = ids_E[np.cumsum(count_n, dtype=np.int64)[some_n] - 1]
            known_n = last_n > buckets
            self._ends += int(known_n.sum())
            self._own += int((known_n & (last_n == own_n[some_n])).sum())
            np.add.at(self._last, np.where(known_n, last_n - buckets, 0), 1)

    def add_ages(self, window: int, ages_n: NDArray[np.int64]) -> None:
        """How much older (nanoseconds) the latest event of each list is than its row; empty lists have none."""
        self._ages[window] += float(ages_n.astype(np.float64).sum())

    def feature(self) -> Feature:
        rows, events = np.maximum(self._rows, 1), np.maximum(self._events, 1)
        mean = self._events / rows
        spread = np.sqrt(np.maximum(self._squares / rows - mean**2, 0.0))
        return Feature(
            self.sequence.name,
            "sequence",
            missing=_by_window(self._empty / rows),
            unknown=_by_window(self._unknown / events),
            mean=dict(_by_window(mean)),
            spread=dict(_by_window(spread)),
        )

    def notes(self, late: int) -> list[Note]:
        """`late` rows had events that are not earlier."""
        at = ("features", "sequence", self.sequence.name)
        name = self.sequence.name
        notes = [Note(f"{name} {words}", "drift", at) for words in self._drift()]
        if not self._events[list(self._fits)].sum():
            notes.append(Note(f"{name} has no event in the fit windows", "feature", at))
        notes += [Note(f"{name}{words}", "feature", at) for words in self._odd()]
        if late:
            words = f"{name} holds events that are not earlier than the row in {late} rows: they are left out"
            notes.append(Note(words, "feature", at))
        if self._ends >= _ENOUGH:
            share, chance = self._own / self._ends, self._chance()
            if share > _OWN_ID and share > _CHANCE * chance:
                of = self.sequence.of.column
                words = (
                    f"{name} ends in the row's own {of} in {share:.0%} of the lists of train, {chance:.2%} by chance: "
                    "is the row itself in its list? With `times` only earlier events are kept"
                )
                notes.append(Note(words, "leak", at))
        return notes

    @property
    def _may_hold_itself(self) -> bool:
        """Without times, in a column of the log itself."""
        ids = self.sequence.ids
        return ids is not None and ids.table == LOG and self.sequence.times is None

    def _chance(self) -> float:
        """That the last id of a list is the row's own one, if the two had nothing to do with each other."""
        counts = self._vocabulary.counts
        own = counts / max(int(counts.sum()), 1)
        return float((self._last[1:] * own).sum() / max(self._ends, 1))

    def _count_lengths(self, count_n: NDArray[np.int32], bits_E: NDArray[np.uint8] | None) -> None:
        most = self.sequence.most
        self.lengths[0] += np.bincount(count_n, minlength=most + 1)
        if bits_E is None:
            return
        row_E = np.repeat(np.arange(len(count_n)), count_n)
        for k in range(len(self.actions)):
            of_row = np.bincount(row_E[(bits_E >> np.uint8(k)) & np.uint8(1) == 1], minlength=len(count_n))
            self.lengths[1 + k] += np.bincount(of_row, minlength=most + 1)

    def _odd(self) -> Iterator[str]:
        """What train itself tells: ids of another kind, times that are none."""
        listed, lists = int(self._events[0]), int(self._rows[0] - self._empty[0])
        if listed and self._unknown[0] > _NEARLY_ALL * listed:
            of, share = self.sequence.of.column, self._unknown[0] / listed
            yield f": {share:.0%} of the ids listed in train are unknown. Are they those of {of}?"
        years = self._ages[0] / max(lists, 1) / _YEAR_NS
        if years > _YEARS:
            yield f": its latest events are {years:.0f} years older than the rows of train. Are these their times?"

    def _drift(self) -> Iterator[str]:
        found = self.feature()
        ages = _by_window(self._ages / np.maximum(self._rows - self._empty, 1))
        for name in WINDOWS[1:]:
            empty, usually = found.missing[name], found.missing["train"]
            length, usual = found.mean[name] or 0.0, found.mean["train"] or 0.0
            if abs(empty - usually) > _MUCH_EMPTY:
                yield f"is empty in {empty:.0%} of the {name} rows, in {usually:.0%} of train"
            elif max(length, usual) > _SHORT and not usual / _LONGER <= length <= usual * _LONGER:
                yield f"has {length:.1f} events a row in {name}, {usual:.1f} in train"
            old, before = ages[name], ages["train"]
            if self.sequence.ids is not None and old > _DAY_NS and old > _OLDER * before > 0:
                days = f"{old / _DAY_NS:.1f} days old in {name}, {before / _DAY_NS:.1f} in train"
                yield f"gets old: its latest events are {days}. Is its table brought up to date?"
            if found.unknown[name] > _NEARLY_ALL and found.unknown["train"] <= _KNOWN_IN_TRAIN:
                yield f"holds ids that train does not know: {found.unknown[name]:.0%} of those listed in {name}"


def _by_window(values: NDArray[np.floating]) -> dict[str, float]:
    return dict(zip(WINDOWS, values.tolist(), strict=True))
