"""A first data description from the columns of a table: time, label, features, windows, and what looks like a leak."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from automl.data.columns.numbers import as_floats
from automl.data.columns.times import Unit, midnight, nanoseconds, unit_of
from automl.data.describe.text import CsvConfig
from automl.data.draft.dates import form_of, is_day, is_time, looks_like_a_time
from automl.data.draft.profile import Column, after_the_label, labels_of, sample_columns
from automl.data.draft.roles import (
    FEW,
    WIDE,
    grows_with,
    is_categorical,
    is_new_later,
    may_be_ids,
    reason_against,
    transform_of,
)
from automl.data.tables.finder import missing_column, other_separator
from automl.data.tables.table import Table, open_table
from automl.data.tables.windows import WINDOWS
from automl.files.passed import Passed, unheard
from search_spaces.errors import InputError, Position

_LABEL_NAMES = ("click", "is_click", "clicked", "label", "target", "y", "is_clicked", "ctr")
_OF_TIMES = "lists of times: those of a sequence's events are its `times`"
_WEIGHT_NAMES = ("weight", "sample_weight")


@dataclass(frozen=True, slots=True)
class Draft:
    """What was guessed. `left_out` says of each column that is no feature why; all of it is for a person to edit."""

    path: str
    rows: int
    label: str
    base_rate: float
    time: str | None
    unit: Unit | None
    timezone: str
    windows: tuple[tuple[dt.date, dt.date], ...]  # train, validate, test; empty where the log spans under three days
    categorical: tuple[tuple[str, int], ...]  # column, min_count
    dense: tuple[tuple[str, str], ...]  # column, transform
    vectors: tuple[tuple[str, int], ...]  # column, numbers of each
    left_out: tuple[tuple[str, str], ...]  # column, reason
    weight: str | None
    cluster: str | None
    form: str | None = None  # of strptime, where the time is days or hours as they are written
    separator: str | None = None  # of a text file, where its name does not tell
    hours: bool = True  # whether the time tells them
    lists: tuple[tuple[str, str], ...] = ()  # column, and the id feature whose ids its lists hold

    def lines(self) -> list[str]:
        """What was found, for a person to read."""
        clock = f"time `{self.time}` ({self._unit_words}), " if self.time else "no time, "
        counts = f"{len(self.categorical)} categorical, {len(self.dense)} dense"
        counts += f", {len(self.vectors)} of vectors" if self.vectors else ""
        lines = [f"{clock}label `{self.label}` ({100 * self.base_rate:.1f}% positive), {counts}"]
        by_reason: dict[str, list[str]] = {}
        for name, reason in self.left_out:
            by_reason.setdefault(reason, []).append(name)
        if self.lists:
            lines.append(f"lists of ids, commented: {', '.join(f'{name} (of {of})' for name, of in self.lists)}")
        return lines + [f"left out, commented: {', '.join(names)} ({reason})" for reason, names in by_reason.items()]

    def yaml(self, path: Path | str | None = None) -> str:
        """The `data` part of a study file; what is left out stands in it as comments."""
        lines = ["data:", f"  path: {_word(str(path or self.path))}"]
        if self.separator is not None:
            lines.append(f"  csv: {{separator: {json.dumps(self.separator)}}}")
        if self.time is not None:
            unit = f"unit: {self.unit}, " if self.unit else f"format: {json.dumps(self.form)}, " if self.form else ""
            lines.append(f"  time: {{column: {_word(self.time)}, {unit}timezone: {self.timezone}}}")
        lines.append(f"  label: {_word(self.label)}    # {100 * self.base_rate:.1f}% positive")
        lines += [
            f"  {key}: {_word(name)}" for key, name in (("weight", self.weight), ("cluster", self.cluster)) if name
        ]
        lines += ["  features:", "    categorical:"]
        lines += [
            f"      {_word(n)}: {{{f'min_count: {least}' if least > 1 else ''}}}" for n, least in self.categorical
        ]
        lines += ['      "@hour": {}    # made from the time'] if self.time and self.hours else []
        if self.dense:
            lines.append("    dense:")
            lines += [f"      {_word(n)}: {{{'transform: log' if how == 'log' else ''}}}" for n, how in self.dense]
        if self.vectors:
            lines.append("    vectors:")
            lines += [f"      {_word(name)}: {{}}    # {width} numbers" for name, width in self.vectors]
        if self.lists:
            lines.append("    # sequence:    # where the lists are known before the row")
            lines += [f"    #   {_word(name)}: {{of: {_word(of)}}}" for name, of in self.lists]
        if self.left_out:
            lines.append("    # left out; move a line up to use it:")
            lines += [f"    #   {_word(name)}: {{}}    # {reason}" for name, reason in self.left_out]
        return "\n".join([*lines, *self._split_lines()])

    def _split_lines(self) -> list[str]:
        if not self.windows:
            why = "# at random: no time of three days or more was found"
            return ["  split:", f"    random: {{train: 0.8, validate: 0.1, test: 0.1}}    {why}"]
        spans = zip(WINDOWS, self.windows, strict=True)
        return ["  split:    # days, both ends included", *(f"    {name}: [{a}, {b}]" for name, (a, b) in spans)]

    @property
    def _unit_words(self) -> str:
        return ", ".join(word for word in (self.unit or self.form, self.timezone) if word)


def _word(text: str) -> str:
    """A YAML scalar that is read as this text and nothing else."""
    plain = re.fullmatch(r"[A-Za-z_/][\w./-]*", text) and text.lower() not in (
        "true",
        "false",
        "null",
        "yes",
        "no",
        "on",
        "off",
    )
    return text if plain else json.dumps(text, ensure_ascii=False)


def draft(
    path: Path | str,
    base: Path | None = None,
    *,
    label: str | None = None,
    timezone: str = "UTC",
    passed: Passed = unheard,
) -> Draft:
    """Guess a data description from a sample of a table; `path` is relative to `base`, else to the current folder.

    Raises:
        InputError: where the table cannot be read, or no column can be the label.
    """
    path = str(path)
    table, separator = _opened(path, base or Path())
    sample = sample_columns(table, passed)
    columns = sample.columns
    if not columns:
        raise InputError.of(path, "must hold rows", "none")
    label = _label(path, columns, label)
    labels = labels_of(columns, label)
    others = [column for column in columns.values() if column.name != label]
    times = [column for column in others if is_time(column)] or [one for one in others if looks_like_a_time(one)]
    time = min(times, key=is_day).name if times else None
    form = form_of(columns[time]) if time else None
    unit = unit_of(columns[time].ends[1]) if time and columns[time].number and not form else None
    weight = next((name for name in _WEIGHT_NAMES if name in columns), None)
    clock = None if time is None else as_floats(nanoseconds(columns[time].values, unit, timezone, form))
    windows = _windows(table, time, unit, timezone, form)
    held_out = midnight(windows[1][0], timezone) if windows else None

    categorical: list[tuple[str, int]] = []
    dense: list[tuple[str, str]] = []
    left = list(sample.others.items())
    for name, column in columns.items():
        if name in (label, time, weight):
            continue
        wide, an_id = len(columns) > WIDE, False
        reason = after_the_label(column, labels) or reason_against(column)
        if reason is None and clock is not None and grows_with(column, clock):
            reason = "grows with time: its later values are never seen in training"
        if reason is None:
            an_id = is_categorical(column, wide) or may_be_ids(column, wide, len(labels))
            if an_id and clock is not None and held_out is not None and is_new_later(column, clock, held_out):
                reason = "new in the later windows: its values there are never seen in training"
        if reason is not None:
            left.append((name, reason))
            continue
        if an_id:
            categorical.append((name, 2 if column.distinct > FEW else 1))
        if not is_categorical(column, wide):
            dense.append((name, transform_of(column)))
    if not categorical:
        few = min((name for name, _ in dense if columns[name].whole), key=lambda n: columns[n].distinct, default=None)
        if few is None:
            must = "at least one column must hold ids, words or whole numbers: models read it as categorical"
            raise InputError.of(path, must, f"only fractions: {', '.join(name for name, _ in dense)[:120]}")
        categorical, dense = [(few, 1)], [pair for pair in dense if pair[0] != few]
    lists = {name: of for name, of in sample.listed.items() if of in dict(categorical)}
    of_times = {name: _OF_TIMES for name, of in sample.listed.items() if of == time}
    left = [(name, of_times.get(name, reason)) for name, reason in left if name not in lists]
    user = next((name for name, _ in categorical if re.search(r"user|uid|member|customer", name, re.IGNORECASE)), None)
    return Draft(
        path, sample.rows, label, float(labels.mean()), time, unit, timezone,
        windows, tuple(categorical), tuple(dense),
        tuple(sample.vectors.items()), tuple(left), weight, user,
        form, separator, hours=time is not None and _tells_hours(columns[time]),
        lists=tuple(lists.items()),
    )  # fmt: skip


def _opened(path: str, base: Path) -> tuple[Table, str | None]:
    """The table, and what separates its values where a text file of one column shows another mark.

    Raises:
        InputError: where the table cannot be read.
    """
    table, separator = open_table(path, base, Position(path)), None
    if len(table.columns) == 1 and table.is_untyped(table.columns[0]):
        separator = other_separator(table.columns)
        if separator is not None:
            table = open_table(path, base, Position(path), CsvConfig(separator=separator))
    return table, separator


def _tells_hours(column: Column) -> bool:
    """Not a day, however it is written."""
    return not is_day(column) or "%H" in (form_of(column) or "")


def _label(path: str, columns: Mapping[str, Column], asked: str | None) -> str:
    if asked is not None:
        if asked not in columns:
            raise InputError([missing_column(Position(path), asked, columns, "a column of the table")])
        if not columns[asked].binary:
            raise InputError.of(path, f"label {asked} must hold 0 and 1 and nothing else", str(columns[asked].kind))
        return asked
    binary = [name for name, column in columns.items() if column.binary]
    named = [name for name in _LABEL_NAMES if name in binary]
    hinted = [name for name in binary if re.search("click|label|target", name, re.IGNORECASE)]
    for found in (named[:1], hinted, binary):
        if len(found) == 1:
            return found[0]
    found_words = f"{len(binary)} of them: {', '.join(binary)}" if binary else "none"
    raise InputError.of(path, "one column that holds 0 and 1 must be the label", found_words, "say which with --label")


def _windows(
    table: Table, time: str | None, unit: Unit | None, timezone: str, form: str | None
) -> tuple[tuple[dt.date, dt.date], ...]:
    """The last seventh of the days tests, the seventh before it validates, the rest trains."""
    if time is None:
        return ()
    ends: list[int] = []
    for batch in table.batches([time]):
        span = pc.min_max(nanoseconds(batch.column(0), unit, timezone, form)).as_py()
        ends += [value for value in span.values() if value is not None]
    local = pc.local_timestamp(pa.array([min(ends), max(ends)], pa.timestamp("ns", tz=timezone)))
    first, last = (value.date() for value in pc.cast(local, pa.timestamp("s"), safe=False).to_pylist())
    days = (last - first).days + 1
    if days < 3:
        return ()
    held = dt.timedelta(max(1, round(days / 7)))
    one = dt.timedelta(1)
    return (first, last - 2 * held), (last - 2 * held + one, last - held), (last - held + one, last)
