"""Aggregates that know the future, and the row itself.

A feature that is one value for all rows of a key may know how often the key is positive, from earlier rows: then the
rows of the key, each with luck of its own, agree with each other beyond it or are independent. It cannot know the luck
of rows that come later. Where it does, as a rate over all rows does, the rows of the key must make up for each other:
given the rate, more positives in one half leave fewer for the other half. So the labels of a key are dealt out to two
halves, and their correlation given the feature must not be negative. The same holds within the days of a key.

A counter that counts its own row steps up where the row is positive: the step within the key tells the label.

Shapes: N rows, K keys (or days of keys), S steps within them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from automl.data.leaks.evidence import told_by
from automl.data.leaks.sample import Column, Flags, Floats, Ints, Key, Sample
from automl.data.leaks.words import share
from automl.data.store.told import Note

_STILL = 0.8  # of the rows of a key have the value of the row before, where it is a value of the key
_KEYS = 200  # at least, to speak of their luck
_AGAINST = -0.1
_SURE = 6.0  # deviations
_UNRELATED = -0.05  # halves that go against each other without the feature: one positive a session, say
_BINS = 20  # of the feature, among keys with as many rows
_STEP = 0.3  # of the label's entropy
_MOVES = 0.05  # of the rows of a key have another number than the row before, at least
_STEPS = 1 << 16  # are looked at, at most
_FEW, _MANY = 3, 2000  # different values, of a feature; of a categorical one

_DO = "leave it out, or make it of earlier rows (features.counters)"


@dataclass(frozen=True, slots=True)
class Group:
    """Rows that go together: a key's, or a key's within a day.

    after_S, before_S: rows and the row before each, some of them where there are many. Of the groups that have at
    least two rows: the first row, how many, and the rate of positives in both halves; the rows go to the halves by
    turns.
    """

    key: str
    daily: bool
    after_S: Ints
    before_S: Ints
    first_K: Ints
    size_K: Ints
    one_K: Floats
    other_K: Floats


def groups_of(sample: Sample) -> list[tuple[Group, ...]]:
    """Of each key the groups of its rows: whole, and by day where the log has a time."""
    return [tuple(_groups(key, sample.positive_N, sample.days_N)) for key in sample.keys]


def _groups(key: Key, positive_N: Flags, days_N: Ints | None) -> Iterator[Group]:
    order = key.order
    same = key.codes_N[order[1:]] == key.codes_N[order[:-1]]
    yield _group(key.name, order, same, positive_N, daily=False)
    if days_N is not None:
        yield _group(key.name, order, same & (days_N[order[1:]] == days_N[order[:-1]]), positive_N, daily=True)


def _group(key: str, order: Ints, same: Flags, positive_N: Flags, *, daily: bool) -> Group:
    """Groups of neighbours in `order`; `same` says of each row but the first whether it goes with the row before."""
    starts = np.flatnonzero(np.append(np.ones(min(1, len(order)), bool), ~same))
    sizes = np.diff(np.append(starts, len(order)))
    turn = (np.arange(len(order)) - np.repeat(starts, sizes)) % 2 == 0
    labels = positive_N[order]
    kept = sizes >= 2
    one, other = (
        np.add.reduceat((labels & half).astype(np.float64), starts) if len(order) else np.empty(0)
        for half in (turn, ~turn)
    )
    half = sizes[kept] // 2
    steps = np.flatnonzero(same)
    steps = steps[:: 1 + len(steps) // _STEPS]
    return Group(
        key, daily, order[1:][steps], order[:-1][steps], order[starts[kept]], sizes[kept],
        one[kept] / (sizes[kept] - half), other[kept] / half,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Found:
    rank: tuple[float, bool, float]  # how surely it is a value of the key, whole keys before their days, how strong
    text: str


def future_leak(column: Column, groups: Sequence[tuple[Group, ...]], positive_N: Flags) -> Note | None:
    """What a feature knows of rows that were still to come, or of its own; None where nothing shows it."""
    values_N, distinct = _values(column)
    if distinct < _FEW or (column.kind == "categorical" and distinct > _MANY):
        return None
    found: list[_Found] = []
    for of_key in groups:
        if of_key[0].key != column.name:
            found += _against(column, values_N, of_key, positive_N)
    if not found:
        return None
    return Note(f"{column.name} {max(found, key=lambda one: one.rank).text}", "leak", column.at)


def _values(column: Column) -> tuple[Floats, int]:
    """Values as numbers, NaN where missing; and about how many there are."""
    if column.kind == "categorical":
        codes = column.codes
        return np.where(codes > 0, codes, np.nan), int(np.count_nonzero(np.bincount(codes)[1:]))
    numbers = column.numbers
    some = numbers[:: max(1, len(numbers) // 4096)]
    return numbers, len(np.unique(some[~np.isnan(some)]))


def _against(column: Column, values_N: Floats, of_key: tuple[Group, ...], positive_N: Flags) -> Iterator[_Found]:
    moves = True
    for group in of_key:
        if len(group.first_K) >= _KEYS:
            still = float((values_N[group.after_S] == values_N[group.before_S]).mean())
            if still >= _STILL:
                moves = False
                yield from _later_rows(values_N, group, still, exact=column.kind == "categorical")
    if moves and column.kind == "dense" and len(of_key[0].first_K) >= _KEYS:
        yield from _own_row(values_N, of_key[0], positive_N)


def _later_rows(values_N: Floats, group: Group, still: float, *, exact: bool) -> Iterator[_Found]:
    at_first = values_N[group.first_K]
    known = ~np.isnan(at_first)
    if known.sum() < _KEYS:
        return
    sizes = _size_bins(group.size_K[known])
    one, other = group.one_K[known], group.other_K[known]
    alone, _ = _within(one, other, sizes)
    given, freedom = _within(one, other, _cells(at_first[known], sizes, exact=exact))
    if alone < _UNRELATED or given > min(alone, 0.0) + _AGAINST or -given * np.sqrt(max(freedom, 1)) < _SURE:
        return
    of = f"{group.key} and day" if group.daily else group.key
    text = (
        f"knows labels of later rows: it is one value for each {of}, and once it is known, two halves of the labels of "
        f"one {of} go against each other (correlation {given:+.2f}; {alone:+.2f} without it; {known.sum():,} of them), "
        f"as under a rate that both went into: {_DO}"
    )
    yield _Found((still, not group.daily, -given), text)


def _size_bins(size_K: Ints) -> Ints:
    """Groups by their number of rows: each number its own up to 8, then by eighths of an octave."""
    return np.where(size_K <= 8, size_K, 8 + np.ceil(8 * np.log2(size_K / 8)).astype(np.int64))


def _cells(value_K: Floats, sizes_K: Ints, *, exact: bool) -> Ints:
    """Groups of one size bin whose feature is equal; or alike, by rank, equal values together."""
    order = np.lexsort((value_K, sizes_K))
    size, value = sizes_K[order], value_K[order]
    starts = np.flatnonzero(np.append(True, size[1:] != size[:-1]))
    counts = np.diff(np.append(starts, len(order)))
    new = np.append(True, (value[1:] != value[:-1]) | (size[1:] != size[:-1]))
    cell = np.empty(len(order), np.int64)
    if exact:
        cell[order] = np.cumsum(new)
        return cell
    first = np.maximum.accumulate(np.where(new, np.arange(len(order)), 0))  # of the groups of that size and value
    rank = first - np.repeat(starts, counts)
    cell[order] = size * (_BINS + 1) + rank * _BINS // np.repeat(counts, counts)
    return cell


def _within(one_K: Floats, other_K: Floats, cell_K: Ints) -> tuple[float, int]:
    """Correlation of two columns within cells, and its degrees of freedom."""
    _, at, counts = np.unique(cell_K, return_inverse=True, return_counts=True)
    at = at.ravel()
    a, b = (x - (np.bincount(at, x) / counts)[at] for x in (one_K, other_K))
    spread = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return (float((a * b).sum()) / spread if spread > 0 else 0.0), len(one_K) - len(counts)


def _own_row(numbers_N: Floats, group: Group, positive_N: Flags) -> Iterator[_Found]:
    """Whether the step from the row before, within a key, is up or down as the label is."""
    step_S = numbers_N[group.after_S] - numbers_N[group.before_S]
    moved = np.flatnonzero(~np.isnan(step_S) & (step_S != 0))
    rises_S, positive_S = step_S[moved] > 0, positive_N[group.after_S[moved]]
    if len(moved) < max(_KEYS, _MOVES * len(step_S)) or not 0 < positive_S.sum() < len(positive_S):
        return
    rows = np.bincount(rises_S, minlength=2).astype(np.float64)
    hits = np.bincount(rises_S, positive_S, 2).astype(np.float64)
    told = told_by(rows, hits)
    if told < _STEP:
        return
    falls, rises = (share(float(rate)) for rate in hits / np.maximum(rows, 1))
    text = (
        f"knows the label of its own row: from one row of a {group.key} to the next it rises where {rises} are "
        f"positive and falls where {falls} are: {_DO}"
    )
    yield _Found((0.0, True, told), text)
