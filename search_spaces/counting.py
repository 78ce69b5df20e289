"""How large a space is: discrete combinations, exactly, with all conditions honoured."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from search_spaces.decisions import Floats, Integer, Real
from search_spaces.plan import Plan

State = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Size:
    """Combinations of all answers that are not continuous; continuous questions; questions as written in the file.

    `where` is not taken into account. A continuous knob that a `when` looks at counts by the ranges it tells apart.
    """

    discrete: int
    continuous: int
    knobs: int


def size_of(plan: Plan) -> Size:
    """Down the list, carrying only the answers that a later question still looks at."""
    last = _last_use(plan)
    states: dict[State, int] = {(): 1}
    kept: list[int] = []
    for column in range(len(plan.decisions)):
        states = _answered(plan, column, states, kept, column in last)
        if column in last:
            kept.append(column)
        still = [place for place in kept if last[place] > column]
        places = [kept.index(place) for place in still]
        merged: dict[State, int] = defaultdict(int)
        for state, count in states.items():
            merged[tuple(state[place] for place in places)] += count
        states, kept = merged, still
    continuous = sum(isinstance(decision.domain, Real) for decision in plan.decisions)
    return Size(sum(states.values()), continuous, plan.knobs)


def _last_use(plan: Plan) -> dict[int, int]:
    """For each column that is looked at, the last one that does."""
    last: dict[int, int] = {}
    for column, decision in enumerate(plan.decisions):
        for look in decision.condition.columns():
            last[look] = max(last.get(look, 0), column)
    for end, group in plan.groups.items():
        for flag in group.columns:
            last[flag] = max(last.get(flag, 0), end)
    return last


def _answered(plan: Plan, column: int, states: dict[State, int], kept: list[int], looked_at: bool) -> dict[State, int]:
    """Every state with every answer to one question. An answer that nobody looks at only multiplies the count."""
    decision = plan.decisions[column]
    rows = list(states)
    answers_ND = np.full((len(rows), len(plan.decisions)), np.nan, order="F")
    for place, known in enumerate(kept):
        answers_ND[:, known] = [row[place] for row in rows]
    asked = decision.condition.mask(answers_ND)
    options = representatives(plan, column)
    group = plan.groups.get(column)
    made: dict[State, int] = {}
    for row, state in enumerate(rows):
        count = states[state]
        if not looked_at:
            factor = (decision.domain.count or 1) if asked[row] else 1
            made[state] = made.get(state, 0) + count * factor
            continue
        for answer in options.tolist() if asked[row] else [np.nan]:
            earlier = dict(zip(kept, state, strict=True))
            if group is not None and answer == 0 and all(earlier[f] == 0 for f in group.columns if f != column):
                continue  # all no stands for the same layer as its default block alone
            made[(*state, _NOT_ASKED if answer != answer else answer)] = count
    return made


_NOT_ASKED = float("nan")  # one object, so that states that hold it are equal


def representatives(plan: Plan, column: int) -> Floats:
    """All answers of a discrete question; of a continuous one, one from each range that the `when`s tell apart."""
    domain = plan.decisions[column].domain
    if isinstance(domain, Integer):
        return np.arange(domain.low, domain.high + 1, domain.step, dtype=np.float64)
    if not isinstance(domain, Real):
        return np.arange(domain.count or 1, dtype=np.float64)
    whens = [d.condition.when for d in plan.decisions if d.condition.when is not None]
    cuts = {c for when in whens if column in when.columns() for c in when.constants() if domain.low < c < domain.high}
    ends = [domain.low, *sorted(cuts), domain.high]
    return np.array([(low + high) / 2 for low, high in pairwise(ends)])
