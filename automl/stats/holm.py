"""p values of several tests, corrected by Holm's method: the chance of any false claim among them stays at its level.

Holm 1979, A simple sequentially rejective multiple test procedure.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def holm(p: Sequence[float]) -> list[float]:
    """Each p value corrected over all of them, in the order given; none is above 1.

    The same bits as of statsmodels' multipletests, which collects all garbage at every call and whose import takes
    longer than that of all else here.
    """
    p_K = np.asarray(p, float)
    order_K = np.argsort(p_K)
    steps_K = np.maximum.accumulate(p_K[order_K] * np.arange(len(p_K), 0, -1))
    found_K = np.empty_like(p_K)
    found_K[order_K] = np.minimum(steps_K, 1.0)
    return [float(one) for one in found_K]
