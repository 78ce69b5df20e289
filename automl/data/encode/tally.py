"""What is counted over the sorted rows of a log, and whether its windows can be trained on and scored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl.data.columns.moments import Moments
from automl.data.columns.numbers import transformed
from automl.data.columns.times import days_of
from automl.data.encode.plan import Plan
from automl.data.encode.scan import Scan
from automl.data.encode.spill import Rows, labels_of
from automl.data.tables.windows import WINDOWS
from search_spaces.errors import InputError, Mistake, Position


def _none(kind: type[np.generic]) -> Callable[[], NDArray[Any]]:
    return lambda: np.zeros(len(WINDOWS), kind)


@dataclass
class Labels:
    """Of one label, by window: the rows in which it is defined, those that are positive, of any weight; and weights."""

    rows: NDArray[np.int64] = field(default_factory=_none(np.int64))
    ones: NDArray[np.int64] = field(default_factory=_none(np.int64))
    positives: NDArray[np.float64] = field(default_factory=_none(np.float64))
    weights: NDArray[np.float64] = field(default_factory=_none(np.float64))

    def add(self, labels: NDArray[np.float32], weight: NDArray[np.float64], window: int) -> None:
        known = ~np.isnan(labels)
        if not known.all():
            labels, weight = labels[known], weight[known]
        self.rows[window] += len(labels)
        self.ones[window] += int(labels.sum())
        self.positives[window] += (weight * labels).sum()
        self.weights[window] += weight.sum()

    @property
    def base_rates(self) -> dict[str, float]:
        """By window."""
        return dict(zip(WINDOWS, (self.positives / self.weights).tolist(), strict=True))

    def mistake(self, at: Position, name: str, label: str, window: int) -> Mistake | None:
        """Why a window has no NE, where it has none."""
        rows, ones = int(self.rows[window]), int(self.ones[window])
        positive, weight = self.positives[window], self.weights[window]
        if 0 < positive < weight:
            return None
        must = f"the {name} window must hold both classes of {label}"
        if 0 < ones < rows:
            lost, count = ("positive", ones) if positive == 0 else ("negative", rows - ones)
            return Mistake(at, f"{must} with a weight above 0", f"weights of 0 in all {count} {lost} rows")
        only = 0 if positive == 0 else 1
        found = f"only {only} in {rows} rows" if rows else "no row where it is given"
        return Mistake(at, must, found, "NE is not defined for one class")


@dataclass
class Tally:
    """What is counted over the sorted rows: windows, labels, and over the fit windows ids and dense moments."""

    vocabulary_sizes: Sequence[int]
    log: Sequence[bool]
    vector_width: int
    tasks: int = 1
    rows: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(WINDOWS), np.int64))

    def __post_init__(self) -> None:
        self.listed_events: NDArray[np.int64] = np.zeros(0, np.int64)  # of each sequence that stands in the tables
        self.id_counts = [np.zeros(size + 1, np.int64) for size in self.vocabulary_sizes]
        self.labels = [Labels() for _ in range(self.tasks)]
        self.moments, self.vectors = Moments(len(self.log)), Moments(self.vector_width)

    def add(self, rows: Rows, window: int, fit: bool) -> None:
        weight = rows["weight"].astype(np.float64)
        self.rows[window] += len(rows)
        for tally, labels in zip(self.labels, labels_of(rows).T, strict=True):
            tally.add(labels, weight, window)
        if "count" in (rows.dtype.names or ()):
            events = rows["count"].sum(0, dtype=np.int64)
            self.listed_events = events + (self.listed_events if len(self.listed_events) else 0)
        if not fit:
            return
        for k, counts in enumerate(self.id_counts):
            _count(counts, rows["ids"][:, k])
        for k, log in enumerate(self.log):
            self.moments.add(k, transformed(rows["dense"][:, k], log))
        if self.vector_width:
            self.vectors.add_all(rows["vectors"].astype(np.float64))

    def raise_mistakes(self, plan: Plan, first: Scan) -> None:
        if not self.rows.any():
            found = Mistake(plan.at("split"), "the windows must hold examples", "none", span_words(plan, first))
            raise InputError([found])
        mistakes = []
        for window, name in enumerate(WINDOWS):
            at = plan.at("split", "random" if plan.config.split.random else name)
            if not self.rows[window]:
                mistakes.append(Mistake(at, f"the {name} window must hold examples", "none", span_words(plan, first)))
                continue
            told = zip(plan.config.tasks, self.labels, strict=True)
            mistakes += [wrong for label, of in told if (wrong := of.mistake(at, name, label.column, window))]
        if mistakes:
            raise InputError(mistakes)


def span_words(plan: Plan, first: Scan) -> str:
    """What the log spans, as its time was read."""
    if first.span is None or plan.config.time is None:
        return ""
    days = [days_of(time, time, plan.timezone)[0] for time in first.span]
    unit = f", {plan.config.time.column} in {first.unit}" if first.unit else ""
    return f"the log spans {days[0]} to {days[1]}{unit}, in {plan.timezone}"


def _count(counts: NDArray[np.int64], codes: NDArray[np.int32]) -> None:
    """Add how often each code is there; by sorting where the vocabulary is much longer than the bucket."""
    if len(counts) <= 8 * len(codes):
        counts += np.bincount(codes, minlength=len(counts))
    else:
        seen, times = np.unique(codes, return_counts=True)
        counts[seen] += times
