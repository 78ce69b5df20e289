"""A click log that drifts, over domains that differ, with labels that come late; its true probabilities are known.

The world of world.py, and on top of it:

    domains      an intercept of its own and a rotation of the users' latent vectors, both scaled by `bias`
    drift        by day: one more rotation of all latent vectors, walks of the items' appeal, of tab x category and of
                 the base rate; more users and items arrive during the log, popularity fades faster
    labels       click, and convert given a click; the row's labels arrive after an exponential delay, or never
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from automl.data.columns.times import midnight
from automl.data.simulated.drift import Domains, domain_parts, drifting, make_domains
from automl.data.simulated.logits import LABELS, RATES, Logit, Rates, fitted, sigmoid
from automl.data.simulated.world import (
    Floats,
    Ints,
    World,
    click_parts,
    convert_parts,
    draw_views,
    item_table,
    make_world,
    user_table,
)
from automl.files.passed import Passed, unheard
from automl.files.whole import whole_files
from automl.stats.metrics import NESums
from search_spaces.errors import InputError, Mistake, Position

_PILOT = 50_000
_FILES = ("log.parquet", "users.parquet", "items.parquet", "truth.parquet")
_LOG = pa.schema(
    [
        ("user_id", pa.int64()),
        ("item_id", pa.int64()),
        ("time_ms", pa.int64()),
        ("domain", pa.int8()),
        ("tab", pa.int8()),
        ("click", pa.int8()),
        ("convert", pa.int8()),
        ("label_time_ms", pa.int64()),
    ]
)
_TRUTH = pa.schema([("p_click", pa.float64()), ("p_convert_given_click", pa.float64())])

Drawn = tuple[NDArray[np.bool_], Floats]  # labels and their true probabilities
Figures = Mapping[str, Mapping[str, float]]  # label -> day or domain -> figure


@dataclass(frozen=True, slots=True)
class StreamSimulation:
    """A written stream. Bayes NE and base rate of each label by day and by domain; `all` is the whole log."""

    folder: Path
    days: tuple[dt.date, ...]
    timezone: str
    bayes_ne_by_day: Figures
    bayes_ne_by_domain: Figures
    base_rate_by_day: Figures
    base_rate_by_domain: Figures


def simulate_stream(
    out: Path,
    *,
    rows: int = 200_000,
    users: int = 4_000,
    items: int = 1_500,
    days: int = 14,
    seed: int = 0,
    domains: int = 3,
    drift: float = 0.3,
    bias: float = 0.5,
    delay_hours: float = 2.0,
    never: float = 0.02,
    start: dt.date = dt.date(2024, 3, 4),
    timezone: str = "UTC",
    rates: Rates = RATES,
    passed: Passed = unheard,
) -> StreamSimulation:
    """Write log.parquet, users.parquet, items.parquet, truth.json and truth.parquet to `out`, all of them or none.

    `label_time_ms` is when the row's labels are known, null where they never are (a share `never` of the rows); what
    they would have been is in the log all the same. truth.parquet holds the true probabilities, row for row. Equal
    arguments write equal files.

    Raises:
        InputError: where an argument is out of its range, or a file is already there.
    """
    _check(out, rows, users, items, days, domains, drift, bias, delay_hours, never)
    first = make_world(users, items, days, np.random.default_rng([seed, 10]), before=0.85 - 0.45 * drift)
    worlds, levels = drifting(first, days, drift, np.random.default_rng([seed, 11]))
    kinds = make_domains(domains, bias, np.random.default_rng([seed, 12]))
    fade = 10.0 / (1.0 + 2.0 * drift)
    click, convert = _calibrated(worlds, kinds, rates, fade, np.random.default_rng([seed, 13]))
    ends = np.linspace(0, rows, days + 1).astype(int)
    dates = tuple(start + dt.timedelta(days=day) for day in range(days))
    sums = _Sums()
    settings = {
        "rows": rows, "users": users, "items": items, "days": days, "seed": seed, "domains": domains, "drift": drift,
        "bias": bias, "delay_hours": delay_hours, "never": never,
    }  # fmt: skip
    with whole_files(out, "log.parquet") as part:
        pq.write_table(user_table(first.users, np.random.default_rng([seed, 14])), part / "users.parquet")
        pq.write_table(item_table(first.items), part / "items.parquet")
        with (
            pq.ParquetWriter(part / "log.parquet", _LOG) as log,
            pq.ParquetWriter(part / "truth.parquet", _TRUTH) as truth,
        ):
            for day, count in enumerate(np.diff(ends)):
                rng = np.random.default_rng([seed, 15, day])
                views = draw_views(worlds[day], day, int(count), rng, fade)
                domain = rng.choice(domains, len(views.user), p=kinds.share)
                parts = domain_parts(worlds[day], views, domain, kinds)
                p_click = sigmoid(click.value(parts) + kinds.shift[domain] + levels[day])
                p_convert = sigmoid(convert.value(parts) - 0.5 * kinds.shift[domain] + levels[day])
                clicked = rng.random(len(p_click)) < p_click
                converted = clicked & (rng.random(len(p_click)) < p_convert)
                at = midnight(dates[day], timezone) // 10**6 + ((views.second - day * 86400.0) * 1000).astype(np.int64)
                late = at + (rng.exponential(delay_hours * 3_600_000.0, len(at))).astype(np.int64)
                known = pa.array(late, mask=rng.random(len(at)) < never)
                columns = [views.user, views.item, at, domain, views.tab, clicked, converted, known]
                log.write_table(pa.table([pa.array(c).cast(f.type) for c, f in zip(columns, _LOG, strict=True)], _LOG))
                truth.write_table(pa.table([p_click, p_convert], _TRUTH))
                passed("rows simulated", int(ends[day + 1]), rows)
                sums.add(str(dates[day]), domain, (clicked, p_click), (converted[clicked], p_convert[clicked]), clicked)
        done = StreamSimulation(out, dates, timezone, *sums.figures())
        _write_truth(part, done, settings)
    return done


def _check(
    out: Path, rows: int, users: int, items: int, days: int, domains: int, drift: float, bias: float,
    delay_hours: float, never: float,
) -> None:  # fmt: skip
    least: list[tuple[str, float, float]] = [
        ("days", days, 2), ("users", users, 1), ("items", items, 1), ("rows", rows, 100 * days)
    ]  # fmt: skip
    spans: list[tuple[str, float, float, float]] = [
        ("domains", domains, 1, 100), ("drift", drift, 0, 1), ("bias", bias, 0, 5), ("never", never, 0, 0.99),
        ("delay_hours", delay_hours, 0, 10_000),
    ]  # fmt: skip
    wrong = [(f"{name} must be at least {low}", value) for name, value, low in least if value < low]
    wrong += [(f"{name} must be from {a} to {b}", value) for name, value, a, b in spans if not a <= value <= b]
    mistakes = [Mistake(Position("simulate_stream"), must, f"{value:g}") for must, value in wrong]
    there = [name for name in _FILES if (out / name).exists()]
    if there:
        mistakes.append(Mistake(Position(str(out)), "must be a folder without a log", ", ".join(there)))
    if mistakes:
        raise InputError(mistakes)


def _calibrated(
    worlds: Sequence[World], kinds: Domains, rates: Rates, fade: float, rng: np.random.Generator
) -> tuple[Logit, Logit]:
    """Scale and intercept of both logits, from a pilot of all days and domains without their shifts."""
    pieces = []
    for day, world in enumerate(worlds):
        views = draw_views(world, day, max(1, _PILOT // len(worlds)), rng, fade)
        pieces.append(domain_parts(world, views, rng.choice(len(kinds.share), len(views.user), p=kinds.share), kinds))
    parts = {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
    click = fitted(click_parts, parts, rates.click, rates.click_ne, np.ones(len(parts["pair"])))
    return click, fitted(convert_parts, parts, rates.convert, rates.convert_ne, click.probability(parts))


class _Sums:
    """NE of the true probabilities, by day and by domain."""

    def __init__(self) -> None:
        self._by: tuple[dict[str, dict[str, NESums]], ...] = tuple({name: {} for name in LABELS} for _ in range(2))

    def add(self, day: str, domain: Ints, click: Drawn, convert: Drawn, clicked: NDArray[np.bool_]) -> None:
        for label, (y, p), kind in zip(LABELS, (click, convert), (domain, domain[clicked]), strict=True):
            by_day, by_domain = (part[label] for part in self._by)
            here = NESums.of(y, p)
            for table, name in ((by_day, day), (by_day, "all")):
                table[name] = table.get(name, NESums()) + here
            for d in np.unique(kind):
                own = NESums.of(y[kind == d], p[kind == d])
                by_domain[str(d)] = by_domain.get(str(d), NESums()) + own

    def figures(self) -> tuple[Figures, Figures, Figures, Figures]:
        def of(part: dict[str, dict[str, NESums]], name: str) -> Figures:
            return {label: {key: getattr(sums, name) for key, sums in table.items()} for label, table in part.items()}

        by_day, by_domain = self._by
        return of(by_day, "ne"), of(by_domain, "ne"), of(by_day, "base_rate"), of(by_domain, "base_rate")


def _write_truth(folder: Path, done: StreamSimulation, settings: dict[str, int | float]) -> None:
    facts = {
        "bayes_ne": {"day": done.bayes_ne_by_day, "domain": done.bayes_ne_by_domain},
        "base_rate": {"day": done.base_rate_by_day, "domain": done.base_rate_by_domain},
        "days": [str(day) for day in done.days],
        "timezone": done.timezone,
        "settings": settings,
    }
    (folder / "truth.json").write_text(json.dumps(facts, indent=2) + "\n")
