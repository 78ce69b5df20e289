"""Numeric columns to what models read: the same arithmetic for a log that is encoded and for rows that are served."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from automl.data.columns.kinds import is_text, trimmed

Floats = NDArray[np.float64]
FARTHEST = 1e6
LARGEST = float(np.finfo(np.float32).max)  # models read float32


class NotNumbersError(ValueError):
    """So many values of a column are no numbers; one of them."""

    def __init__(self, count: int, example: str) -> None:
        super().__init__(f"{example!r} is no number")
        self.count, self.example = count, example


def as_floats(column: pa.Array) -> Floats:
    """float64, NaN where missing; booleans are 0 and 1. Of text, what it says: `-1.5e3`, `true`, or missing as `NA`.

    Raises:
        NotNumbersError: where a text is no number.
    """
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if is_text(column.type):
        column = _parsed(column)
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    return np.asarray(pc.fill_null(column.cast(pa.float64(), safe=False), float("nan")).to_numpy(zero_copy_only=False))


def _parsed(column: pa.Array) -> pa.Array:
    plain = trimmed(column)
    try:
        return plain.cast(pa.float64())
    except pa.ArrowInvalid:
        said = [(value, _said(value)) for value in plain.unique().to_pylist()]
    wrong = pc.is_in(
        plain, pa.array([value for value, number in said if value is not None and number is None], plain.type)
    )
    if count := pc.sum(wrong).as_py():
        raise NotNumbersError(count, str(column.filter(wrong)[0]))
    numbers = dict(said)
    return pa.array([numbers[value] for value in plain.to_pylist()], pa.float64())


def _said(value: str | None) -> float | None:
    """What a text says that Arrow does not read: true and false."""
    if value is None:
        return None
    words = {"true": 1.0, "false": 0.0}
    if value.lower() in words:
        return words[value.lower()]
    try:
        return float(value) if "_" not in value else None
    except ValueError:
        return None


def not_binary(values: Floats, *, missing: bool) -> NDArray[np.bool_]:
    """Where there is neither 0 nor 1, nor NaN if it may be missing."""
    return np.asarray((values != 0) & (values != 1) & ~(missing & np.isnan(values)))


def transformed(values: Floats, log: bool) -> Floats:
    """The log transform keeps the sign: sign(x) * log(1 + |x|)."""
    return np.sign(values) * np.log1p(np.abs(values)) if log else values


@dataclass(frozen=True, eq=False, slots=True)
class Scales:
    """How D dense columns become what models read: of each its mean and deviation, and whether its log is taken."""

    mean_D: Floats
    scale_D: Floats
    log: tuple[bool, ...]

    def standardised(self, values_ND: Floats) -> NDArray[np.float32]:
        """Transformed, then shifted and scaled; missing is 0. No further than FARTHEST deviations: a column that hardly
        moves in the fit windows has a scale near 0."""
        values_ND = values_ND.copy()
        for k, of_column in enumerate(self.log):
            values_ND[:, k] = transformed(values_ND[:, k], of_column)
        with np.errstate(over="ignore"):
            far_ND = np.clip((values_ND - self.mean_D) / self.scale_D, -FARTHEST, FARTHEST)
        return np.nan_to_num(far_ND, nan=0.0).astype(np.float32)

    def select(self, at_D: Sequence[int]) -> Scales:
        """Those of some of the columns."""
        return Scales(self.mean_D[at_D], self.scale_D[at_D], tuple(self.log[d] for d in at_D))

    def to_json(self) -> ScalesJson:
        return {"mean": self.mean_D.tolist(), "scale": self.scale_D.tolist(), "log": list(self.log)}

    @classmethod
    def of_json(cls, told: ScalesJson) -> Scales:
        return cls(np.array(told["mean"], np.float64), np.array(told["scale"], np.float64), tuple(told["log"]))


class ScalesJson(TypedDict):
    mean: list[float]
    scale: list[float]
    log: list[bool]
