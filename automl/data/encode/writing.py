"""Sorted rows on their way to disk: ids by their frequency, dense values standardised, counted by window as they pass.

Shapes: n rows of one window, F id fields, D dense features (the counters last), C counters, N rows of the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from automl.data.columns.vocabulary import Vocabulary
from automl.data.encode.drift import Drift
from automl.data.encode.spill import Rows


@dataclass(frozen=True, slots=True)
class Part:
    """Sorted rows with what models read of them: ids by their frequency, dense columns and counters standardised."""

    rows: Rows
    ids_nF: NDArray[np.int32]
    dense_nD: NDArray[np.float32]


def watched(
    parts: Iterable[tuple[Rows, NDArray[np.float32]]],
    vocabularies: Sequence[Vocabulary],
    counters_CN: NDArray[np.float32],
    window_rows: NDArray[np.int64],
    drift: Drift,
) -> Iterator[Part]:
    """The parts as they are written, each of one window, counted as they pass."""
    ends, done = np.cumsum(window_rows), 0
    for rows, dense in parts:
        codes = rows["ids"][:, : len(vocabularies)]
        ids = codes.copy()
        for k, vocabulary in enumerate(vocabularies):
            ids[:, k] = vocabulary.recode[ids[:, k]]
        span = slice(done, done + len(rows))
        given = ~np.isnan(np.concatenate([rows["dense"], counters_CN[:, span].T], 1))
        drift.add(int(np.searchsorted(ends, done, side="right")), codes > 0, ids > 0, dense, given)
        done = span.stop
        yield Part(rows, ids, dense)


def blocks(parts: Iterable[Part], timed: bool) -> Iterator[dict[str, NDArray[np.generic]]]:
    """Columns of sorted rows."""
    for part in parts:
        yield {
            "ids": part.ids_nF,
            "dense": part.dense_nD,
            "labels": part.rows["label"],
            "weights": part.rows["weight"],
            "clusters": part.rows["cluster"],
            **({"times": part.rows["time"]} if timed else {}),
        }
