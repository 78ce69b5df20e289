"""The hidden side of the click simulator: who the users and items are, and what makes them click and convert.

A logit is a weighted sum of parts, each of unit variance over the log. U is a user, I an item:

    pair      <z_U, z_I>, z of attributes plus noise of the id       second order, low rank
    user, item, tab x category, part of day x segment                first and second order
    triple    age x tab x category                                   third order
    length    (log duration - what the tab likes)^2                  second order with a dense feature
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

AGES, CITIES, SEGMENTS, DEVICES = 6, 20, 8, 10
CATEGORIES, TAGS, FORMATS, TABS, DAYPARTS = 12, 20, 4, 5, 4
_RANK = 3
_ID_NOISE = 0.2  # share of a latent vector that only the id tells, and that a new id therefore hides
_CLICK = {
    "pair": 0.7, "user": 0.8, "item": 1.0, "tab_category": 0.45, "daypart_segment": 0.3, "triple": 0.4, "length": 0.25
}  # fmt: skip
_CONVERT = {
    "pair": 0.6, "user": 0.5, "item": 0.7, "tab_category": 0.3, "price_segment": 0.8, "triple": 0.3, "length": 0.2
}  # fmt: skip
_MISSING = 0.02


@dataclass(frozen=True, slots=True)
class Users:
    """Attributes, latents and the day of arrival; `weight` is how often a user comes."""

    age: Ints
    city: Ints
    segment: Ints
    device: Ints
    tenure: Ints
    latent: Floats
    bias: Floats
    weight: Floats
    arrival: Floats


@dataclass(frozen=True, slots=True)
class Items:
    """Attributes, latents and the day of arrival; `weight` is the popularity at arrival, it fades later."""

    category: Ints
    author: Ints
    tag: Ints
    format: Ints
    duration_ms: Ints
    price: Floats
    latent: Floats
    bias: Floats
    weight: Floats
    arrival: Floats


@dataclass(frozen=True, slots=True)
class World:
    """Users, items and the tables of their interactions."""

    users: Users
    items: Items
    tab_category: Floats
    daypart_segment: Floats
    triple: Floats
    price_segment: Floats
    tab_length: Floats
    convert_pair: Floats


@dataclass(frozen=True, slots=True)
class Views:
    """Rows without labels: who saw what, where and when (seconds since the start)."""

    user: Ints
    item: Ints
    tab: Ints
    second: Floats

    @property
    def daypart(self) -> Ints:
        return (self.second // 21600).astype(np.int64) % DAYPARTS


def make_world(users: int, items: int, days: int, rng: np.random.Generator, before: float = 0.85) -> World:
    """Draw a world; the same generator draws the same one. A share `before` is there when the log starts."""
    return World(
        users=_make_users(users, days, rng, before),
        items=_make_items(items, days, rng, before),
        tab_category=rng.normal(size=(TABS, CATEGORIES)),
        daypart_segment=rng.normal(size=(DAYPARTS, SEGMENTS)),
        triple=np.einsum("a,t,c->atc", *(rng.normal(size=kinds) for kinds in (AGES, TABS, CATEGORIES))),
        price_segment=rng.normal(size=SEGMENTS),
        tab_length=rng.normal(9.8, 0.7, size=TABS),
        convert_pair=rng.normal(size=(_RANK, _RANK)),
    )


def _make_users(count: int, days: int, rng: np.random.Generator, before: float) -> Users:
    age, segment = (_skewed(kinds, count, rng, 0.5) for kinds in (AGES, SEGMENTS))
    city, device = (_skewed(kinds, count, rng, 1.0) for kinds in (CITIES, DEVICES))
    parts = [_table(AGES, rng)[age], _table(SEGMENTS, rng)[segment], 0.4 * _table(CITIES, rng)[city]]
    arrival = _arrivals(count, days, before, rng)
    return Users(
        age, city, segment, device,
        tenure=np.floor(np.clip(-arrival, 0, None) / 7).astype(np.int64),
        latent=sum(parts, np.zeros(())) + _ID_NOISE * rng.normal(size=(count, _RANK)),
        bias=rng.normal(size=SEGMENTS)[segment] + 0.5 * rng.normal(size=DEVICES)[device] + 0.2 * rng.normal(size=count),
        weight=rng.gamma(0.7, size=count) + 1e-3,
        arrival=arrival,
    )  # fmt: skip


def _make_items(count: int, days: int, rng: np.random.Generator, before: float) -> Items:
    authors = max(1, count // 10)
    author = _skewed(authors, count, rng, 0.8)
    home = rng.integers(CATEGORIES, size=authors)
    category = np.where(rng.random(count) < 0.7, home[author], rng.integers(CATEGORIES, size=count))
    tag, kind = _skewed(TAGS, count, rng, 0.8), _skewed(FORMATS, count, rng, 0.5)
    parts = [_table(CATEGORIES, rng)[category], 0.3 * _table(authors, rng)[author], 0.4 * _table(TAGS, rng)[tag]]
    own = rng.normal(size=CATEGORIES)[category] + 0.6 * rng.normal(size=authors)[author]
    return Items(
        category, author, tag, kind,
        duration_ms=np.exp(rng.normal(9.8, 0.9, size=count)).astype(np.int64) + 1000,
        price=np.exp(rng.normal(2.5, 1.0, size=count)).round(2).astype(np.float64),
        latent=sum(parts, np.zeros(())) + _ID_NOISE * rng.normal(size=(count, _RANK)),
        bias=own + 0.5 * rng.normal(size=FORMATS)[kind] + 0.3 * rng.normal(size=count),
        weight=_zipf(count, 0.7)[rng.permutation(count)],
        arrival=_arrivals(count, days, before, rng),
    )  # fmt: skip


def draw_views(world: World, day: int, count: int, rng: np.random.Generator, fade: float = 10.0) -> Views:
    """Views of one day in order of time: only of users and items that have arrived, fresh items more often.

    In `fade` days the popularity of an item falls to 1 / e.
    """
    users, items = world.users, world.items
    come = np.where(users.arrival < day + 1, users.weight, 0.0)
    shown = np.where(items.arrival < day + 1, items.weight * np.exp(-np.maximum(day - items.arrival, 0.0) / fade), 0.0)
    busy = 1.0 + 0.8 * np.sin((np.arange(24) - 9) / 24 * 2 * np.pi)
    hour = _draw(busy, count, rng)
    second = np.sort(day * 86400.0 + hour * 3600.0 + rng.random(count) * 3600.0)
    return Views(_draw(come, count, rng), _draw(shown, count, rng), _draw(_zipf(TABS, 1.0), count, rng), second)


def parts_of(world: World, views: Views) -> dict[str, Floats]:
    """The parts of the logits, not yet scaled."""
    u, i, users, items = views.user, views.item, world.users, world.items
    age, segment, category = users.age[u], users.segment[u], items.category[i]
    z_u, z_i = users.latent[u], items.latent[i]
    length = np.log(items.duration_ms[i]) - world.tab_length[views.tab]
    return {
        "pair": np.einsum("nd,nd->n", z_u, z_i),
        "convert_pair": np.einsum("nd,nd->n", z_u @ world.convert_pair, z_i),
        "user": users.bias[u],
        "item": items.bias[i],
        "tab_category": world.tab_category[views.tab, category],
        "daypart_segment": world.daypart_segment[views.daypart, segment],
        "triple": world.triple[age, views.tab, category],
        "price_segment": np.log(items.price[i]) * world.price_segment[segment],
        "length": -(length**2),
    }


def click_parts(parts: Mapping[str, Floats]) -> list[tuple[float, Floats]]:
    return [(weight, parts[name]) for name, weight in _CLICK.items()]


def convert_parts(parts: Mapping[str, Floats]) -> list[tuple[float, Floats]]:
    own = {**parts, "pair": parts["convert_pair"]}
    return [(weight, own[name]) for name, weight in _CONVERT.items()]


def user_table(users: Users, rng: np.random.Generator) -> pa.Table:
    """What a model may know of users; a few attributes are missing."""
    count = len(users.age)
    city = pa.array([f"city{k}" for k in users.city], mask=rng.random(count) < _MISSING)
    return pa.table(
        {
            "user_id": np.arange(count),
            "age_band": pa.array(users.age, mask=rng.random(count) < _MISSING),
            "city": city,
            "segment": users.segment,
            "device": users.device,
            "weeks_since_signup": users.tenure,
        }
    )


def item_table(items: Items) -> pa.Table:
    """What a model may know of items."""
    return pa.table(
        {
            "item_id": np.arange(len(items.author)),
            "author_id": items.author,
            "category": [f"category{k}" for k in items.category],
            "tag": items.tag,
            "format": items.format,
            "duration_ms": items.duration_ms,
            "price": items.price,
        }
    )


def _table(kinds: int, rng: np.random.Generator) -> Floats:
    return np.asarray(rng.normal(size=(kinds, _RANK)))


def _zipf(count: int, power: float) -> Floats:
    weights: Floats = np.arange(1, count + 1, dtype=np.float64) ** -power
    shares: Floats = weights / weights.sum()
    return shares


def _skewed(kinds: int, count: int, rng: np.random.Generator, power: float) -> Ints:
    return _draw(_zipf(kinds, power), count, rng)


def _draw(weights: Floats, count: int, rng: np.random.Generator) -> Ints:
    edges = np.cumsum(weights)
    drawn: Ints = np.minimum(np.searchsorted(edges, rng.random(count) * edges[-1], side="right"), len(weights) - 1)
    return drawn


def _arrivals(count: int, days: int, before: float, rng: np.random.Generator) -> Floats:
    """Day of arrival: a share before the log starts (day 0), the others evenly over it; someone is always there."""
    arrival = np.where(rng.random(count) < before, -rng.exponential(30.0, count), rng.random(count) * days)
    arrival[0] = min(arrival[0], -1.0)
    return arrival
