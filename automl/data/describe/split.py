"""In which windows a log trains, validates and tests: by days, or by shares of the rows."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Annotated

from pydantic import Field, model_validator

from automl.data.describe.parts import DayRange, Part
from search_spaces.errors import Mistake, Position


class RandomSplit(Part):
    """Shares of the rows, drawn at random: only where the log has no time."""

    train: Annotated[float, Field(gt=0, lt=1)]
    validate_: Annotated[float, Field(gt=0, lt=1, alias="validate")]
    test: Annotated[float, Field(gt=0, lt=1)]
    seed: Annotated[int, Field(ge=0)] = 0

    @property
    def shares(self) -> tuple[float, float, float]:
        """Of train, validate and test."""
        return self.train, self.validate_, self.test


class SplitConfig(Part):
    """Days of each window, both ends included; or `random` shares."""

    train: DayRange | None = None
    validate_: DayRange | None = Field(default=None, alias="validate")
    test: DayRange | None = None
    random: RandomSplit | None = None

    @property
    def days(self) -> dict[str, DayRange]:
        """The windows that days are given of, in the order of time."""
        windows = {"train": self.train, "validate": self.validate_, "test": self.test}
        return {name: days for name, days in windows.items() if days is not None}

    @model_validator(mode="after")
    def _one_way(self) -> SplitConfig:
        if self.random is not None and self.days:
            raise ValueError("must give days or random shares, not both")
        if self.random is None and len(self.days) < 3:
            raise ValueError("must give train, validate and test as days, or random shares")
        return self


def split_mistakes(config: SplitConfig, at: Callable[..., Position]) -> list[Mistake]:
    """What is wrong with the windows before any row is read (order, overlap, shares); `at` places `split`."""
    if config.random is not None:
        total = sum(config.random.shares)
        must = "shares of train, validate and test must sum to at most 1"
        return [Mistake(at("split", "random"), must, f"{total:g}")] if total > 1 + 1e-9 else []
    mistakes = [
        Mistake(at("split", name), f"{name} must start before it ends", f"{first} to {last}")
        for name, (first, last) in config.days.items()
        if first > last
    ]
    if mistakes:
        return mistakes
    hint = "a model must be scored on days it has not seen"
    return [
        Mistake(at("split", name), f"{name} must start after {before} ends ({end})", str(start), hint)
        for (before, (_, end)), (name, (start, _)) in pairwise(config.days.items())
        if start <= end
    ]
