"""Candidates of so many FLOPs: where `where` has a band on them (`2M <= flops <= 4.4M`), few even draws lie inside.

Draws are places in the unit cube, one number a question, and the walk makes answers of them. A population of them
moves towards a number of FLOPs that is drawn evenly over the magnitudes of the band: each step draws a few numbers of
each place anew, and keeps the new place where it is no farther away (as subset simulation does, Au and Beck 2001).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from search_spaces.decisions import Floats
from search_spaces.guards import Bools
from search_spaces.plan import Plan
from search_spaces.sampling import answered
from search_spaces.terms import Apply, Constant, CostOf, Expression, Term

POPULATION = 48
STEPS = 60
ANEW = 6.0  # questions of a place that a step draws anew, on average
SLACK = 0.15  # octaves from the FLOPs that were drawn which are near enough
CHECKED = 2_048  # draws by which a band is found to be rare
RARE = 1 / 256  # of the even draws: with fewer inside than that, they are moved there

Flops = Callable[[Floats], Floats]
Allowed = Callable[[Floats], Bools]


@dataclass(frozen=True, slots=True)
class Band:
    """FLOPs a row, both ends included."""

    low: float
    high: float

    def beyond(self, flops_N: Floats) -> Floats:
        """(N,): octaves by which FLOPs lie outside; 0 inside."""
        log_N = np.log2(np.maximum(flops_N, 1.0))
        return np.maximum(np.maximum(math.log2(self.low) - log_N, log_N - math.log2(self.high)), 0.0)


def band_of(where: Sequence[Expression]) -> Band | None:
    """The band on FLOPs that constraints hold as one; None where none is `LOW <= flops <= HIGH`."""
    for expression in where:
        root: Term = expression.root
        while isinstance(root, Apply) and root.name == "truth":
            root = root.parts[0]
        if isinstance(root, Apply) and root.name == "and" and len(root.parts) == 2:
            match root.parts:
                case (
                    Apply("<=", (Constant(low), CostOf("flops"))),
                    Apply("<=", (CostOf("flops"), Constant(high))),
                ) if 0 < low <= high:
                    return Band(low, high)
    return None


def is_rare(plan: Plan, allowed: Allowed) -> bool:
    """Whether so few even draws are allowed that it is not worth waiting for one."""
    rng = np.random.default_rng(0)
    drawn = answered(plan, rng.random((CHECKED, len(plan.decisions))))
    return int(allowed(drawn).sum()) < RARE * CHECKED


def moved_into(plan: Plan, band: Band, flops: Flops, allowed: Allowed, rng: np.random.Generator) -> Floats | None:
    """The answers (D,) of an allowed candidate inside the band, near FLOPs that are drawn; None where none is found."""
    wanted = rng.uniform(math.log2(band.low), math.log2(band.high))
    return _climbed(plan, band, rng.random((POPULATION, len(plan.decisions))), wanted, flops, allowed, rng)


def moved_from(
    plan: Plan, band: Band, answers_D: Floats, flops: Flops, allowed: Allowed, rng: np.random.Generator
) -> Floats | None:
    """The same, from the answers of a candidate outside: with what is near to it, at the middle of the band."""
    unit_D = np.array([
        rng.random() if math.isnan(answer) else float(decision.domain.to_unit(np.array([answer]))[0])
        for decision, answer in zip(plan.decisions, answers_D, strict=True)
    ])  # fmt: skip
    wanted = (math.log2(band.low) + math.log2(band.high)) / 2
    return _climbed(plan, band, np.tile(unit_D, (POPULATION, 1)), wanted, flops, allowed, rng)


def reach(plan: Plan, flops: Flops, rng: np.random.Generator) -> tuple[float, float]:
    """About the fewest and the most FLOPs a row of a space, whatever `where` says."""
    ends = []
    for wanted in (0.0, 100.0):
        places = _Places(plan, rng.random((POPULATION, len(plan.decisions))), wanted, flops)
        for _ in range(STEPS):
            places.step(rng)
        ends.append(2.0 ** float(places.log_N[np.argmin(places.far)]))
    return ends[0], ends[1]


class _Places:
    """A population of places in the unit cube: (N, D), their answers, and the logarithms of their FLOPs."""

    def __init__(self, plan: Plan, unit_ND: Floats, wanted: float, flops: Flops) -> None:
        self._plan, self._wanted, self._flops = plan, wanted, flops
        self._unit_ND, self.answers_ND = unit_ND, answered(plan, unit_ND)
        self.log_N = self._log(self.answers_ND)

    @property
    def far(self) -> Floats:
        """Octaves from the FLOPs that are wanted."""
        return np.abs(self.log_N - self._wanted)

    def step(self, rng: np.random.Generator) -> None:
        """A few numbers of each place anew, kept where it is no farther away then."""
        anew_ND = rng.random(self._unit_ND.shape) < ANEW / self._unit_ND.shape[1]
        moved_ND = np.where(anew_ND, rng.random(self._unit_ND.shape), self._unit_ND)
        answers_ND = answered(self._plan, moved_ND)
        log_N = self._log(answers_ND)
        nearer_N = np.abs(log_N - self._wanted) <= self.far
        self._unit_ND[nearer_N], self.answers_ND[nearer_N] = moved_ND[nearer_N], answers_ND[nearer_N]
        self.log_N = np.where(nearer_N, log_N, self.log_N)

    def _log(self, answers_ND: Floats) -> Floats:
        return np.log2(np.maximum(self._flops(answers_ND), 1.0))


def _climbed(
    plan: Plan, band: Band, unit_ND: Floats, wanted: float, flops: Flops, allowed: Allowed, rng: np.random.Generator
) -> Floats | None:
    places = _Places(plan, unit_ND, wanted, flops)
    best: tuple[float, Floats] | None = None
    for _ in range(STEPS):
        inside = np.flatnonzero(band.beyond(2.0**places.log_N) <= 0.0)
        good = inside[allowed(places.answers_ND[inside])] if len(inside) else inside
        if len(good):
            nearest = good[np.argmin(places.far[good])]
            if best is None or places.far[nearest] < best[0]:
                best = float(places.far[nearest]), places.answers_ND[nearest].copy()
            if best[0] <= SLACK:
                break
        places.step(rng)
    return None if best is None else best[1]
