"""What decisions and terms both speak of: answers that must lie in a range, row by row of the matrix form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search_spaces.ranges import Floats

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Guard:
    """The answer in column `index` must lie from low to high."""

    index: int
    low: float
    high: float


def guards_hold(guards: tuple[Guard, ...], answers_ND: Floats) -> Bools:
    """Whether every guard holds, row by row; a question that was not asked (NaN) holds for none."""
    asked = np.ones(len(answers_ND), dtype=np.bool_)
    for guard in guards:
        column = answers_ND[:, guard.index]
        asked &= (column >= guard.low) & (column <= guard.high)
    return asked
