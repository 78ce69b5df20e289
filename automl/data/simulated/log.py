"""A click log whose true probabilities are known, so that the best NE anyone can reach is known too."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from automl.data.columns.times import midnight
from automl.data.simulated.logits import LABELS, RATES, Logit, Rates, fitted
from automl.data.simulated.world import (
    Views,
    World,
    click_parts,
    convert_parts,
    draw_views,
    item_table,
    make_world,
    parts_of,
    user_table,
)
from automl.data.tables.windows import WINDOWS
from automl.files.passed import Passed, unheard
from automl.files.whole import whole_files
from automl.stats.metrics import NESums
from search_spaces.errors import InputError

_CHUNK = 200_000
_PILOT = 50_000


@dataclass(frozen=True, slots=True)
class Simulation:
    """A written log: its windows as days, and Bayes NE and base rate of each label in each window."""

    folder: Path
    windows: Mapping[str, tuple[dt.date, dt.date]]
    timezone: str
    bayes_ne: Mapping[str, Mapping[str, float]]
    base_rate: Mapping[str, Mapping[str, float]]


def simulate(
    out: Path,
    *,
    rows: int = 200_000,
    users: int = 4_000,
    items: int = 1_500,
    days: int = 8,
    seed: int = 0,
    start: dt.date = dt.date(2024, 3, 4),
    timezone: str = "UTC",
    rates: Rates = RATES,
    passed: Passed = unheard,
) -> Simulation:
    """Write log.parquet, users.parquet, items.parquet, truth.json and truth.parquet to `out`, all of them or none.

    truth.parquet holds the true probabilities, row for row of the log: never a feature. `dwell_ms` of the log is known
    only after a click, as such columns are in real logs. Equal arguments write equal files. `passed` hears how far it
    is.

    Raises:
        InputError: where the sizes leave a window without rows, or a file is already there.
    """
    _check(out, rows, users, items, days, rates)
    world = make_world(users, items, days, np.random.default_rng([seed, 0]))
    click, convert = _calibrated(world, days, rates, np.random.default_rng([seed, 1]))
    spans = _window_days(days)
    sums = {label: {name: NESums() for name in WINDOWS} for label in LABELS}
    origin = midnight(start, timezone) // 10**6
    settings = {"rows": rows, "users": users, "items": items, "days": days, "seed": seed, **asdict(rates)}
    with whole_files(out, "log.parquet") as part:
        pq.write_table(user_table(world.users, np.random.default_rng([seed, 2])), part / "users.parquet")
        pq.write_table(item_table(world.items), part / "items.parquet")
        log, truth = _writer(part / "log.parquet", _LOG), _writer(part / "truth.parquet", _TRUTH)
        done_rows = 0
        with log, truth:
            for day, views, rng in _days(world, rows, days, seed):
                parts = parts_of(world, views)
                p_click, p_convert = click.probability(parts), convert.probability(parts)
                clicked = rng.random(len(p_click)) < p_click
                converted = clicked & (rng.random(len(p_click)) < p_convert)
                dwell = np.where(clicked, rng.gamma(2.0, 4000.0, len(p_click)), 0.0).astype(np.int64)
                stamp = origin + (views.second * 1000).astype(np.int64)
                columns = [views.user, views.item, stamp, views.tab, clicked, converted, dwell]
                log.write_table(pa.table([pa.array(c).cast(f.type) for c, f in zip(columns, _LOG, strict=True)], _LOG))
                truth.write_table(pa.table([p_click, p_convert], _TRUTH))
                done_rows += len(p_click)
                passed("rows simulated", done_rows, rows)
                window = next(name for name, (first, last) in spans.items() if first <= day <= last)
                sums["click"][window] += NESums.of(clicked, p_click)
                sums["convert"][window] += NESums.of(converted[clicked], p_convert[clicked])
        done = Simulation(
            folder=out,
            windows={n: (start + dt.timedelta(a), start + dt.timedelta(b)) for n, (a, b) in spans.items()},
            timezone=timezone,
            bayes_ne={label: {name: part.ne for name, part in sums[label].items()} for label in LABELS},
            base_rate={label: {name: part.base_rate for name, part in sums[label].items()} for label in LABELS},
        )
        _write_truth(part, done, settings)
    return done


_LOG = pa.schema(
    [
        ("user_id", pa.int64()),
        ("item_id", pa.int64()),
        ("time_ms", pa.int64()),
        ("tab", pa.int8()),
        ("click", pa.int8()),
        ("convert", pa.int8()),
        ("dwell_ms", pa.int64()),
    ]
)
_TRUTH = pa.schema([("p_click", pa.float64()), ("p_convert_given_click", pa.float64())])


def _check(out: Path, rows: int, users: int, items: int, days: int, rates: Rates) -> None:
    for name, value, least in (("days", days, 3), ("users", users, 1), ("items", items, 1), ("rows", rows, 100 * days)):
        if value < least:
            raise InputError.of("simulate", f"{name} must be at least {least}", str(value))
    for name, share in asdict(rates).items():
        if not 0 < share < 1:
            raise InputError.of("simulate", f"{name} must be between 0 and 1", f"{share:g}")
    there = [name for name in ("log.parquet", "users.parquet", "items.parquet") if (out / name).exists()]
    if there:
        raise InputError.of(str(out), "must be a folder without a log", ", ".join(there))


def _days(world: World, rows: int, days: int, seed: int) -> Iterator[tuple[int, Views, np.random.Generator]]:
    """Views day by day, in pieces of at most _CHUNK rows, each with a generator of its own."""
    ends = np.linspace(0, rows, days + 1).astype(int)
    for day, count in enumerate(np.diff(ends)):
        rng = np.random.default_rng([seed, 3, day])
        views = draw_views(world, day, int(count), rng)
        for first in range(0, int(count), _CHUNK):
            piece = slice(first, first + _CHUNK)
            yield day, Views(views.user[piece], views.item[piece], views.tab[piece], views.second[piece]), rng


def _calibrated(world: World, days: int, rates: Rates, rng: np.random.Generator) -> tuple[Logit, Logit]:
    """Scale and intercept of both logits, from a pilot of all days: base rate and Bayes NE as asked."""
    views = [draw_views(world, day, _PILOT // days, rng) for day in range(days)]
    pilot = Views(*(np.concatenate([getattr(v, name) for v in views]) for name in ("user", "item", "tab", "second")))
    parts = parts_of(world, pilot)
    even = np.ones(len(pilot.user))
    click = fitted(click_parts, parts, rates.click, rates.click_ne, even)
    return click, fitted(convert_parts, parts, rates.convert, rates.convert_ne, click.probability(parts))


def _window_days(days: int) -> dict[str, tuple[int, int]]:
    """The last seventh of the days is the test window, the seventh before it validates."""
    held = max(1, round(days / 7))
    ends = (days - 2 * held, days - held, days)
    return {name: (start, end - 1) for name, start, end in zip(WINDOWS, (0, *ends), ends, strict=False)}


def _writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    return pq.ParquetWriter(path, schema)


def _write_truth(folder: Path, done: Simulation, settings: Mapping[str, object]) -> None:
    days = {name: [str(first), str(last)] for name, (first, last) in done.windows.items()}
    facts = {
        "bayes_ne": done.bayes_ne,
        "base_rate": done.base_rate,
        "windows": days,
        "timezone": done.timezone,
        "settings": settings,
    }
    (folder / "truth.json").write_text(json.dumps(facts, indent=2) + "\n")
