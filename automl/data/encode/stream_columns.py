"""The columns of a stream but the dense ones, written in one pass over the sorted rows; example ids.

N rows in the order of time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from automl.data.columns.row_hashes import mixed
from automl.data.columns.times import NEVER
from automl.data.columns.vocabulary import Vocabulary
from automl.data.encode.spill import Spill
from automl.data.encode.stream_plan import StreamPlan
from search_spaces.errors import InputError, Mistake

Scalar = TypeVar("Scalar", bound=np.generic)


class StreamColumns:
    """One pass over the sorted rows: all columns but the dense ones; ids are numbered as they appear."""

    def __init__(self, plan: StreamPlan, rows: int) -> None:
        self.rows, self.fields, self.tasks = rows, len(plan.categorical), len(plan.config.labels)
        self.examples = np.empty(rows, np.int64)
        self.counts = [np.zeros(1, np.int64) for _ in plan.categorical]  # by code of the reader's numbering
        self.numbers = [np.zeros(1, np.int32) for _ in plan.categorical]  # id of each code, 0 if not seen yet
        self.defined, self.positives, self.never = (np.zeros(self.tasks, np.int64) for _ in range(3))

    def blocks(self, spill: Spill) -> Iterator[dict[str, NDArray[np.generic]]]:
        """Columns of sorted rows, to be gone through once."""
        done = 0
        for rows in spill.sorted():
            self.examples[done : done + len(rows)] = rows["example"]
            done += len(rows)
            known = ~np.isnan(rows["labels"])
            self.defined += known.sum(0)
            self.positives += (rows["labels"] == 1).sum(0)
            self.never += (known & (rows["arrivals"] == NEVER)).sum(0)
            yield {
                "ids": np.stack([self._numbered(k, rows["ids"][:, k]) for k in range(self.fields)], 1),
                "labels": rows["labels"],
                "arrivals": rows["arrivals"],
                "times": rows["time"],
                "clusters": rows["cluster"],
            }

    def _numbered(self, k: int, codes: NDArray[np.int32]) -> NDArray[np.int32]:
        size = max(len(self.counts[k]), int(codes.max(initial=0)) + 1)
        counts, numbers = _grown(self.counts[k], size), _grown(self.numbers[k], size)
        distinct, first, times = np.unique(codes, return_index=True, return_counts=True)
        new = (distinct > 0) & (numbers[distinct] == 0)
        order = np.argsort(first[new])
        numbers[distinct[new][order]] = int(numbers.max()) + 1 + np.arange(len(order))
        counts[distinct] += times
        self.counts[k], self.numbers[k] = counts, numbers
        return np.asarray(numbers[codes])

    def vocabularies(self, values: Sequence[pa.Array]) -> list[Vocabulary]:
        """Values by their ids, with how often they are in the stream; `values` by the codes of the reader."""
        found = []
        for of_column, counts, numbers in zip(values, self.counts, self.numbers, strict=False):
            seen = np.flatnonzero(numbers)
            codes = seen[np.argsort(numbers[seen])]
            found.append(Vocabulary(of_column.take(pa.array(codes - 1)), counts[codes], numbers))
        return found

    def raise_mistakes(self, plan: StreamPlan) -> None:
        mistakes = [
            Mistake(
                plan.at("labels", name, "column"),
                f"{name} must hold both classes",
                f"{int(positive)} positive in {int(defined)} rows where it is defined",
                "NE is not defined for one class",
            )
            for name, positive, defined in zip(plan.config.labels, self.positives, self.defined, strict=True)
            if not 0 < positive < defined
        ]
        if mistakes:
            raise InputError(mistakes)


def _grown(array: NDArray[Scalar], size: int) -> NDArray[Scalar]:
    return array if len(array) >= size else np.concatenate([array, np.zeros(size - len(array), array.dtype)])


def unique_examples(hashes_N: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    """One number a row: its hash, mixed with its ordinal where an earlier row has the same; and how many had."""
    examples, again = hashes_N.copy(), -1
    while True:
        order = np.argsort(examples, kind="stable")
        ranked = examples[order]
        starts = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]]))
        lengths = np.diff(np.append(starts, len(ranked)))
        ordinals = np.empty(len(ranked), np.int64)
        ordinals[order] = np.arange(len(ranked)) - np.repeat(starts, lengths)
        repeated = ordinals > 0
        again = int(repeated.sum()) if again < 0 else again
        if not repeated.any():
            return examples, again
        both = mixed(examples[repeated].view(np.uint64), ordinals[repeated].view(np.uint64))
        examples[repeated] = (both >> np.uint64(1)).view(np.int64)
