"""Rows of a training window as the finder of leaks reads them: in the order of the log, before anything is cut off.

Shapes: N rows in the order of time (or of the file, where there is no time).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Flags = NDArray[np.bool_]
Codes = NDArray[np.int32]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def compact(codes_N: NDArray[np.generic]) -> Codes:
    """Codes that are small enough to count by: those of a sample, where the vocabulary is much longer. 0 stays 0."""
    codes: Codes = np.ascontiguousarray(codes_N).astype(np.int32, copy=False)
    if int(codes.max(initial=0)) <= 4 * len(codes):
        return codes
    distinct, at = np.unique(codes, return_inverse=True)
    small: Codes = (at.ravel() + (0 if distinct[0] == 0 else 1)).astype(np.int32)
    return small


@dataclass(frozen=True)
class Column:
    """A feature: codes from 1 on (0: missing) of a categorical one, numbers (NaN: missing) of a dense one.

    word: what the value of a row stands for. joined: it comes from a side table, and so is an attribute of its key.
    """

    name: str
    kind: Literal["categorical", "dense"]
    values_N: NDArray[np.generic]
    joined: bool = False
    word: Callable[[int], str] = str  # of one of the values

    @cached_property
    def codes(self) -> Codes:
        return compact(self.values_N)

    @cached_property
    def numbers(self) -> Floats:
        return np.ascontiguousarray(self.values_N).astype(np.float64, copy=False)

    @property
    def at(self) -> tuple[str, ...]:
        return ("features", self.kind, self.name)


@dataclass(frozen=True)
class Key:
    """Rows by the value of an id."""

    name: str
    codes_N: Codes

    @cached_property
    def order(self) -> Ints:
        """Rows sorted by code, and within a code as they come; rows without one are left out."""
        order = np.argsort(self.codes_N, kind="stable")
        return order[int((self.codes_N == 0).sum()) :]

    @cached_property
    def steps(self) -> tuple[Ints, Ints]:
        """Rows that have a row of the same code before them, and those rows."""
        order = self.order
        same = self.codes_N[order[1:]] == self.codes_N[order[:-1]]
        return order[1:][same], order[:-1][same]


@dataclass(frozen=True)
class Sample:
    """The rows, their labels, the features, and the ids that rows go by.

    times_N (ns), days_N (local days, counted): None where the log has no time.
    """

    positive_N: Flags
    times_N: Ints | None
    days_N: Ints | None
    columns: tuple[Column, ...]
    keys: tuple[Key, ...]

    def __len__(self) -> int:
        return len(self.positive_N)

    @cached_property
    def base(self) -> float:
        """Share of positive rows."""
        return float(self.positive_N.mean())
