"""Compiled expressions of `where` and `when`, evaluated on whole columns of the matrix form.

Logic has three values. A comparison with something that a candidate does not have (the rank of a cross layer that is
not there) is unknown; a constraint is broken only where it is false, a question is asked only where its condition is
true. In numbers: 1 true, 0 false, 1/2 unknown; and is the smaller, or the larger, not 1 - x.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from search_spaces.errors import Position
from search_spaces.guards import Bools, Guard, guards_hold
from search_spaces.ranges import Floats

COSTS = ("params", "flops", "activation_bytes")
Costs = Callable[[str], Floats]


@dataclass(frozen=True, slots=True)
class Rows:
    """What an expression is evaluated on: answers, and what the models cost (None: not known yet)."""

    answers: Floats
    costs: Costs | None = None

    def cost(self, name: str) -> Floats:
        """What the models cost; NaN while it is not known."""
        return np.full(len(self.answers), np.nan) if self.costs is None else self.costs(name)


class Term(Protocol):
    """A piece of a compiled expression."""

    def of(self, rows: Rows) -> Floats:
        """One number a row: a value (NaN where the candidate has none) or a truth."""
        ...

    def columns(self) -> frozenset[int]:
        """The decisions that it looks at."""
        ...

    def constants(self) -> frozenset[float]:
        """The numbers that stand in it."""
        ...


@dataclass(frozen=True, slots=True)
class Constant:
    """A number, or the code of a word."""

    value: float

    def of(self, rows: Rows) -> Floats:
        return np.full(len(rows.answers), self.value)

    def columns(self) -> frozenset[int]:
        return frozenset()

    def constants(self) -> frozenset[float]:
        return frozenset((self.value,))


@dataclass(frozen=True, slots=True)
class Answer:
    """A knob. Where it is not asked but its block is there (`guards`), it has its fixed or default value."""

    column: int | None
    instead: float
    guards: tuple[Guard, ...]
    table: tuple[float, ...] | None = None

    def of(self, rows: Rows) -> Floats:
        there = guards_hold(self.guards, rows.answers)
        fixed = np.where(there, self.instead, np.nan)
        if self.column is None:
            return fixed
        asked = rows.answers[:, self.column]
        known = ~np.isnan(asked)
        if self.table is not None:
            asked = np.asarray(self.table)[np.where(known, asked, 0).astype(np.intp)]
        return np.where(known, asked, fixed)

    def columns(self) -> frozenset[int]:
        own = frozenset() if self.column is None else frozenset((self.column,))
        return own | frozenset(guard.index for guard in self.guards)

    def constants(self) -> frozenset[float]:
        return frozenset()


@dataclass(frozen=True, slots=True)
class Presence:
    """1 where a block or layer is there, else 0."""

    guards: tuple[Guard, ...]

    def of(self, rows: Rows) -> Floats:
        return guards_hold(self.guards, rows.answers).astype(np.float64)

    def columns(self) -> frozenset[int]:
        return frozenset(guard.index for guard in self.guards)

    def constants(self) -> frozenset[float]:
        return frozenset()


@dataclass(frozen=True, slots=True)
class CostOf:
    """params, flops or activation_bytes of the model; NaN while the inputs are not known."""

    name: str

    def of(self, rows: Rows) -> Floats:
        return rows.cost(self.name)

    def columns(self) -> frozenset[int]:
        return frozenset()

    def constants(self) -> frozenset[float]:
        return frozenset()


@dataclass(frozen=True, slots=True)
class Apply:
    """An operator or function over terms."""

    name: str
    parts: tuple[Term, ...]

    def of(self, rows: Rows) -> Floats:
        with np.errstate(all="ignore"):
            return _APPLY[self.name]([part.of(rows) for part in self.parts], len(rows.answers))

    def columns(self) -> frozenset[int]:
        return frozenset().union(*(part.columns() for part in self.parts))

    def constants(self) -> frozenset[float]:
        return frozenset().union(*(part.constants() for part in self.parts))


def _compare(holds: Callable[[Floats, Floats], Bools]) -> Callable[[list[Floats], int], Floats]:
    def of(parts: list[Floats], rows: int) -> Floats:
        left, right = parts
        return np.where(np.isnan(left) | np.isnan(right), 0.5, holds(left, right))

    return of


def _over(neutral: float, none: float, reduce: Callable[[Floats], Floats]) -> Callable[[list[Floats], int], Floats]:
    """Over layers: those that a candidate does not have count as `neutral`; `none` where it has none at all."""

    def of(parts: list[Floats], rows: int) -> Floats:
        if not parts:
            return np.full(rows, none)
        stacked = np.stack(parts)
        absent = np.isnan(stacked)
        return np.where(absent.all(axis=0), none, reduce(np.where(absent, neutral, stacked)))

    return of


def _divide(parts: list[Floats], rows: int) -> Floats:
    return np.where(parts[1] == 0, np.nan, parts[0] / parts[1])


_APPLY: dict[str, Callable[[list[Floats], int], Floats]] = {
    "==": _compare(np.equal),
    "!=": _compare(np.not_equal),
    "<": _compare(np.less),
    "<=": _compare(np.less_equal),
    ">": _compare(np.greater),
    ">=": _compare(np.greater_equal),
    "+": lambda parts, _: np.add(*parts),
    "-": lambda parts, _: np.subtract(*parts),
    "*": lambda parts, _: np.multiply(*parts),
    "/": _divide,
    "negative": lambda parts, _: -parts[0],
    "and": lambda parts, _: np.min(parts, axis=0),
    "or": lambda parts, _: np.max(parts, axis=0),
    "not": lambda parts, _: 1 - parts[0],
    "truth": lambda parts, _: np.where(np.isnan(parts[0]), 0.5, parts[0]),
    "sum": _over(0.0, 0.0, lambda stacked: stacked.sum(axis=0)),
    "min": _over(np.inf, np.nan, lambda stacked: stacked.min(axis=0)),
    "max": _over(-np.inf, np.nan, lambda stacked: stacked.max(axis=0)),
}


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled condition or constraint."""

    text: str
    root: Term
    needs_cost: bool = False
    place: Position = field(default=Position(""), compare=False)

    def holds(self, answers_ND: Floats) -> Bools:
        """Where it is true."""
        return np.equal(self.root.of(Rows(answers_ND)), 1.0)

    def breaks(self, rows: Rows) -> Bools:
        """Where it is false."""
        return np.equal(self.root.of(rows), 0.0)

    def columns(self) -> frozenset[int]:
        return self.root.columns()

    def constants(self) -> frozenset[float]:
        return self.root.constants()
