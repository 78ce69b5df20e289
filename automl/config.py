"""The study file, as frozen typed values. Paths in it are relative to the file itself."""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    RootModel,
    field_validator,
    model_validator,
)

from automl.history import Limit

STRATEGIES = ("controller", "evolution", "nsga2", "random", "tpe")
_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}
DAY_SECONDS = 86400.0
_LONGEST = 30 * 24 * 3600.0
LABEL_OR_LABELS = "must give label or labels, not both"
ONE_LABEL = "labels must name exactly one label"


class Part(BaseModel):
    """Base of every part of the file: frozen, strict, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def _day(value: object) -> object:
    if isinstance(value, str):
        try:
            return dt.date.fromisoformat(value)
        except ValueError:
            raise ValueError("must be a day like 2022-04-25") from None
    if isinstance(value, dt.datetime):
        return value.date()
    return value


def parse_seconds(value: object) -> object:
    """`90`, `90s`, `10m` or `1.5h` to seconds; anything else is refused."""
    if isinstance(value, str):
        match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", value.strip())
        if not match:
            raise ValueError("must be a duration like 90s, 10m or 1h")
        return float(match[1]) * _SECONDS[match[2]]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _bytes(value: object) -> object:
    if isinstance(value, str):
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG])i?B?", value.strip())
        if not match:
            raise ValueError("must be a size like 512MiB or 4GiB")
        return int(float(match[1]) * _UNITS[match[2]])
    return value


def _not_for_ever(value: float) -> float:
    if value > _LONGEST:
        raise ValueError("must be at most 30 days")
    return value


def _pair(value: object) -> object:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ValueError("must be the first and the last day, like [2022-04-25, 2022-05-04]")
    return tuple(value)


def parse_span(value: object) -> object:
    """A duration that may also be days (`7d`), or the words `day` and `hour`, to seconds."""
    if isinstance(value, str):
        words = {"day": "1d", "hour": "1h"}
        match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", words.get(value.strip(), value.strip()))
        if not match:
            raise ValueError("must be a duration like 30m, 6h or 7d, or day or hour")
        return float(match[1]) * {**_SECONDS, "d": DAY_SECONDS}[match[2]]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _as_span(seconds: float) -> str:
    """A duration in the largest unit that holds it whole."""
    for unit, size in (("d", DAY_SECONDS), *sorted(_SECONDS.items(), key=lambda pair: -pair[1])):
        if seconds % size == 0:
            return f"{int(seconds // size)}{unit}"
    return f"{seconds!r}s"


def _within_a_day(value: float) -> float:
    if not 60 <= value <= DAY_SECONDS:
        raise ValueError("must be at least a minute and at most a day")
    return value


def names_once(value: object) -> object:
    """A list of different texts as a tuple."""
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) for name in value):
        raise ValueError("must be a list of names")
    if not value or len(set(value)) < len(value):
        raise ValueError("must be a list of different names, at least one")
    return tuple(value)


Day = Annotated[dt.date, BeforeValidator(_day)]
DayRange = Annotated[tuple[Day, Day], BeforeValidator(_pair)]
Seconds = Annotated[float, BeforeValidator(parse_seconds), Field(gt=0), AfterValidator(_not_for_ever)]
Delay = Annotated[float, BeforeValidator(parse_span), Field(ge=0), AfterValidator(_not_for_ever)]
Every = Annotated[float, BeforeValidator(parse_span), AfterValidator(_within_a_day)]
Bytes = Annotated[int, BeforeValidator(_bytes), Field(gt=0)]


class JoinConfig(Part):
    """A side table, joined to the log by a key that is unique in it."""

    path: str
    on: str


class TimeConfig(Part):
    """When an example was seen. `unit` None: the column is a timestamp, or its size tells the unit."""

    column: str
    unit: Literal["s", "ms", "us", "ns"] | None = None
    timezone: str = "UTC"


class LabelConfig(Part):
    """A binary column; with `given`, only the rows where that column is 1 are examples."""

    column: str
    given: str | None = None
    name: str = "label"


def _named(column: object, name: str) -> object:
    return {"column": column, "name": name}


def _label(value: object) -> object:
    """A label without a name of its own has that of its column."""
    if isinstance(value, str):
        return _named(value, value)
    if not isinstance(value, dict | LabelConfig):
        raise ValueError("must be a column, or a mapping like {column: long_view, given: is_click}")
    if isinstance(value, dict) and "name" not in value and isinstance(value.get("column"), str):
        return {**value, "name": value["column"]}
    return value


class CategoricalConfig(Part):
    """An id feature. Ids seen less often than min_count in the training window share row 0."""

    min_count: Annotated[int, Field(ge=1)] = 1


class DenseConfig(Part):
    """A numeric feature: standardised, or log1p and then standardised."""

    transform: Literal["standardize", "log"] = "standardize"


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
        fade = f"; {_as_span(self.half_life)}" if of_many and self.half_life is not None else ""
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


class FeaturesConfig(Part):
    """Features by column; `@hour` and `@weekday` are made from the time column."""

    categorical: dict[str, CategoricalConfig] = Field(default_factory=dict)
    dense: dict[str, DenseConfig] = Field(default_factory=dict)
    counters: Annotated[CountersConfig | tuple[CountersConfig, ...] | None, BeforeValidator(_counters)] = None

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

    def block_path(self, k: int) -> tuple[str | int, ...]:
        """Where block k is written, below the data description."""
        return ("features", "counters", k) if isinstance(self.counters, tuple) else ("features", "counters")

    @field_validator("dense", mode="before")
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
        return self


class RandomSplit(Part):
    """Shares of the rows, drawn at random: only where the log has no time."""

    train: Annotated[float, Field(gt=0, lt=1)]
    validate_: Annotated[float, Field(gt=0, lt=1, alias="validate")]
    test: Annotated[float, Field(gt=0, lt=1)]
    seed: Annotated[int, Field(ge=0)] = 0


class SplitConfig(Part):
    """Days of each window, both ends included; or `random` shares."""

    train: DayRange | None = None
    validate_: DayRange | None = Field(default=None, alias="validate")
    test: DayRange | None = None
    random: RandomSplit | None = None

    @model_validator(mode="after")
    def _one_way(self) -> SplitConfig:
        days = (self.train, self.validate_, self.test)
        if self.random is not None and any(days):
            raise ValueError("must give days or random shares, not both")
        if self.random is None and not all(days):
            raise ValueError("must give train, validate and test as days, or random shares")
        return self


class TablesConfig(Part):
    """Where a log is and which of its columns models read."""

    path: str
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
    """A log for one label, split in windows that train, validate and test."""

    label: Annotated[LabelConfig, BeforeValidator(_label)]
    weight: str | None = None
    negatives_kept: Annotated[float, Field(gt=0, le=1)] | None = None
    split: SplitConfig

    @model_validator(mode="before")
    @classmethod
    def _labels(cls, value: object) -> object:
        """`label: c`, `label: {column, given}` and `labels: {name: ...}` of one label are the same thing."""
        if not isinstance(value, dict):
            return value
        if not isinstance(value.get("labels"), dict):
            return value
        if "label" in value:
            raise ValueError(LABEL_OR_LABELS)
        rest = {key: part for key, part in value.items() if key != "labels"}
        if len(value["labels"]) != 1:
            raise ValueError(f"{ONE_LABEL}: a search has one NE to lower")
        ((name, label),) = value["labels"].items()
        return {**rest, "label": {**label, "name": name} if isinstance(label, dict) else _named(label, name)}

    @model_validator(mode="after")
    def _time_for_days(self) -> DataConfig:
        if self.split.random is None and self.time is None:
            raise ValueError("a split by days must have a time column")
        if self.features.blocks and self.split.random is not None:
            raise ValueError("counters must have a split by days: rows drawn at random have no past of their own")
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


def _data(value: object) -> object:
    """Told by its key, so that mistakes are those of one form."""
    if isinstance(value, DataConfig | LessonsConfig):
        return value
    kind = LessonsConfig if isinstance(value, dict) and "lessons" in value else DataConfig
    return kind.model_validate(value)


class SearchConfig(Part):
    """How candidates are proposed."""

    strategy: Literal["controller", "evolution", "nsga2", "random", "tpe"] = "controller"
    batch: Annotated[int, Field(ge=1, le=1000)] = 10
    stop_early: bool = True


class TrialConfig(Part):
    """Hard limits of one trial: seconds of wall time, bytes of memory beyond what its process held before."""

    timeout: Seconds = 600.0
    memory: Bytes = 4 << 30


def _no_gpu(value: float) -> float:
    """Reserving what is not used would be a lie."""
    if value != 0:
        raise ValueError("must be 0: in this version models are trained and timed on the CPU")
    return value


class ResourcesConfig(Part):
    """What one trial holds of the machine while it runs; fractions are allowed."""

    cpu: Annotated[float, Field(gt=0)] = 1.0
    gpu: Annotated[float, AfterValidator(_no_gpu)] = 0.0


class QpsConfig(Part):
    """How serving speed is timed. `analytic` derives it from FLOPs and bytes: for replays, not for shipping."""

    batch_rows: Annotated[int, Field(ge=1, le=65536)] = 512
    max_seconds: Seconds = 0.6
    clock: Literal["cpu", "analytic"] = "cpu"


class FinalsConfig(Part):
    """Retraining of the picks: by how much NE may be worse and still count as no worse, and with how many seeds."""

    margin_pct: Annotated[float, Field(gt=0)] = 0.2
    seeds: Annotated[int, Field(ge=2, le=100)] = 5
    repeats: Annotated[int, Field(ge=2, le=20)] = 3  # of promising trials on the validation window, before the picks


_LIMIT = re.compile(r"(ne|qps|train_qps)\s*(>=|<=)\s*(?:(\d+(?:\.\d+)?)\s*\*\s*)?baseline\.(ne|qps|train_qps)")
_COST = re.compile(r"\b(params|flops|activation_bytes)\b")


def is_cost_limit(text: str) -> bool:
    """Whether a constraint speaks of cost that is known before training."""
    return _COST.search(text) is not None


def parse_limit(text: str) -> Limit:
    """`qps >= 0.95 * baseline.qps` to a Limit on the ratio (for ne: on the gain in percent).

    Raises:
        ValueError: where the text is not of that form.
    """
    match = _LIMIT.fullmatch(text.strip())
    if not match or match[1] != match[4]:
        raise ValueError(
            "must read like `qps >= 0.95 * baseline.qps` (ne, qps or train_qps against its own baseline), "
            f"but found `{text}`"
        )
    factor = float(match[3] or 1)
    metric, bound = ("ne_gain_pct", 100 * (factor - 1)) if match[1] == "ne" else (f"{match[1]}_ratio", factor)
    return Limit(metric, low=bound) if match[2] == ">=" else Limit(metric, high=bound)


def _readable(text: str) -> str:
    if not is_cost_limit(text):
        parse_limit(text)
    return text


class StudyConfig(Part):
    """One study file."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    data: Annotated[DataConfig | LessonsConfig, BeforeValidator(_data)]
    space: str
    baseline: str
    objectives: dict[str, str] = Field(default_factory=lambda: {"ne": "minimize", "qps": "maximize"})
    constraints: tuple[Annotated[str, AfterValidator(_readable)], ...] = ()
    search: SearchConfig = SearchConfig()
    trial: TrialConfig = TrialConfig()
    resources: ResourcesConfig = ResourcesConfig()
    qps: QpsConfig = QpsConfig()
    finals: FinalsConfig = FinalsConfig()
    baseline_seeds: Annotated[int, Field(ge=2, le=20)] = 3
    seed: Annotated[int, Field(ge=0)] = 0

    @field_validator("constraints", mode="before")
    @classmethod
    def _constraints(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value

    @field_validator("objectives", mode="before")
    @classmethod
    def _objectives(cls, value: object) -> object:
        if value != {"ne": "minimize", "qps": "maximize"}:
            raise ValueError("must be {ne: minimize, qps: maximize}")
        return value

    @property
    def limits(self) -> tuple[Limit, ...]:
        """Constraints on what is measured."""
        return tuple(parse_limit(text) for text in self.constraints if not is_cost_limit(text))

    @property
    def cost_limits(self) -> tuple[str, ...]:
        """Constraints on analytic cost: expressions of the space language, checked before training."""
        return tuple(text for text in self.constraints if is_cost_limit(text))
