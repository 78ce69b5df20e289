"""What is counted over the sorted rows of a log, and whether its windows can be trained on and scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from automl.data.columns.moments import Moments
from automl.data.columns.numbers import transformed
from automl.data.columns.times import days_of
from automl.data.encode.plan import Plan
from automl.data.encode.scan import Scan
from automl.data.encode.spill import Rows
from automl.data.tables.windows import WINDOWS
from search_spaces.errors import InputError, Mistake


@dataclass
class Tally:
    """What is counted over the sorted rows: windows, labels, and over the fit windows ids and dense moments."""

    vocabulary_sizes: Sequence[int]
    log: Sequence[bool]
    vector_width: int
    rows: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(WINDOWS), np.int64))
    positives: NDArray[np.float64] = field(default_factory=lambda: np.zeros(len(WINDOWS)))
    weights: NDArray[np.float64] = field(default_factory=lambda: np.zeros(len(WINDOWS)))
    ones: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(WINDOWS), np.int64))  # rows, of any weight

    def __post_init__(self) -> None:
        self.listed_events: NDArray[np.int64] = np.zeros(0, np.int64)  # of each sequence that stands in the tables
        self.id_counts = [np.zeros(size + 1, np.int64) for size in self.vocabulary_sizes]
        self.moments, self.vectors = Moments(len(self.log)), Moments(self.vector_width)

    def add(self, rows: Rows, window: int, fit: bool) -> None:
        weight = rows["weight"].astype(np.float64)
        self.rows[window] += len(rows)
        self.weights[window] += weight.sum()
        self.ones[window] += int(rows["label"].sum())
        if "count" in (rows.dtype.names or ()):
            events = rows["count"].sum(0, dtype=np.int64)
            self.listed_events = events + (self.listed_events if len(self.listed_events) else 0)
        self.positives[window] += (weight * rows["label"]).sum()
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
        label = plan.config.label.column
        for name, rows, ones, weight, positive in zip(
            WINDOWS, self.rows, self.ones, self.weights, self.positives, strict=True
        ):
            at = plan.at("split", "random" if plan.config.split.random else name)
            if not rows:
                mistakes.append(Mistake(at, f"the {name} window must hold examples", "none", span_words(plan, first)))
            elif 0 < ones < rows and not 0 < positive < weight:
                lost = "positive" if positive == 0 else "negative"
                count = ones if positive == 0 else rows - ones
                must = f"the {name} window must hold both classes of {label} with a weight above 0"
                mistakes.append(Mistake(at, must, f"weights of 0 in all {count} {lost} rows"))
            elif not 0 < positive < weight:
                only = 0 if positive == 0 else 1
                must = f"the {name} window must hold both classes of {label}"
                mistakes.append(Mistake(at, must, f"only {only} in {rows} rows", "NE is not defined for one class"))
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
