"""Which column of which table each part of a stream's description is."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from automl.data.columns.times import is_number, midnight
from automl.data.describe.streams import StreamDataConfig
from automl.data.tables.finder import Finder, open_all, timezone_mistakes
from automl.data.tables.sources import Tables, at_nothing
from automl.data.tables.windows import Locate
from search_spaces.errors import InputError
from search_spaces.source import did_you_mean


@dataclass(frozen=True, slots=True)
class StreamPlan(Tables[StreamDataConfig]):
    """A description of a stream that fits its tables."""

    @property
    def span(self) -> tuple[int, int] | None:
        """Half-open nanoseconds UTC of the days that are asked for; None: all."""
        if self.config.days is None:
            return None
        first, last = self.config.days
        return midnight(first, self.timezone), midnight(last + dt.timedelta(days=1), self.timezone)

    def place(self, column: str) -> int:
        """Place of a column among the coded ones."""
        return next(k for k, source in enumerate(self.coded) if source.column == column)


def make_stream_plan(config: StreamDataConfig, base: Path, at: Locate = at_nothing) -> StreamPlan:
    """Open the tables and find the columns.

    Raises:
        InputError: with every mistake that the description and the schemas of its tables show.
    """
    log, *sides = open_all(config, base, at)
    known_later: dict[str, str] = {}
    for label in config.labels.values():
        known_later[label.column] = "a label"
        known_later |= {} if label.given is None else {label.given: "what a label is given"}
        known_later |= {} if label.arrives is None else {label.arrives: "when a label arrives"}
    finder = Finder(config, at, log, tuple(sides), known_later)
    finder.mistakes += timezone_mistakes(config.time.timezone, at)
    finder.time_and_keys()
    named = _labels(config, finder)
    if config.example_id is not None and finder.in_log(config.example_id, "example_id"):
        named.append(config.example_id)
    columns = finder.columns(config.segments.items())
    counted = _counted(config, finder)
    if finder.mistakes:
        raise InputError(finder.mistakes)
    return StreamPlan(
        config=config, at=at, log=log, sides=tuple(sides), **columns, timezone=config.time.timezone,
        named=tuple(named), whole_rows=config.drop_duplicates or config.example_id is None, counted=counted,
    )  # fmt: skip


def _labels(config: StreamDataConfig, finder: Finder) -> list[str]:
    """Columns of the labels; a numeric time of arrival is in the unit of the time itself."""
    named: list[str] = []
    log = finder.log
    for name, label in config.labels.items():
        finder.in_log(label.column, "labels", name, "column")
        finder.in_log(label.given, "labels", name, "given")
        named += [column for column in (label.column, label.given, label.arrives) if column is not None]
        if label.arrives is None or not finder.in_log(label.arrives, "labels", name, "arrives"):
            continue
        finder.check_time(label.arrives, "labels", name, "arrives")
        if is_number(log.type_of(label.arrives)) and config.time.column in log.columns:
            kind = log.type_of(config.time.column)
            if not is_number(kind):
                must = f"{label.arrives} must be of the kind of the time {config.time.column}"
                finder.note(must, f"{log.type_of(label.arrives)} and {kind}", "", "labels", name, "arrives")
    return named


def _counted(config: StreamDataConfig, finder: Finder) -> tuple[tuple[int, ...], ...]:
    names = list(config.labels)
    found: list[list[int]] = []
    for b, block in enumerate(config.features.blocks):
        found.append([])
        for k, label in enumerate(block.labels):
            name = config.counted(label)
            if name is None:
                path = (*config.features.block_path(b), "labels", k)
                finder.note(f"{label} must be a label of the stream", "none", did_you_mean(label, names), *path)
            else:
                found[b].append(names.index(name))
    return tuple(map(tuple, found))
