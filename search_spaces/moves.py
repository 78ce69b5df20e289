"""Small steps through a space: mutation (with insert, delete and swap of layers) and crossover.

All work on answers by path and end in a walk, so that what comes out is a candidate of the space whatever was moved;
`where` is not asked.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import numpy as np

from search_spaces.decisions import Choice, Decision, Integer, Real
from search_spaces.knobs import Value
from search_spaces.plan import StackPlan
from search_spaces.space import Candidate, SearchSpace

MOST_KNOBS = 3
TRIES = 20
_LAYER_SHARE = 0.25
_LAYER = re.compile(r"\w+\[\d+\]")


def mutate(space: SearchSpace, candidate: Candidate, rng: np.random.Generator, strength: float = 0.2) -> Candidate:
    """A neighbour: 1 to 3 knobs changed, or a layer inserted, deleted or swapped with another.

    A number moves by about `strength` of its range (of its logarithm where the domain is one), a word to any other.
    The same candidate comes back only where TRIES steps found no other model.
    """
    values = space.replay(candidate.values).values
    for _ in range(TRIES):
        moved = _moved_layer(space, values, rng) if rng.random() < _LAYER_SHARE else None
        changed = moved if moved is not None else _changed_knobs(space, values, rng, strength)
        made = _completed(space, changed, rng)
        if made.model != candidate.model:
            return made
    return candidate


def crossover(space: SearchSpace, a: Candidate, b: Candidate, rng: np.random.Generator) -> Candidate:
    """A child: each layer as a whole, and each other knob, from one parent or the other."""
    first, second = space.replay(a.values).values, space.replay(b.values).values
    sides: dict[str, bool] = {}
    values: dict[str, Value] = {}
    for decision in space.decisions:
        layer = _LAYER.match(decision.path)
        unit = layer[0] if layer else decision.path
        one, other = (first, second) if sides.setdefault(unit, bool(rng.random() < 0.5)) else (second, first)
        for parent in (one, other):
            if decision.path in parent:
                values[decision.path] = parent[decision.path]
                break
    return _completed(space, values, rng)


def _completed(space: SearchSpace, values: Mapping[str, Value], rng: np.random.Generator) -> Candidate:
    """The walk of these answers; a question that is new to them is drawn."""

    def choose(decision: Decision) -> Value:
        value = values.get(decision.path)
        return value if value is not None and decision.domain.has(value) else decision.draw(rng)

    return space.walk(choose)


# ---------------------------------------------------------------------- knobs


def _changed_knobs(
    space: SearchSpace, values: Mapping[str, Value], rng: np.random.Generator, strength: float
) -> dict[str, Value]:
    changed = dict(values)
    open_ones = [d for d in space.decisions if d.path in values and d.domain.count != 1]
    if not open_ones:
        return changed
    count = min(int(rng.integers(1, MOST_KNOBS + 1)), len(open_ones))
    for index in rng.choice(len(open_ones), size=count, replace=False):
        decision = open_ones[int(index)]
        changed[decision.path] = _step(decision, values[decision.path], rng, strength)
    return changed


def _step(decision: Decision, value: Value, rng: np.random.Generator, strength: float) -> Value:
    """Another value of the domain, near where there is an order."""
    domain = decision.domain
    if isinstance(domain, Integer | Real):
        place = domain.to_unit(np.array([decision.encode(value)]))
        moved = np.clip(_reflected(place + rng.normal(0.0, strength, 1)), 0.0, np.nextafter(1.0, 0.0))
        made = decision.decode(float(domain.from_unit(moved)[0]))
        return _next_integer(domain, value, rng) if isinstance(domain, Integer) and made == value else made
    if isinstance(domain, Choice):
        return _other_option(domain, value, rng, strength)
    return not value


def _reflected(unit: np.ndarray[tuple[int], np.dtype[np.float64]]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Back into [0, 1] from the walls."""
    return 1.0 - np.abs((np.abs(unit) % 2.0) - 1.0)


def _next_integer(domain: Integer, value: Value, rng: np.random.Generator) -> Value:
    beside = [int(value) - domain.step, int(value) + domain.step]
    inside = [number for number in beside if domain.has(number)]
    return inside[int(rng.integers(len(inside)))] if inside else value


def _other_option(domain: Choice, value: Value, rng: np.random.Generator, strength: float) -> Value:
    """Numbers in order move a few places, words to any other."""
    options = domain.options
    here = int(domain.encode(value))
    numbers = [float(o) for o in options if isinstance(o, int | float)]
    ordered = len(numbers) == len(options) and numbers == sorted(numbers)
    reach = max(1, math.ceil(strength * len(options))) if ordered else len(options)
    near = [i for i in range(max(0, here - reach), min(len(options), here + reach + 1)) if i != here]
    return options[near[int(rng.integers(len(near)))]] if near else value


# ---------------------------------------------------------------------- layers


def _moved_layer(space: SearchSpace, values: Mapping[str, Value], rng: np.random.Generator) -> dict[str, Value] | None:
    """Insert, delete or swap in one stack whose layers are asked anew; None where there is nothing to move."""
    moves = []
    for stack in (space.plan.interaction, space.plan.deep):
        if stack.repeat is None or stack.repeat.column is None or stack.shared:
            continue
        decision = space.decisions[stack.repeat.column]
        depth = values.get(decision.path)
        if not isinstance(depth, int):
            continue
        if decision.domain.has(depth + 1):
            moves.append(("insert", stack, decision, depth))
        if decision.domain.has(depth - 1):
            moves.append(("delete", stack, decision, depth))
        if depth >= 2:
            moves.append(("swap", stack, decision, depth))
    if not moves:
        return None
    kind, stack, decision, depth = moves[int(rng.integers(len(moves)))]
    order = list(range(depth))
    if kind == "insert":
        order.insert(int(rng.integers(depth + 1)), -1)
    elif kind == "delete":
        del order[int(rng.integers(depth))]
    else:
        i, j = (int(k) for k in rng.choice(depth, size=2, replace=False))
        order[i], order[j] = order[j], order[i]
    return {**_reordered(stack, values, order), decision.path: len(order)}


def _reordered(stack: StackPlan, values: Mapping[str, Value], order: list[int]) -> dict[str, Value]:
    """Layer i of the result is layer order[i]; what is not in it is gone, -1 is a layer to be drawn."""
    start = f"{stack.name}["
    made = {path: value for path, value in values.items() if not path.startswith(start)}
    for new, old in enumerate(order):
        prefix = f"{start}{old}]"
        moved = {f"{start}{new}]{p[len(prefix) :]}": v for p, v in values.items() if p.startswith(prefix)}
        made.update(moved)
    return made
