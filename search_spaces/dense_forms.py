"""The `dense:` section: how the plain numbers of a row become fields. The torch-free half: knobs, fields and costs.

x is a number as it is encoded, standardised; a missing one is 0. Vectors are no plain numbers: each has its linear map.

    linear     one field:           W [x_1, x_2, ...] + b
    buckets    a field a number:    an embedding for each bucket, one more where it is missing
    piecewise  a field a number:    W clip((x - e_k) / (e_k+1 - e_k), 0, 1)_k + b + [missing] m
    periodic   a field a number:    W [sin(2 pi c x), cos(2 pi c x)] + b + [missing] m, with c learned
    together   one field:           the sum of these

Edges e are quantiles of the training rows (Gorishniy et al. 2022, arXiv 2203.05556). A number that is its own mean to
the last bit counts as missing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from search_spaces.blocks.base import Cost, elementwise_cost, linear_cost
from search_spaces.inputs import QUANTILES, DenseField, IdFields, InputShape, Quantiles, Source
from search_spaces.knobs import Checked, knob

NARROWEST = 1e-6  # deviations: of edges that are nearer one counts


class DenseForm(Checked, ABC):
    """One form of the plain numbers and its knobs. Frozen dataclasses derive from it; `name` is its word in a file."""

    __slots__ = ()
    name: ClassVar[str]

    @abstractmethod
    def fields(self, numbers: int) -> int:
        """Fields that so many numbers become."""

    @abstractmethod
    def cost(self, numbers: tuple[Quantiles, ...], dim: int) -> Cost:
        """Of one row: weights, FLOPs and activation bytes of fields of that dimension."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LinearForm(DenseForm):
    """All numbers together are one field."""

    name: ClassVar[str] = "linear"

    def fields(self, numbers: int) -> int:
        return min(numbers, 1)

    def cost(self, numbers: tuple[Quantiles, ...], dim: int) -> Cost:
        return linear_cost(len(numbers), dim) if numbers else Cost()


@dataclass(frozen=True, kw_only=True, slots=True)
class NumberForm(DenseForm):
    """Each number is a field of its own, or all together are the sum of these.

    `module` names the class of its torch half, "package.module:Class", which is made with (form, numbers, dim,
    init_std).
    """

    module: ClassVar[str]
    together: bool = knob(False, doc="whether the numbers are one field, the sum of theirs")

    def fields(self, numbers: int) -> int:
        return min(numbers, 1) if self.together else numbers


@dataclass(frozen=True, kw_only=True, slots=True)
class BucketsForm(NumberForm):
    """An embedding for each bucket of about equally many training rows."""

    name: ClassVar[str] = "buckets"
    module: ClassVar[str] = "automl.ranking.dense_forms:BucketsFields"
    bins: int = knob(16, ge=2, le=QUANTILES, doc="buckets of a number, at most")

    def edges(self, quantiles: Quantiles) -> tuple[float, ...]:
        """Where the second bucket begins, the third, and so on: the first one takes all that is below."""
        inner = _distinct(quantiles[k * QUANTILES // self.bins] for k in range(self.bins if quantiles else 0))
        return inner[1:] or _distinct(quantiles)[1:2]  # of two values the rarer one may be rarer than a bucket

    def cost(self, numbers: tuple[Quantiles, ...], dim: int) -> Cost:
        rows = sum(2 + len(self.edges(quantiles)) for quantiles in numbers)
        summed = elementwise_cost(dim) if self.together and numbers else Cost()
        return summed + elementwise_cost(len(numbers) * dim, params=rows * dim)


@dataclass(frozen=True, kw_only=True, slots=True)
class PiecewiseForm(NumberForm):
    """A piecewise linear curve for each dimension, with corners at the edges of the bins; flat beyond them."""

    name: ClassVar[str] = "piecewise"
    module: ClassVar[str] = "automl.ranking.dense_forms:PiecewiseFields"
    bins: int = knob(16, ge=2, le=QUANTILES, doc="bins of a number, at most")

    def edges(self, quantiles: Quantiles) -> tuple[float, ...]:
        """The ends of the bins, one more than there are bins."""
        return _distinct(quantiles[k * QUANTILES // self.bins] for k in range(self.bins + 1 if quantiles else 0))

    def cost(self, numbers: tuple[Quantiles, ...], dim: int) -> Cost:
        widths = [1 + max(len(self.edges(quantiles)) - 1, 0) for quantiles in numbers]
        return mapped_cost(widths, self.fields(len(numbers)), dim)


@dataclass(frozen=True, kw_only=True, slots=True)
class PeriodicForm(NumberForm):
    """Sines and cosines of frequencies that are learned for each number."""

    name: ClassVar[str] = "periodic"
    module: ClassVar[str] = "automl.ranking.dense_forms:PeriodicFields"
    frequencies: int = knob(16, ge=1, le=1024, doc="frequencies of a number")
    sigma: float = knob(0.1, above=0.0, le=100.0, doc="standard deviation of the initial frequencies")

    def cost(self, numbers: tuple[Quantiles, ...], dim: int) -> Cost:
        count = len(numbers) * self.frequencies
        angles = elementwise_cost(count, params=count)
        return angles + mapped_cost([1 + 2 * self.frequencies] * len(numbers), self.fields(len(numbers)), dim)


def mapped_cost(widths: list[int], fields: int, dim: int) -> Cost:
    """Of a linear map of each number's own inputs, so many as `widths`; where one has fewer than the widest there are
    zeros."""
    count, widest = len(widths), max(widths, default=0)
    product = Cost(params=(sum(widths) + fields) * dim, flops=2 * count * widest * dim)
    return product + elementwise_cost(count * widest + fields * dim)


def _distinct(values: Iterable[float]) -> tuple[float, ...]:
    """Of rising values."""
    found: list[float] = []
    for value in values:
        if not found or value > found[-1] + NARROWEST:
            found.append(value)
    return tuple(found)


DENSE_FORMS: dict[str, type[DenseForm]] = {
    form.name: form for form in (LinearForm, BucketsForm, PiecewiseForm, PeriodicForm)
}


@dataclass(frozen=True, slots=True)
class PlainFields:
    """The source of the plain numbers, in the form that a model gives them."""

    form: DenseForm
    numbers: tuple[Quantiles, ...]

    @property
    def fields(self) -> int:
        return self.form.fields(len(self.numbers))

    def cost(self, dim: int, min_count: int) -> Cost:
        return self.form.cost(self.numbers, dim)


def sources(form: DenseForm, ids: IdFields, inputs: InputShape) -> tuple[Source, ...]:
    """The first floor but for histories, in the order of its fields in X."""
    plain: Iterable[Source] = (PlainFields(form, inputs.numbers),) if inputs.plain else ()
    return (ids, *plain, *map(DenseField, inputs.vectors))
