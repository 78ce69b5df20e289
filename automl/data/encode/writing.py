"""Sorted rows on their way to disk: ids by their frequency, dense values standardised, counted by window as they pass.

Shapes: n rows of one window, F id fields, D dense features (as with_dense has them).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from automl.data.columns.vocabulary import Vocabulary
from automl.data.encode.drift import Drift
from automl.data.encode.spill import Rows, near
from automl.files.passed import Passed


@dataclass(frozen=True, slots=True)
class Part:
    """Sorted rows of a window with what models read of them: ids by their frequency, dense columns and counters
    standardised."""

    window: int
    rows: Rows
    ids_nF: NDArray[np.int32]
    dense_nD: NDArray[np.float32]


def watched(
    parts: Iterable[tuple[Rows, NDArray[np.float32], NDArray[np.bool_]]],
    vocabularies: Sequence[Vocabulary],
    window_rows: NDArray[np.int64],
    drift: Drift,
) -> Iterator[Part]:
    """The parts as they are written, each of one window, counted as they pass."""
    ends, done = np.cumsum(window_rows), 0
    buckets = np.array([vocabulary.buckets for vocabulary in vocabularies], np.int32)
    for rows, dense, given in parts:
        codes = rows["ids"][:, : len(vocabularies)]
        ids = codes.copy()
        for here in near(len(ids)):
            part = ids[here]
            for k, vocabulary in enumerate(vocabularies):
                part[:, k] = vocabulary.recode[part[:, k]]
        window = int(np.searchsorted(ends, done, side="right"))
        drift.add(window, codes > 0, ids > buckets, dense, given)
        done += len(rows)
        yield Part(window, rows, ids, dense)


def told_rows(
    blocks: Iterable[dict[str, NDArray[np.generic]]], rows: int, passed: Passed
) -> Iterator[dict[str, NDArray[np.generic]]]:
    """The blocks, told as they pass."""
    done = 0
    for block in blocks:
        yield block
        done += len(next(iter(block.values())))
        passed("rows written", done, rows)


def blocks(
    parts: Iterable[Part], timed: bool, lists: Callable[[Part], Mapping[str, NDArray[np.generic]]]
) -> Iterator[dict[str, NDArray[np.generic]]]:
    """Columns of sorted rows; `lists` gives those of their lists."""
    for part in parts:
        yield {
            "ids": part.ids_nF,
            "dense": part.dense_nD,
            "labels": part.rows["label"],
            "weights": part.rows["weight"],
            "clusters": part.rows["cluster"],
            **({"times": part.rows["time"]} if timed else {}),
            **lists(part),
        }
