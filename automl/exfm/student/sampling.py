"""A student's own share of the negatives: by example, the same in every run."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def sampled(
    examples_N: NDArray[np.int64], labels_N: NDArray[np.float32], negatives_kept: float | None
) -> NDArray[np.bool_]:
    """Positives, and that share of the negatives."""
    if negatives_kept is None:
        return np.ones(len(examples_N), bool)
    mixed = examples_N.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    kept_N: NDArray[np.bool_] = (labels_N == 1) | (mixed / 2.0**64 < negatives_kept)
    return kept_N
