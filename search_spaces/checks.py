"""What a space promises and cannot hold: branches that no answer opens, constraints that nothing satisfies.

Where the answers that matter are few they are all tried (a continuous one at its ends, at the numbers it is compared
with, and between them); else draws and corners of the space are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable

import numpy as np

from search_spaces.decisions import Floats, Integer, Real
from search_spaces.errors import Mistake, Position
from search_spaces.guards import Bools
from search_spaces.plan import Plan
from search_spaces.sampling import draw, repair
from search_spaces.terms import Expression, Rows

MOST_ROWS = 20_000
DRAWS = 4_096
COST_DRAWS = 256


def check_open(plan: Plan, file: str) -> list[Mistake]:
    """A space must ask something."""
    if plan.decisions:
        return []
    must = "a space must leave at least one knob open"
    return [Mistake(Position(file), must, "none", "like embedding: {dim: {choice: [8, 16]}}")]


def check_reachable(plan: Plan) -> list[Mistake]:
    """Every `when` must be true for some answers, in one of the layers that it stands for."""
    opened: dict[tuple[Position, str], bool] = defaultdict(bool)
    for decision in plan.decisions:
        when = decision.condition.when
        if when is not None:
            rows = possible_rows(plan, decision.condition.columns(), when.constants())
            opened[when.place, when.text] |= bool(decision.condition.mask(rows).any())
    must = "a branch must be reachable: some answers must make its `when` true"
    return [Mistake(place, must, f"`{text}`") for (place, text), is_open in opened.items() if not is_open]


def check_satisfiable(plan: Plan, allowed: Callable[[Floats], Bools]) -> list[Mistake]:
    """`where` must allow something: each constraint alone, else at the first that leaves nothing together."""
    free = [expression for expression in plan.where if not expression.needs_cost]
    alone = [expression for expression in free if not _left(plan, [expression])]
    must = "a constraint must be satisfiable: some candidate must satisfy it"
    if alone:
        return [Mistake(expression.place, must, f"`{expression.text}`") for expression in alone]
    for end in range(2, len(free) + 1):
        if not _left(plan, free[:end]):
            last = free[end - 1]
            must = "constraints must be satisfiable together: some candidate must satisfy this one and those above it"
            return [Mistake(last.place, must, f"`{last.text}`")]
    return _check_costs(plan, allowed)


def _left(plan: Plan, expressions: list[Expression]) -> bool:
    """Whether some candidate breaks none of them."""
    columns = frozenset().union(*(expression.columns() for expression in expressions))
    constants = frozenset().union(*(expression.constants() for expression in expressions))
    rows = possible_rows(plan, columns, constants)
    good = np.ones(len(rows), dtype=np.bool_)
    for expression in expressions:
        good &= ~expression.breaks(Rows(rows))
    return bool(good.any())


def _check_costs(plan: Plan, allowed: Callable[[Floats], Bools]) -> list[Mistake]:
    """Constraints on cost, by draws and corners: known only with the inputs."""
    costly = [expression for expression in plan.where if expression.needs_cost]
    if not costly:
        return []
    rows = np.concatenate([corners(plan), draw(plan, None, COST_DRAWS, np.random.default_rng(0))])
    if allowed(rows).any():
        return []
    must = f"constraints must be satisfiable: one of {len(rows)} draws and corners of the space must satisfy all"
    return [Mistake(expression.place, must, f"`{expression.text}`") for expression in costly]


def possible_rows(plan: Plan, columns: Iterable[int], constants: Iterable[float] = ()) -> Floats:
    """Rows in which the answers of these columns take all values they can take together, others are left out.

    Where they are too many: draws and corners.
    """
    closure = _closure(plan, columns)
    rows = np.full((1, len(plan.decisions)), np.nan, order="F")
    for column in sorted(closure):
        asked = plan.decisions[column].condition.mask(rows)
        values = _points(plan, column, constants)
        if int(asked.sum()) * len(values) + int((~asked).sum()) > MOST_ROWS:
            return np.concatenate([corners(plan), draw(plan, None, DRAWS, np.random.default_rng(0))])
        grown = np.repeat(rows[asked], len(values), axis=0)
        grown[:, column] = np.tile(values, int(asked.sum()))
        rows = np.asfortranarray(np.concatenate([rows[~asked], grown]))
        repair(plan, column, rows)
    return rows


def corners(plan: Plan) -> Floats:
    """The first and the last value of every domain, and the defaults, in rows of their own."""
    rows = np.full((3, len(plan.decisions)), np.nan, order="F")
    for column, decision in enumerate(plan.decisions):
        asked = decision.condition.mask(rows)
        ends = decision.domain.from_unit(np.array([0.0, np.nextafter(1.0, 0.0)]))
        rows[asked, column] = np.array([*ends, decision.encode(decision.default)])[asked]
        repair(plan, column, rows)
    return rows


def _closure(plan: Plan, columns: Iterable[int]) -> set[int]:
    """The columns and all that their conditions look at; the flags of a layer belong together."""
    together = {column: group.columns for group in plan.groups.values() for column in group.columns}
    found: set[int] = set()
    left = list(columns)
    while left:
        column = left.pop()
        if column not in found:
            found.add(column)
            left += [*together.get(column, ()), *plan.decisions[column].condition.columns()]
    return found


def _points(plan: Plan, column: int, constants: Iterable[float]) -> Floats:
    domain = plan.decisions[column].domain
    if isinstance(domain, Real):
        inside = {float(c) for c in constants if domain.low <= c <= domain.high}
        marks = np.array(sorted({domain.low, domain.high, *inside}))
        return np.sort(np.concatenate([marks, (marks[:-1] + marks[1:]) / 2]))
    if isinstance(domain, Integer):
        return np.arange(domain.low, domain.high + 1, domain.step, dtype=np.float64)
    return np.arange(domain.count or 1, dtype=np.float64)
