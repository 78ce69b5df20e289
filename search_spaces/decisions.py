"""A question of a space: path, domain, default, and the condition under which it is asked.

In the matrix form an answer is one float64 (see ranges.py), NaN where the question is not asked.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from search_spaces.guards import Bools, Guard, guards_hold
from search_spaces.knobs import Value
from search_spaces.ranges import BINS, Choice, Domain, Flag, Floats, Integer, Real
from search_spaces.terms import Expression

__all__ = [
    "BINS", "Choice", "Condition", "Decision", "Domain", "Flag", "Floats", "Integer", "Real", "bin_of", "bins",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Condition:
    """When a question is asked: all guards hold (the structure), and so does `when` (the user's words)."""

    guards: tuple[Guard, ...] = ()
    when: Expression | None = None

    def columns(self) -> frozenset[int]:
        """The decisions that it looks at."""
        own = frozenset(guard.index for guard in self.guards)
        return own if self.when is None else own | self.when.columns()

    def asked(self, row: Sequence[float]) -> bool:
        """`mask` of one row."""
        if not all(guard.low <= row[guard.index] <= guard.high for guard in self.guards):
            return False
        return self.when is None or bool(self.when.holds(np.array([row]))[0])

    def mask(self, answers_ND: Floats) -> Bools:
        """For each row, whether the question is asked; reads only columns that stand before it."""
        asked = guards_hold(self.guards, answers_ND)
        if self.when is not None:
            asked &= self.when.holds(answers_ND)
        return asked


@dataclass(frozen=True, slots=True)
class Decision:
    """One question. Conditions look at earlier decisions only."""

    path: str
    domain: Domain
    default: Value
    condition: Condition = field(default_factory=Condition)

    @property
    def edges(self) -> tuple[float, ...]:
        """The bins of the domain, as places on [0, 1)."""
        return _edges(self.domain)

    def draw(self, rng: np.random.Generator) -> Value:
        """An answer drawn from the whole domain."""
        return self.domain.decode(float(self.domain.from_unit(rng.random(1))[0]))

    def encode(self, value: Value) -> float:
        """The answer as a number of the matrix form."""
        return self.domain.encode(value)

    def decode(self, number: float) -> Value:
        """Inverse of encode."""
        return self.domain.decode(number)


@functools.lru_cache(maxsize=4096)
def _edges(domain: Domain) -> tuple[float, ...]:
    return domain.edges()


def bins(decision: Decision) -> int:
    """How many bins a generator of logits has for this decision."""
    return len(decision.edges) - 1


def bin_of(decision: Decision, numbers: Floats) -> NDArray[np.int64]:
    """The bin of each encoded answer, -1 where not asked."""
    edges = np.asarray(decision.edges)
    known = ~np.isnan(numbers)
    unit = decision.domain.to_unit(np.where(known, numbers, _somewhere(decision.domain)))
    found = np.clip(np.searchsorted(edges, unit, side="right") - 1, 0, len(edges) - 2)
    return np.where(known, found, -1)


def _somewhere(domain: Domain) -> float:
    return float(domain.low) if isinstance(domain, Integer | Real) else 0.0
