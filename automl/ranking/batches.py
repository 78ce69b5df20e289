"""The order in which a window is trained: chunks that are copied once, batches as slices of a chunk.

A chunk is made of whole blocks of neighbouring rows, so that a log much larger than memory is read block by block.
Shuffling permutes the blocks, and then the rows of a chunk; a window of one chunk is therefore permuted as a whole.
B batch, C rows of a chunk, T tasks, H losses of a teacher.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from automl.ranking.examples import Examples
from automl.ranking.features import Features, read
from automl.ranking.place import Device, moved, moved_if_any, put
from automl.ranking.sources import Taken

BLOCK_ROWS = 4096
CHUNK_BLOCKS = 64


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a teacher says of rows: logits (NaN: nothing), and its age in hours when it said so."""

    logits_CT: Tensor
    age_hours_C: Tensor

    def take(self, index: Tensor) -> Lesson:
        """Rows by number: copies."""
        return Lesson(self.logits_CT.index_select(0, index), self.age_hours_C.index_select(0, index))


@dataclass(frozen=True, slots=True)
class Chunk:
    """C examples in the order of training.

    `labels` are (C,) of one label or (C, T) of several; `weights_C` is None where all are 1, `lesson` where no teacher
    is heard. Where an earlier run has begun the chunk, `learnt` of its rows are not learnt again.
    """

    features: Features
    labels: Tensor
    weights_C: Tensor | None = None
    lesson: Lesson | None = None
    learnt: int = 0

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: Tensor) -> Chunk:
        """Rows by number: copies."""
        return Chunk(
            self.features.take(index),
            self.labels.index_select(0, index),
            None if self.weights_C is None else self.weights_C.index_select(0, index),
            None if self.lesson is None else self.lesson.take(index),
        )


@dataclass(frozen=True, slots=True)
class Targets:
    """A lesson as a student takes it, so that a batch of it is a few slices."""

    targets_BH: Tensor  # probabilities that the losses aim at; the adapter's last
    weights_BH: Tensor  # of the losses, over the divisor of `averaged`
    share_B: Tensor | None  # of the label's loss: one over that divisor

    def __getitem__(self, part: slice) -> Targets:
        share_B = None if self.share_B is None else self.share_B[part]
        return Targets(self.targets_BH[part], self.weights_BH[part], share_B)

    def to(self, there: Device) -> Targets:
        """The targets there."""
        return Targets(moved(self.targets_BH, there), moved(self.weights_BH, there), moved_if_any(self.share_B, there))


@dataclass(frozen=True, slots=True)
class Batch:
    """B examples as a model takes them: what each of its sources has read, and what its loss asks for."""

    taken: tuple[Taken, ...]
    labels: Tensor
    weights_B: Tensor | None = None
    targets: Targets | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, part: slice) -> Batch:
        """Neighbouring rows: views."""
        return Batch(
            tuple([taken[part] for taken in self.taken]),
            self.labels[part],
            None if self.weights_B is None else self.weights_B[part],
            None if self.targets is None else self.targets[part],
        )


def chunks(
    log: Examples, rows: slice, *, shuffled: bool, rng: np.random.Generator, taught: bool = False, after: int = 0
) -> Iterator[Chunk]:
    """One pass over a window; `taught`: with what the log's teacher says. Of a pass of which so many rows were learnt
    before, `after`, from the chunk on in which the last of them is; the others are not read."""
    end = 0
    for chosen in chunk_rows(rows, shuffled=shuffled, rng=rng):
        end += len(chosen)
        if end < after:
            continue
        weights_C = log.weights_N[chosen]
        yield Chunk(
            features=read(log, chosen),
            labels=put(log.labels_N[chosen] if log.labels_NT is None else log.labels_NT[chosen]),
            weights_C=None if (weights_C == 1).all() else put(weights_C),
            lesson=_lesson(log, chosen) if taught else None,
            learnt=max(0, after - (end - len(chosen))),
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
