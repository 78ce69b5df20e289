"""What an answer may be: a choice, a flag, an integer, a real number; each also as a float64.

Encoded, an answer is the index of a choice, 0 or 1 of a flag, a number itself. Every domain also lays its values out
on [0, 1), in bins, for generators that think in bins: at most BINS for numbers, one for every option of a choice.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search_spaces.knobs import Value

BINS = 8
Floats = NDArray[np.float64]


def _even(parts: int) -> tuple[float, ...]:
    return tuple(i / parts for i in range(parts + 1))


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several values."""

    options: tuple[Value, ...]

    @property
    def count(self) -> int | None:
        return len(self.options)

    def has(self, value: object) -> bool:
        return any(_same(option, value) for option in self.options)

    def nearest(self, value: Value) -> Value:
        """The closest option by number; the first one for words."""
        if self.has(value) or not _is_number(value) or not all(map(_is_number, self.options)):
            return next((option for option in self.options if _same(option, value)), self.options[0])
        return min(self.options, key=lambda option: abs(float(option) - float(value)))

    def encode(self, value: Value) -> float:
        for index, option in enumerate(self.options):
            if _same(option, value):
                return float(index)
        raise ValueError(f"must be one of {self.options}, but found {value!r}")

    def decode(self, number: float) -> Value:
        return self.options[int(number)]

    def edges(self) -> tuple[float, ...]:
        return _even(len(self.options))

    def from_unit(self, unit: Floats) -> Floats:
        return np.floor(unit * len(self.options))

    def to_unit(self, numbers: Floats) -> Floats:
        return (numbers + 0.5) / len(self.options)


@dataclass(frozen=True, slots=True)
class Flag:
    """Yes or no."""

    @property
    def count(self) -> int | None:
        return 2

    def has(self, value: object) -> bool:
        return isinstance(value, bool)

    def nearest(self, value: Value) -> Value:
        return bool(value)

    def encode(self, value: Value) -> float:
        if not isinstance(value, bool):
            raise ValueError(f"must be true or false, but found {value!r}")
        return float(value)

    def decode(self, number: float) -> Value:
        return bool(number >= 0.5)

    def edges(self) -> tuple[float, ...]:
        return _even(2)

    def from_unit(self, unit: Floats) -> Floats:
        return np.floor(unit * 2)

    def to_unit(self, numbers: Floats) -> Floats:
        return (numbers + 0.5) / 2


@dataclass(frozen=True, slots=True)
class Integer:
    """An integer from low to high, both included, in steps; `log` spreads draws evenly over magnitudes (step 1)."""

    low: int
    high: int
    step: int = 1
    log: bool = False

    @property
    def count(self) -> int | None:
        return (self.high - self.low) // self.step + 1

    def has(self, value: object) -> bool:
        if not isinstance(value, int) or isinstance(value, bool):
            return False
        return self.low <= value <= self.high and (value - self.low) % self.step == 0

    def nearest(self, value: Value) -> Value:
        if not _is_number(value):
            return self.low
        steps = round((min(max(float(value), self.low), self.high) - self.low) / self.step)
        return self.low + min(steps, (self.count or 1) - 1) * self.step

    def encode(self, value: Value) -> float:
        if not self.has(value):
            raise ValueError(f"must be an integer from {self.low} to {self.high} by {self.step}, but found {value!r}")
        return float(value)

    def decode(self, number: float) -> Value:
        return int(number)

    def edges(self) -> tuple[float, ...]:
        points = self.count or 1
        bins = min(points, BINS)
        if not self.log:
            return tuple(-(-i * points // bins) / points for i in range(bins + 1))
        if points <= BINS:
            cuts = [self.low + i for i in range(points + 1)]
        else:
            span = np.exp(np.linspace(math.log(self.low), math.log(self.high + 1), bins + 1))
            cuts = sorted({math.ceil(cut - 1e-9) for cut in span})
        return (0.0, *(self._unit_of(cut - 0.5) for cut in cuts[1:-1]), 1.0)

    def _unit_of(self, number: float) -> float:
        bottom = math.log(self.low - 0.5)
        return (math.log(number) - bottom) / (math.log(self.high + 0.5) - bottom)

    def from_unit(self, unit: Floats) -> Floats:
        if self.log:
            bottom, top = math.log(self.low - 0.5), math.log(self.high + 0.5)
            rounded = np.floor(np.exp(bottom + unit * (top - bottom)) + 0.5)
            return np.clip(rounded, self.low, self.high)
        points = self.count or 1
        return self.low + self.step * np.minimum(np.floor(unit * points), points - 1)

    def to_unit(self, numbers: Floats) -> Floats:
        if self.log:
            bottom = math.log(self.low - 0.5)
            return (np.log(numbers) - bottom) / (math.log(self.high + 0.5) - bottom)
        return ((numbers - self.low) / self.step + 0.5) / (self.count or 1)


@dataclass(frozen=True, slots=True)
class Real:
    """A number from low to high, both included; `log` spreads draws evenly over magnitudes."""

    low: float
    high: float
    log: bool = False

    @property
    def count(self) -> int | None:
        return None

    def has(self, value: object) -> bool:
        return _is_number(value) and self.low <= value <= self.high  # type: ignore[operator]

    def nearest(self, value: Value) -> Value:
        return min(max(float(value), self.low), self.high) if _is_number(value) else self.low

    def encode(self, value: Value) -> float:
        if not self.has(value):
            raise ValueError(f"must be a number from {self.low} to {self.high}, but found {value!r}")
        return float(value)

    def decode(self, number: float) -> Value:
        return float(number)

    def edges(self) -> tuple[float, ...]:
        return _even(BINS)

    def from_unit(self, unit: Floats) -> Floats:
        if self.log:
            bottom, top = math.log(self.low), math.log(self.high)
            return np.clip(np.exp(bottom + unit * (top - bottom)), self.low, self.high)
        return np.clip(self.low + unit * (self.high - self.low), self.low, self.high)

    def to_unit(self, numbers: Floats) -> Floats:
        if self.log:
            bottom, top = math.log(self.low), math.log(self.high)
            return (np.log(numbers) - bottom) / (top - bottom)
        return (numbers - self.low) / (self.high - self.low)


Domain = Choice | Flag | Integer | Real


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _same(option: Value, value: object) -> bool:
    """Equal and of one kind: True is not 1, but 1 is 1.0."""
    return option == value and isinstance(option, bool) == isinstance(value, bool)
