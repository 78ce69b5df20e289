"""Numeric columns to what models read: the same arithmetic for a log that is encoded and for rows that are served."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def as_floats(column: pa.Array) -> Floats:
    """float64, NaN where missing; booleans are 0 and 1."""
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    return np.asarray(pc.fill_null(column.cast(pa.float64(), safe=False), float("nan")).to_numpy(zero_copy_only=False))


def transformed(values: Floats, log: bool) -> Floats:
    """The log transform keeps the sign: sign(x) * log(1 + |x|)."""
    return np.sign(values) * np.log1p(np.abs(values)) if log else values


def standardised(values_ND: Floats, mean_D: Floats, scale_D: Floats, log: Sequence[bool]) -> Floats:
    """Transformed, then shifted and scaled; missing is 0."""
    values_ND = values_ND.copy()
    for k, of_column in enumerate(log):
        values_ND[:, k] = transformed(values_ND[:, k], of_column)
    return np.asarray(np.nan_to_num((values_ND - mean_D) / scale_D, nan=0.0), np.float64)
