"""The order in which a window is trained: chunks that are copied once, batches as slices of a chunk.

A chunk is made of whole blocks of neighbouring rows, so that a log much larger than memory is read block by block.
Shuffling permutes the blocks, and then the rows of a chunk; a window of one chunk is therefore permuted as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from automl.ranking.distill import Lesson
from automl.ranking.examples import Examples
from automl.ranking.features import Features, read
from automl.ranking.place import put

BLOCK_ROWS = 4096
CHUNK_BLOCKS = 64


@dataclass(frozen=True, slots=True)
class Chunk:
    """C examples in the order of training; `weights_C` is None where all are 1, `lesson` where no teacher is heard."""

    features: Features
    labels_C: Tensor
    weights_C: Tensor | None
    lesson: Lesson | None = None

    @property
    def rows(self) -> int:
        return len(self.labels_C)


def chunks(
    log: Examples, rows: slice, *, shuffled: bool, rng: np.random.Generator, taught: bool = False
) -> Iterator[Chunk]:
    """One pass over a window; `taught`: with what the log's teacher says."""
    for chosen in chunk_rows(rows, shuffled=shuffled, rng=rng):
        weights_C = log.weights_N[chosen]
        yield Chunk(
            features=read(log, chosen),
            labels_C=put(log.labels_N[chosen]),
            weights_C=None if (weights_C == 1).all() else put(weights_C),
            lesson=_lesson(log, chosen) if taught else None,
        )


def _lesson(log: Examples, chosen: NDArray[np.int64]) -> Lesson:
    if log.teacher_NT is None or log.ages_N is None:
        raise ValueError("a model with distill must be trained on a log with a teacher")
    return Lesson(put(log.teacher_NT[chosen]), put(log.ages_N[chosen]))


def chunk_rows(rows: slice, *, shuffled: bool, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Row numbers of one pass, a chunk at a time."""
    starts = np.arange(rows.start, rows.stop, BLOCK_ROWS)
    if shuffled:
        starts = rng.permutation(starts)
    for first, last in pairwise(even_bounds(len(starts), CHUNK_BLOCKS)):
        blocks = [np.arange(start, min(start + BLOCK_ROWS, rows.stop)) for start in starts[first:last]]
        chosen = np.concatenate(blocks)
        yield rng.permutation(chosen) if shuffled else chosen


def even_bounds(count: int, most: int) -> list[int]:
    """Bounds of the fewest parts of at most `most` each; sizes differ by at most one, so no stub is left at the end."""
    parts = -(-count // most)
    return [count * part // parts for part in range(parts + 1)] if parts else []
