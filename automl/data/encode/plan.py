"""A study's data description that fits its tables."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from automl.data.describe.split import split_mistakes
from automl.data.describe.tables import DataConfig, FeaturesConfig
from automl.data.tables.finder import Finder, open_all, timezone_mistakes
from automl.data.tables.sources import Tables, at_nothing
from automl.data.tables.windows import Locate, Split, split_of
from search_spaces.errors import InputError


@dataclass(frozen=True, slots=True)
class Counted:
    """A label of the counters, how long after its row it is known, and where it is written."""

    column: str
    delay: float
    path: tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Plan(Tables[DataConfig]):
    """A data description of a study that fits its tables. `labels` are those of the counters, each once a delay."""

    split: Split
    labels: tuple[Counted, ...]


def make_plan(config: DataConfig, base: Path, at: Locate = at_nothing) -> Plan:
    """Open the tables and find the columns.

    Raises:
        InputError: with every mistake that the description and the schemas of its tables show.
    """
    log, *others = open_all(config, base, at)
    sides = tuple(others)
    known_later = {label.column: "the label" if config.label else "a label" for label in config.tasks}
    if config.weight is not None:
        known_later[config.weight] = "the weight"
    labels, counted = _counted(config.features)
    for label in labels:
        known_later.setdefault(label.column, "a label of the counters")
    for name, part in config.features.built.items():
        for column in part.action_columns:
            known_later.setdefault(column, f"an action of {name}")
    finder = Finder(config, at, log, sides, known_later)
    timezone = config.time.timezone if config.time else "UTC"
    finder.mistakes += timezone_mistakes(timezone, at) or split_mistakes(config.split, at)
    for task in config.tasks:
        finder.in_log(task.column, *config.label_path(task), "column")
        finder.in_log(task.given, *config.label_path(task), "given")
    finder.in_log(config.weight, "weight")
    finder.time_and_keys()
    for label in labels:
        finder.in_log(label.column, *label.path)
    for name, there in (("counters", config.features.blocks), ("recent", config.features.recent)):
        if there and config.time is None:
            finder.note(f"{name} must have a time column", "none", "give data.time", "features", name)
    for name in config.features.built:
        if config.time is None:
            finder.note(f"{name} must have a time column", "none", "give data.time", "features", "sequence", name)
    columns = finder.columns()
    if finder.mistakes:
        raise InputError(finder.mistakes)
    actions = [column for part in config.features.built.values() for column in part.action_columns]
    of_tasks = [name for task in config.tasks for name in (task.column, task.given)]
    named = [*of_tasks, config.weight, *(label.column for label in labels), *actions]
    return Plan(
        config=config, at=at, log=log, sides=sides, **columns, timezone=timezone,
        named=tuple(name for name in named if name is not None), counted=counted, whole_rows=config.drop_duplicates,
        split=split_of(config.split, timezone), labels=labels,
    )  # fmt: skip


def _counted(features: FeaturesConfig) -> tuple[tuple[Counted, ...], tuple[tuple[int, ...], ...]]:
    """The labels of all blocks of counters, and which of them each block counts."""
    labels: dict[tuple[str, float], Counted] = {}
    for b, block in enumerate(features.blocks):
        for k, name in enumerate(block.labels):
            labels.setdefault((name, block.delay), Counted(name, block.delay, (*features.block_path(b), "labels", k)))
    place = {key: k for k, key in enumerate(labels)}
    return tuple(labels.values()), tuple(
        tuple(place[name, block.delay] for name in block.labels) for block in features.blocks
    )
