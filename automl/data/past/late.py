"""Labels that come after their rows: of rows that were counted, each label once. What is kept of a log tells.

A label that may still come arrives at the last boundary or later, and all labels that do are in the tail of a state: so
one that was counted is found there. Rows that have no such label yet are there too, while it may come (still_told);
where a column says when labels arrive, or to which rows they are given, that is only sure of rows that are held anyway,
and of older ones the keys must have been counted.

N late rows, T rows of the tail, K key columns, L labels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from automl.data.past.counters import key_codes
from automl.data.past.features import PastFeatures
from automl.data.past.rows import TIMELESS, PastRows
from automl.data.past.state import State, reach_ns, still_comes
from search_spaces.errors import Mistake, Position

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
_COUNTED = (
    "rows are known by their time and keys; a key that comes from a side table is what it was when they were counted"
)
_ONCE = "leave out these rows, or the values of this column"


def own_times(rows: PastRows) -> tuple[Ints, Flags]:
    """When rows were, also those of which only labels came, and which these are."""
    alone = rows.times_N < TIMELESS // 2
    return np.where(alone, rows.times_N - TIMELESS, rows.times_N), alone


def late_mistakes(
    what: PastFeatures, state: State, late: PastRows, name: str, tell: Callable[[int], str]
) -> list[Mistake]:
    """What is wrong with labels that come without their rows, whose times are told as TIMELESS + time. `tell` writes a
    time."""
    tail = state.tail
    times_N, _ = own_times(late)
    times_T, alone_T = own_times(tail)
    rows = _alike([np.concatenate([times_T, times_N]), *np.concatenate([tail.codes_KN, late.codes_KN], axis=1)])
    all_held_N = times_N >= _held_since(what, state)
    mistakes: list[Mistake] = []
    for k, label in enumerate(what.labels):
        told_N, told_T = ~np.isnan(late.labels_NL[:, k]), ~np.isnan(tail.labels_NL[:, k])
        if not told_N.any():
            continue
        found = _Found.of(rows, told_T, told_N, ~alone_T)
        there = [tail.arrivals_NL[:, k], late.arrivals_NL[:, k]]
        at_once = _Found.of(_alike([rows, np.concatenate(there)]), told_T, told_N, ~alone_T)
        held_N = np.ones(len(late), bool) if still_comes(label) else all_held_N
        over_N = told_N & held_N & (found.known_N + found.asked_N > found.rows_N)
        again_N = (over_N & (found.known_N > 0)) | (told_N & ~held_N & (at_once.known_N > 0))
        never_N = (over_N & ~again_N) | (told_N & ~held_N & ~again_N & _has_new_key(what, state, late, k))
        of_N = f"of {len(late)} rows"
        if never_N.any():
            must = f"{label.column} must be that of rows that the past has counted"
            told = f"{int(never_N.sum())} {of_N} that it has not, the first of {tell(int(times_N[never_N].min()))}"
            mistakes.append(Mistake(Position(name), must, told, _COUNTED))
        if again_N.any():
            must = f"{label.column} must be counted once"
            told = f"{int(again_N.sum())} {of_N} whose label was, the first of {tell(int(times_N[again_N].min()))}"
            mistakes.append(Mistake(Position(name), must, told, _ONCE))
    return list(dict.fromkeys(mistakes))  # a column may be several labels, each of a delay


@dataclass(frozen=True, eq=False, slots=True)
class _Found:
    """Of each late row: how many rows of the tail are alike, how many labels of such rows it knows, and how many come
    now."""

    rows_N: Ints
    known_N: Ints
    asked_N: Ints

    @classmethod
    def of(cls, alike: Ints, told_T: Flags, told_N: Flags, is_row_T: Flags) -> _Found:
        size = int(alike.max(initial=0)) + 1
        of_tail, of_late = alike[: len(told_T)], alike[len(told_T) :]
        counted = [
            np.bincount(part, minlength=size)[of_late] for part in (of_tail[is_row_T], of_tail[told_T], of_late[told_N])
        ]
        return cls(*counted)


def _alike(columns: Sequence[NDArray[np.integer]]) -> Ints:
    """One number for rows that are equal in all columns."""
    found = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        _, own = np.unique(column, return_inverse=True)
        _, found = np.unique(found * (int(own.max(initial=0)) + 1) + own, return_inverse=True)
    return found


def _held_since(what: PastFeatures, state: State) -> int:
    """From when on the tail holds every row."""
    since = min((sums.edge for sums in state.blocks), default=0)
    return since if what.recent is None or state.last is None else min(since, state.last - reach_ns(what.recent.within))


def _has_new_key(what: PastFeatures, state: State, late: PastRows, label: int) -> Flags:
    """Which rows have a key by which the label counts, but of which nothing was counted."""
    new_N = np.zeros(len(late), bool)
    for block, sums in zip(what.blocks, state.blocks, strict=True):
        if label not in block.labels:
            continue
        for key, own in zip(block.keys, sums.keys, strict=True):
            parts = [
                np.concatenate([known, late.codes_KN[what.columns.index(column)]])
                for known, column in zip(own.codes_PS, key.columns, strict=True)
            ]
            codes = key_codes(parts)
            counted, asked = codes[: len(own.seen_S)], codes[len(own.seen_S) :]
            new_N |= (asked > 0) & ~np.isin(asked, counted)
    return new_N
