"""The data of a stream: several labels that arrive late, windows without end. Paths are relative to the file itself."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from automl.data.describe.parts import DAY_SECONDS, DayRange, Delay, Part
from automl.data.describe.tables import TablesConfig, TimeConfig

Step = Literal["day", "hour"]


class StreamLabelConfig(Part):
    """A binary column and when it is known: `delay` after the impression, or at `arrives` (a time column; null: never).

    With `given`, the label is defined only where that column is 1. A missing label is not defined either.
    """

    column: str
    given: str | None = None
    delay: Delay | None = None
    arrives: str | None = None

    @model_validator(mode="after")
    def _one_way(self) -> StreamLabelConfig:
        if self.delay is not None and self.arrives is not None:
            raise ValueError("must give delay or arrives, not both")
        return self


class RowsWindow(Part):
    """Windows of so many rows; rows of one time stay together."""

    rows: Annotated[int, Field(ge=1)]


def _stream_label(value: object) -> object:
    if isinstance(value, str):
        return {"column": value}
    if not isinstance(value, dict | StreamLabelConfig):
        raise ValueError("must be a column, or a mapping like {column: long_view, delay: 10m}")
    return value


def _window(value: object) -> object:
    rows = value.get("rows") if isinstance(value, dict) and len(value) == 1 else None
    whole = isinstance(rows, int) and not isinstance(rows, bool) and rows >= 1
    if value not in ("day", "hour") and not whole and not isinstance(value, RowsWindow):
        raise ValueError("must be day, hour, or rows at least 1, like {rows: 20000}")
    return value


def _some(value: dict[str, StreamLabelConfig]) -> dict[str, StreamLabelConfig]:
    if not value:
        raise ValueError("must name at least one label")
    return value


class StreamDataConfig(TablesConfig):
    """A log as a stream: what is scored, when its labels are known, and in which windows it is evaluated."""

    time: TimeConfig
    labels: Annotated[dict[str, Annotated[StreamLabelConfig, BeforeValidator(_stream_label)]], AfterValidator(_some)]
    days: DayRange | None = None
    example_id: str | None = None
    window: Annotated[Step | RowsWindow, BeforeValidator(_window)] = "day"
    segments: dict[str, str] = Field(default_factory=dict)

    @field_validator("days", mode="after")
    @classmethod
    def _days(cls, value: tuple[dt.date, dt.date] | None) -> tuple[dt.date, dt.date] | None:
        if value is not None and value[0] > value[1]:
            raise ValueError(f"must start before it ends, but found {value[0]} to {value[1]}")
        return value

    @model_validator(mode="after")
    def _delays_of_labels(self) -> StreamDataConfig:
        there = [name for name in ("recent", "vectors", "sequence") if getattr(self.features, name)]
        if there:
            raise ValueError(f"{there[0]} must be left out of a stream")
        if any(one.buckets for one in self.features.categorical.values()):
            raise ValueError("buckets must be left out of a stream: it keeps every id")
        if any(block.delay for block in self.features.blocks):
            raise ValueError("counters of a stream must leave out delay: each label has its own")
        return self

    def counted(self, label: str) -> str | None:
        """The label that a counter means: by its name, else by its column where that is unconditional."""
        if label in self.labels:
            return label
        columns = [name for name, part in self.labels.items() if part.column == label and part.given is None]
        return columns[0] if len(columns) == 1 else None


WINDOW_SECONDS = {"day": DAY_SECONDS, "hour": 3600.0}
