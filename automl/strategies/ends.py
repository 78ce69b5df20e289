"""Which places of a search go to the accurate end of the front: the lowest NE at the baseline's speed or more.

Where speed can be had tenfold and NE by a tenth of a percent, hypervolume alone sends nearly every place to models that
are faster and worse. Without these places the front is worse as a whole, its fast end too (experiments/LOG.md).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from automl.study.history import Prefer

PLACES: Mapping[Prefer, tuple[bool, ...]] = {
    Prefer.ACCURATE: (True, False, True),
    Prefer.BALANCED: (False, False, True),
}
"""One place after the other, over and over: whether it goes to the accurate end."""


def accurate_places(prefer: Prefer, before: int, count: int) -> list[bool]:
    """Which places of a batch go there. A batch that is shorter than the turn goes on where the search stands, `before`
    trials, so that batches of one have all of it."""
    turn = PLACES[prefer]
    first = before if count < len(turn) else 0
    return [turn[(first + place) % len(turn)] for place in range(count)]


def most_accurate(points_N: NDArray[np.float64], able_N: NDArray[np.bool_]) -> int | None:
    """The number of the candidate of lowest NE, of points (N, 2) of NE gain and -log2 of the QPS ratio; None where no
    one that is `able` is as fast as the baseline."""
    there_N = able_N & (points_N[:, 1] <= 0.0)
    return int(np.argmin(np.where(there_N, points_N[:, 0], np.inf))) if there_N.any() else None
