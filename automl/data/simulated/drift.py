"""What makes a stream of a world: it drifts from day to day, and its domains differ."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from automl.data.simulated.world import Floats, Ints, Views, World, parts_of

_RANK = 3
_TURN, _APPEAL, _TABLE, _LEVEL = 0.35, 0.4, 0.4, 0.15  # what a drift of 1 moves in a day, in standard deviations


@dataclass(frozen=True, slots=True)
class Domains:
    """What is a domain's own: its share of the rows, its shift of the logits, its rotation of tastes."""

    share: Floats
    shift: Floats
    turn: tuple[Floats, ...]


def drifting(world: World, days: int, drift: float, rng: np.random.Generator) -> tuple[list[World], Floats]:
    """The world of each day, and the shift of its base rate. Walks keep the variance of what they move."""
    worlds, levels = [world], np.zeros(days)
    appeal, table = world.items.bias, world.tab_category
    users = world.users
    for day in range(1, days):
        users = replace(users, latent=users.latent @ _turn(_TURN * drift, rng))
        appeal, table = _walked(appeal, _APPEAL * drift, rng), _walked(table, _TABLE * drift, rng)
        levels[day] = 0.9 * levels[day - 1] + _LEVEL * drift * rng.normal()
        worlds.append(replace(world, users=users, items=replace(world.items, bias=appeal), tab_category=table))
    return worlds, levels


def _walked(values: Floats, step: float, rng: np.random.Generator) -> Floats:
    centre, spread = values.mean(), values.std()
    moved: Floats = np.sqrt(1 - step**2) * (values - centre) + step * spread * rng.normal(size=values.shape)
    return np.asarray(centre + moved)


def _turn(size: float, rng: np.random.Generator) -> Floats:
    """A random rotation; near to none where the size is small, and none at 0."""
    drawn = rng.normal(size=(_RANK, _RANK))
    skew = size * (drawn - drawn.T) / 2
    one = np.eye(_RANK)
    return np.asarray(np.linalg.solve(one + skew, one - skew))  # Cayley: skew-symmetric to orthogonal


def make_domains(count: int, bias: float, rng: np.random.Generator) -> Domains:
    """So many of them, the first the largest; how they differ is scaled by `bias`."""
    weights: Floats = np.arange(1, count + 1, dtype=np.float64) ** -0.7
    shift = np.linspace(1.0, -1.0, count) if count > 1 else np.zeros(1)
    turns = tuple(_turn(2.0 * bias if d else 0.0, rng) for d in range(count))
    return Domains(weights / weights.sum(), bias * shift, turns)


def domain_parts(world: World, views: Views, domain: Ints, kinds: Domains) -> dict[str, Floats]:
    """The parts of the logits, each row with the tastes of its domain."""
    whole: dict[str, Floats] = {}
    for d, turn in enumerate(kinds.turn):
        rows = np.flatnonzero(domain == d)
        own = replace(world, users=replace(world.users, latent=world.users.latent @ turn))
        seen = Views(views.user[rows], views.item[rows], views.tab[rows], views.second[rows])
        for name, values in parts_of(own, seen).items():
            whole.setdefault(name, np.zeros(len(domain)))[rows] = values
    return whole
