"""The description of a log, as frozen typed values. Paths in it are relative to the file itself."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    RootModel,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from automl.data.describe.parts import DAY_SECONDS, Delay, Every, Part, as_span, names_once, parse_span
from automl.data.describe.sequences import SequenceConfig
from automl.data.describe.split import SplitConfig
from automl.data.describe.text import ColumnKind, CsvConfig


class JoinConfig(Part):
    """A side table, joined to the log by a key that is unique in it."""

    path: str
    on: str


def _strptime(value: str | None) -> str | None:
    if value is not None and "%" not in value:
        raise ValueError("must be a format of strptime, like %Y%m%d")
    return value


class TimeConfig(Part):
    """When an example was seen. `unit` None: the column is a timestamp, or its size tells the unit.

    `format` is that of strptime, for days and hours as they are written: 20240301 is "%Y%m%d".
    """

    column: str
    unit: Literal["s", "ms", "us", "ns"] | None = None
    format: Annotated[str | None, AfterValidator(_strptime)] = None
    timezone: str = "UTC"


class LabelConfig(Part):
    """A binary column; with `given`, only the rows where that column is 1 are examples."""

    column: str
    given: str | None = None
    name: str = "label"


def _label(value: object) -> object:
    """A label without a name of its own has that of its column."""
    if value is None:
        return value
    if isinstance(value, str):
        return {"column": value, "name": value}
    if not isinstance(value, dict | LabelConfig):
        raise ValueError("must be a column, or a mapping like {column: long_view, given: is_click}")
    if isinstance(value, dict) and "name" not in value and isinstance(value.get("column"), str):
        return {**value, "name": value["column"]}
    return value


def _labels(value: object) -> object:
    """By name; each label has that of its key."""
    if value is None or not isinstance(value, dict):
        return value
    wrong = [name for name in value if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z]\w*", name)]
    if wrong or not value:
        raise ValueError("must name labels by words like ctr")
    return {name: _named(name, label) for name, label in value.items()}


def _named(name: object, label: object) -> object:
    told = _label(label)
    return {**told, "name": name} if isinstance(told, dict) else told


class CategoricalConfig(Part):
    """An id feature. Ids seen less often than min_count in the training window share row 0, or so many rows by their
    hash where there are buckets."""

    min_count: Annotated[int, Field(ge=1)] = 1
    buckets: Annotated[int, Field(ge=2, le=1 << 24)] | None = None

    @model_validator(mode="after")
    def _learned(self) -> CategoricalConfig:
        if self.buckets is not None and self.min_count < 2:
            raise ValueError("buckets must have a min_count of 2 or more: they learn of the ids that are rarer")
        return self


class DenseConfig(Part):
    """A numeric feature: standardised, or log1p and then standardised."""

    transform: Literal["standardize", "log"] = "standardize"


class VectorConfig(Part):
    """A column of vectors. `width`: numbers of each; None: as the first row has."""

    width: Annotated[int, Field(ge=1)] | None = None


def _keys(value: object) -> object:
    """`[user_id, [user_id, tag]]` to tuples of columns."""
    if not isinstance(value, list | tuple):
        raise ValueError("must be a list of columns, or of lists of columns like [user_id, tag]")
    keys = tuple(names_once([key] if isinstance(key, str) else key) for key in value)
    if not keys or len(set(keys)) < len(keys):
        raise ValueError("must be a list of different keys, at least one")
    return keys


class CountersConfig(Part):
    """Dense features from the past: per key the rate of each label and how often it was seen, decayed.

    What a row sees is the state at the last boundary of `every` (from local midnight on) that is not later than it.
    """

    keys: Annotated[tuple[tuple[str, ...], ...], BeforeValidator(_keys)]
    labels: Annotated[tuple[str, ...], BeforeValidator(names_once)]
    every: Every = DAY_SECONDS
    half_life: Annotated[float, BeforeValidator(parse_span), Field(gt=0)] | None = None
    prior: Annotated[float, Field(gt=0)] = 20.0
    delay: Delay = 0.0  # until a label is known; the labels of a stream have delays of their own

    def names(self, *, of_many: bool = False) -> tuple[str, ...]:
        """Of the features, a key after the other: the rates of its labels, then its count.

        `of_many`: with the half-life, which tells the blocks of a list apart.
        """
        fade = f"; {as_span(self.half_life)}" if of_many and self.half_life is not None else ""
        words = [" x ".join(key) + fade for key in self.keys]
        return tuple(
            name for key in words for name in (*(f"@rate({label} | {key})" for label in self.labels), f"@count({key})")
        )


class _Blocks(RootModel[tuple[CountersConfig, ...]]):
    """A list of counters, so that mistakes are told by their place in it."""


def _counters(value: object) -> object:
    """One mapping, or a list of them whose features have names of their own."""
    if value is None or isinstance(value, CountersConfig):
        return value
    if isinstance(value, dict):
        return CountersConfig.model_validate(value)
    if not isinstance(value, list | tuple) or not value:
        raise ValueError("must be a mapping, or a list of mappings")
    blocks = _Blocks.model_validate(tuple(value)).root
    made: dict[str, int] = {}
    for k, block in enumerate(blocks, 1):
        for name in block.names(of_many=True):
            if name in made:
                where = f"block {k} twice" if made[name] == k else f"blocks {made[name]} and {k}"
                raise ValueError(
                    f"must make each feature once, but found {name} in {where}: "
                    "blocks of one half_life must have different keys"
                )
            made[name] = k
    return blocks


class RecentConfig(Part):
    """Dense features from the past: per key how long ago it was last seen, and how often within so long."""

    keys: Annotated[tuple[tuple[str, ...], ...], BeforeValidator(_keys)]
    within: Annotated[float, BeforeValidator(parse_span), Field(gt=0)] = 7 * DAY_SECONDS

    @property
    def names(self) -> tuple[str, ...]:
        """Of the features, a key after the other."""
        return tuple(f"@{what}({' x '.join(key)})" for key in self.keys for what in ("since", "seen"))


class FeaturesConfig(Part):
    """Features by column; `@hour` and `@weekday` are made from the time column."""

    categorical: dict[str, CategoricalConfig] = Field(default_factory=dict)
    dense: dict[str, DenseConfig] = Field(default_factory=dict)
    vectors: dict[str, VectorConfig] = Field(default_factory=dict)
    counters: Annotated[CountersConfig | tuple[CountersConfig, ...] | None, BeforeValidator(_counters)] = None
    recent: RecentConfig | None = None
    sequence: dict[str, SequenceConfig] = Field(default_factory=dict)

    @property
    def built(self) -> dict[str, SequenceConfig]:
        """The sequences that are built from the log itself."""
        return {name: part for name, part in self.sequence.items() if part.built}

    @property
    def blocks(self) -> tuple[CountersConfig, ...]:
        """The counters, one or several blocks of them, or none."""
        if isinstance(self.counters, CountersConfig):
            return (self.counters,)
        return self.counters or ()

    @property
    def counter_names(self) -> tuple[str, ...]:
        """Of the counters' features, a block after the other."""
        of_many = isinstance(self.counters, tuple)
        return tuple(name for block in self.blocks for name in block.names(of_many=of_many))

    @property
    def past_names(self) -> tuple[str, ...]:
        """Of all features that are made from earlier rows: the counters, then what is recent."""
        return (*self.counter_names, *(self.recent.names if self.recent is not None else ()))

    def block_path(self, k: int) -> tuple[str | int, ...]:
        """Where block k is written, below the data description."""
        return ("features", "counters", k) if isinstance(self.counters, tuple) else ("features", "counters")

    @field_validator("dense", "vectors", mode="before")
    @classmethod
    def _names(cls, value: object) -> object:
        if not isinstance(value, list):
            return value
        if not all(isinstance(name, str) for name in value) or len(set(value)) < len(value):
            raise ValueError("must be a list of different columns, or a mapping of columns to their settings")
        return {name: {} for name in value}

    @model_validator(mode="after")
    def _some(self) -> FeaturesConfig:
        if not self.categorical:
            raise ValueError("must name at least one categorical feature")
        twice = next(
            (name for name in self.sequence if name in {**self.categorical, **self.dense, **self.vectors}), None
        )
        if twice is not None:
            raise ValueError(f"a sequence must have a name of its own, but found {twice}, another feature's")
        return self


class TablesConfig(Part):
    """Where a log is and which of its columns models read."""

    path: str
    csv: CsvConfig | None = None
    types: dict[str, ColumnKind] = Field(default_factory=dict)
    join: tuple[JoinConfig, ...] = ()
    time: TimeConfig | None = None
    drop_duplicates: bool = False
    cluster: str | None = None
    features: FeaturesConfig

    @field_validator("join", mode="before")
    @classmethod
    def _joins(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value

    @field_validator("time", mode="before")
    @classmethod
    def _time(cls, value: object) -> object:
        return {"column": value} if isinstance(value, str) else value


class DataConfig(TablesConfig):
    """A log split in windows that train, validate and test; for one `label`, or for several `labels` by name.

    Of several labels one with `given` is defined only in the rows where that column is 1; all rows with any label are
    examples.
    """

    labels: Annotated[dict[str, LabelConfig] | None, BeforeValidator(_labels)] = None
    label: Annotated[LabelConfig | None, BeforeValidator(_label), Field(validate_default=True)] = None
    weight: str | None = None
    negatives_kept: Annotated[float, Field(gt=0, le=1)] | None = None
    split: SplitConfig

    @property
    def tasks(self) -> tuple[LabelConfig, ...]:
        """Every label, in its order; one where the log is for one."""
        return tuple((self.labels or {}).values()) if self.label is None else (self.label,)

    def label_path(self, label: LabelConfig) -> tuple[str, ...]:
        """Where a label is written, below the data description."""
        return ("label",) if self.label is not None else ("labels", label.name)

    @field_validator("label")
    @classmethod
    def _one_way(cls, value: LabelConfig | None, info: ValidationInfo) -> LabelConfig | None:
        if value is None and info.data.get("labels", "unsound") is None:
            raise PydanticCustomError("missing", "Field required")
        if value is not None and info.data.get("labels") is not None:
            raise ValueError("must give label or labels, not both")
        return value

    @model_validator(mode="after")
    def _sampled_by_one_label(self) -> DataConfig:
        if self.negatives_kept is not None and len(self.tasks) > 1:
            raise ValueError("negatives_kept must have one label: whose negatives are left out of several is not known")
        return self

    @model_validator(mode="after")
    def _time_for_days(self) -> DataConfig:
        if self.split.random is None and self.time is None:
            raise ValueError("a split by days must have a time column")
        made = [name for name, there in (("counters", self.features.blocks), ("recent", self.features.recent)) if there]
        made += [f"sequence {name} (by)" for name in self.features.built]
        if made and self.split.random is not None:
            raise ValueError(f"{made[0]} must have a split by days: rows drawn at random have no past of their own")
        return self


class LessonsConfig(Part):
    """In place of a log: what a student of an ExFM run learned from, with what the teacher said of every row."""

    lessons: str
    split: SplitConfig

    @model_validator(mode="before")
    @classmethod
    def _nothing_else(cls, value: object) -> object:
        told = sorted(set(value) & (set(DataConfig.model_fields) - {"split"})) if isinstance(value, dict) else ()
        if told:
            raise ValueError(f"lessons hold label, features and time; leave out {', '.join(told)}")
        return value

    @model_validator(mode="after")
    def _by_days(self) -> LessonsConfig:
        if self.split.random is not None:
            raise ValueError("split of lessons must be days: the teacher saw them in the order of time")
        return self


def told_data(value: object) -> object:
    """Told by its key, so that mistakes are those of one form."""
    if isinstance(value, DataConfig | LessonsConfig):
        return value
    kind = LessonsConfig if isinstance(value, dict) and "lessons" in value else DataConfig
    return kind.model_validate(value)
