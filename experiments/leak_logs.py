"""Generated logs of users and items: with one thing that gives the label away, and honest ones that look suspicious.

N rows in the order of time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

SECOND = 10**9
DAY = 86_400 * SECOND
START = 1_709_251_200 * SECOND  # 2024-03-01 UTC
DAYS, USERS, ITEMS = 12, 3000, 800
CLOCK, ORDER = "time", "rows"  # places of a leak that is no column
Generator = np.random.Generator
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class World:
    """A log whose clicks hang on user and item, with what only its maker knows: the true taste of each user."""

    log: pd.DataFrame
    taste: Floats


def world(rows: int, seed: int, base: float) -> World:
    """Rows by time to the millisecond; `price` is the item's."""
    rng = np.random.default_rng([seed, 0])
    user, item = rng.zipf(1.3, rows) % USERS, rng.zipf(1.2, rows) % ITEMS
    when = START + np.sort(rng.integers(0, DAYS * 86_400_000, rows)) * 10**6
    taste, appeal = rng.normal(0, 0.7, USERS), rng.normal(0, 0.7, ITEMS)
    logit = np.log(base / (1 - base)) + taste[user] + appeal[item]
    price = np.exp(rng.normal(0, 1, ITEMS))[item].round(2)
    clicked = rng.random(rows) < 1 / (1 + np.exp(-logit))
    log = pd.DataFrame({"user": user, "item": item, "price": price, "time": when, "click": clicked.astype(np.int8)})
    return World(log, taste)


Made = Callable[[World, Generator], pd.DataFrame]


# Times ------------------------------------------------------------------------------------------------------------


def _drawn(log: pd.DataFrame, rng: Generator) -> pd.DataFrame:
    """Unclicked rows of the same users, with items drawn from all."""
    other = log.iloc[rng.permutation(len(log))]
    return log.assign(click=0, item=other["item"].to_numpy(), price=other["price"].to_numpy())


def _gap_before_positives(of: World, rng: Generator) -> pd.DataFrame:
    twin = _drawn(of.log[of.log["click"] == 1], rng)
    return pd.concat([of.log, twin.assign(time=twin["time"] - 30 * SECOND)])


def _gap_of_a_few(of: World, rng: Generator) -> pd.DataFrame:
    """A twentieth of the positives is given away."""
    twin = _drawn(of.log[(of.log["click"] == 1) & (rng.random(len(of.log)) < 0.05)], rng)
    return pd.concat([of.log, twin.assign(time=twin["time"] - 30 * SECOND)])


def _negatives_a_second_apart(of: World, rng: Generator) -> pd.DataFrame:
    clicked = of.log[of.log["click"] == 1]
    drawn = [_drawn(clicked, rng).assign(time=clicked["time"] + k * SECOND) for k in range(1, 5)]
    return pd.concat([clicked, *drawn])


def _whole_negatives(of: World, rng: Generator) -> pd.DataFrame:
    whole = of.log["time"] // SECOND * SECOND
    return of.log.assign(time=whole.where(of.log["click"] == 0, of.log["time"]))


def _sorted_ties(of: World, rng: Generator) -> pd.DataFrame:
    tied = of.log.assign(time=of.log["time"].to_numpy()[np.arange(len(of.log)) // 5 * 5])
    return tied.sort_values(["time", "click"], ascending=[True, False], kind="stable")


def _positives_late_in_the_day(of: World, rng: Generator) -> pd.DataFrame:
    of_day = of.log["time"] % DAY
    half = (of_day // 2).where(of.log["click"] == 0, of_day // 2 + DAY // 2)
    return of.log.assign(time=of.log["time"] // DAY * DAY + half)


def _pattern(of: World, rng: Generator) -> pd.DataFrame:
    return of.log.assign(click=np.arange(len(of.log)) % 5 == 0).astype({"click": np.int8})


# Columns ----------------------------------------------------------------------------------------------------------


def _column(values: Callable[[World, Generator], object]) -> Made:
    return lambda of, rng: of.log.assign(extra=values(of, rng))


def _rate(log: pd.DataFrame, *keys: str) -> pd.Series:
    return log.groupby(list(keys))["click"].transform("mean")


def _click_id(of: World, rng: Generator) -> object:
    return np.where(of.log["click"] == 1, np.char.add("c", np.arange(len(of.log)).astype(str)), None)


def _skip_reason(of: World, rng: Generator) -> object:
    told = (of.log["click"] == 0) & (rng.random(len(of.log)) < 0.1)
    return np.where(told, rng.choice(["seen", "boring"], len(of.log)), None)


def _some_positives(of: World, rng: Generator) -> object:
    return ((of.log["click"] == 1) & (rng.random(len(of.log)) < 0.05)).astype(np.int8)


def _noisy_answer(of: World, rng: Generator) -> object:
    return of.log["click"] + rng.normal(0, 0.25, len(of.log))


def _day(of: World) -> pd.DataFrame:
    return of.log.assign(day=of.log["time"] // DAY)


def _own_row(of: World, rng: Generator) -> object:
    by = of.log.groupby("item")["click"]
    return (by.cumsum() + 1) / (by.cumcount() + 6)


def _all_others(of: World, rng: Generator) -> object:
    by = of.log.groupby("user")["click"]
    return (by.transform("sum") - of.log["click"] + 1) / (by.transform("size") + 4)


# Honest -----------------------------------------------------------------------------------------------------------


def _past_rate(of: World, rng: Generator) -> object:
    by = of.log.groupby("user")["click"]
    return (by.cumsum() - of.log["click"] + 1) / (by.cumcount() + 5)


def _day_before(of: World, rng: Generator) -> object:
    """The item's rate of all days before, as a nightly job would write it."""
    daily = _day(of).groupby(["item", "day"])["click"].agg(["sum", "size"])
    before = daily.groupby("item").cumsum() - daily
    rate = ((before["sum"] + 2) / (before["size"] + 10)).rename("extra")
    return _day(of).join(rate, on=["item", "day"])["extra"]


def _clicks_so_far(of: World, rng: Generator) -> object:
    return of.log.groupby("user")["click"].cumsum() - of.log["click"]


def _known_taste(of: World, rng: Generator) -> object:
    return of.taste[of.log["user"]]


def _from_push(of: World, rng: Generator) -> object:
    """A flag of 2% of the rows, where clicks are three times as likely."""
    return (rng.random(len(of.log)) < np.where(of.log["click"] == 1, 0.04, 0.013)).astype(np.int8)


def _cart(of: World, rng: Generator) -> object:
    return of.log.groupby("user")["price"].transform(lambda prices: prices.rank().astype(int) % 7)


def _since_last(of: World, rng: Generator) -> object:
    return of.log.groupby("user")["time"].diff() / SECOND


def _lists(of: World, rng: Generator) -> pd.DataFrame:
    """Lists of 5 to 20 items of one time; exactly one of each is clicked, rather one at its top."""
    lengths = rng.integers(5, 21, len(of.log) // 12)
    of_row = np.repeat(np.arange(len(lengths)), lengths)[: len(of.log)]
    first = np.searchsorted(of_row, of_row)
    position = np.arange(len(of_row)) - first
    luck = rng.gumbel(size=len(of_row)) - 0.3 * position
    best = pd.Series(luck).groupby(of_row).transform("max") == luck
    log = of.log.iloc[: len(of_row)]
    return log.assign(
        click=best.to_numpy().astype(np.int8), time=log["time"].to_numpy()[first],
        user=log["user"].to_numpy()[first], extra=lengths[of_row],
    )  # fmt: skip


def _beats(of: World, rng: Generator) -> pd.DataFrame:
    """Every user sees a row each 30 s, to the millisecond."""
    ordinal = of.log.groupby("user").cumcount()
    begin = START + of.log["user"] * 7_919 % 43_200 * SECOND
    return of.log.assign(time=begin + ordinal % DAYS * DAY + ordinal // DAYS * 30 * SECOND)


def _minutes(of: World, rng: Generator) -> pd.DataFrame:
    return of.log.assign(time=of.log["time"] // (60 * SECOND) * 60 * SECOND)


def _moods(of: World, rng: Generator) -> pd.DataFrame:
    """A state of the user, known before, that clicks repeat six times in ten."""
    log = of.log.sort_values(["user", "time"], kind="stable")
    before = log.groupby("user")["click"].shift(1, fill_value=0).to_numpy()
    click = np.where(rng.random(len(log)) < 0.6, before, log["click"])
    return log.assign(click=click.astype(np.int8), extra=before).sort_values("time", kind="stable")


@dataclass(frozen=True, slots=True)
class Trap:
    """A log in words, and where it leaks; `follows`: what may be named besides, since the leak shows there too."""

    make: Made
    leaks: tuple[str, ...] = ()
    kind: str = ""  # of the column `extra`: categorical or dense
    follows: tuple[str, ...] = ()


LOGS: Mapping[str, Trap] = {
    "a row exactly 30 s before each positive": Trap(_gap_before_positives, (CLOCK,)),
    "a row exactly 30 s before one positive in 20": Trap(_gap_of_a_few, (CLOCK,)),
    "negatives drawn a second apart": Trap(_negatives_a_second_apart, (CLOCK,), follows=(ORDER,)),
    "negatives with times to the second": Trap(_whole_negatives, (CLOCK,)),
    "rows of one time sorted by the label": Trap(_sorted_ties, (CLOCK,)),
    "positives late in the day": Trap(_positives_late_in_the_day, (CLOCK,), follows=(ORDER, "@hour")),
    "every fifth row is positive": Trap(_pattern, (ORDER,)),
    "an id that clicks have": Trap(_column(_click_id), ("extra",), "categorical"),
    "a reason why it was skipped": Trap(_column(_skip_reason), ("extra",), "categorical"),
    "a flag of one positive in 20": Trap(_column(_some_positives), ("extra",), "dense"),
    "the label with noise": Trap(_column(_noisy_answer), ("extra",), "dense"),
    "rate of the item": Trap(_column(lambda of, rng: _rate(of.log, "item")), ("extra",), "dense"),
    "rate of the item, two digits": Trap(_column(lambda of, rng: _rate(of.log, "item").round(2)), ("extra",), "dense"),
    "rate of the user, log": Trap(_column(lambda of, rng: np.log(_rate(of.log, "user") + 0.01)), ("extra",), "dense"),
    "rate of the user, ten steps": Trap(
        _column(lambda of, rng: (_rate(of.log, "user") * 10).round().astype(int)), ("extra",), "categorical"
    ),
    "rate of the item's day": Trap(_column(lambda of, rng: _rate(_day(of), "item", "day")), ("extra",), "dense"),
    "rate of the user and item": Trap(_column(lambda of, rng: _rate(of.log, "user", "item")), ("extra",), "dense"),
    "running rate with its own row": Trap(_column(_own_row), ("extra",), "dense"),
    "rate of all other rows": Trap(_column(_all_others), ("extra",), "dense"),
    "as it is": Trap(lambda of, rng: of.log),
    "times to the minute": Trap(_minutes),
    "a row each 30 s": Trap(_beats),
    "lists with one click each": Trap(_lists, kind="dense"),
    "moods": Trap(_moods, kind="dense"),
    "running rate of earlier rows": Trap(_column(_past_rate), kind="dense"),
    "the item's rate up to the day before": Trap(_column(_day_before), kind="dense"),
    "clicks so far": Trap(_column(_clicks_so_far), kind="dense"),
    "the user's true taste": Trap(_column(_known_taste), kind="dense"),
    "a flag where clicks are likelier": Trap(_column(_from_push), kind="dense"),
    "a cart": Trap(_column(_cart), kind="dense"),
    "seconds since the user's last row": Trap(_column(_since_last), kind="dense"),
}
