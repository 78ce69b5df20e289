"""Numbers as fields of their own: the forward pass of the forms of search_spaces/dense_forms.py.

B batch, D plain numbers, E dimension, K frequencies, n fields, T inputs of a number (the most that one has), S inputs
of all.
"""

from __future__ import annotations

import math
import pkgutil
from collections.abc import Sequence
from itertools import accumulate, pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from automl.ranking.features import Features
from search_spaces.dense_forms import BucketsForm, NumberForm, PeriodicForm, PiecewiseForm
from search_spaces.inputs import Quantiles

_NEVER = torch.finfo(torch.float32).max  # no number comes that far


class NumberFields(nn.Module):
    """D numbers as n fields of dimension E: D, or all together as one."""

    def __init__(self, form: NumberForm, numbers: int) -> None:
        super().__init__()
        self.numbers, self.together = numbers, form.together

    def read(self, features: Features) -> Tensor:
        """What is taken of features, row by row (B, D)."""
        return features.dense_BD[:, : self.numbers]

    def fields(self, taken: Tensor) -> Tensor:
        """(B, n, E) of what was taken."""
        raise NotImplementedError


def build_fields(form: NumberForm, numbers: tuple[Quantiles, ...], dim: int, init_std: float) -> NumberFields:
    """The module of a form.

    Raises:
        TypeError: where `form.module` names what makes no NumberFields.
    """
    made = pkgutil.resolve_name(form.module)(form, numbers, dim, init_std)
    if not isinstance(made, NumberFields):
        raise TypeError(f"{form.module} must make NumberFields, but made a {type(made).__name__}")
    return made


class BucketsFields(NumberFields):
    """An embedding a bucket. Of a number come first the row of what is missing, then those of its buckets."""

    edges_DT: Tensor
    first_D: Tensor

    def __init__(self, form: BucketsForm, numbers: tuple[Quantiles, ...], dim: int, init_std: float) -> None:
        super().__init__(form, len(numbers))
        edges = [form.edges(quantiles) for quantiles in numbers]
        first = list(accumulate((2 + len(own) for own in edges), initial=0))
        self.register_buffer("edges_DT", _beside_each_other([(*own, _NEVER) for own in edges], _NEVER))
        self.register_buffer("first_D", torch.tensor(first[:-1]))
        self.weight_RE = nn.Parameter(torch.empty(first[-1], dim).normal_(0.0, init_std))
        with torch.no_grad():
            self.weight_RE[self.first_D] = 0.0

    def read(self, features: Features) -> Tensor:
        """Rows of the weights (B, D)."""
        x_BD = super().read(features)
        bucket_BD = torch.searchsorted(self.edges_DT, x_BD.t().contiguous(), right=True).t() + 1
        return bucket_BD * (x_BD != 0) + self.first_D

    def fields(self, taken: Tensor) -> Tensor:
        fields_BDE = functional.embedding(taken, self.weight_RE)
        return fields_BDE.sum(1, keepdim=True) if self.together else fields_BDE


class MappedFields(NumberFields):
    """A linear map of each number's own inputs, of which the first says that it is missing."""

    places_P: Tensor

    def __init__(self, form: NumberForm, widths: Sequence[int], dim: int) -> None:
        super().__init__(form, len(widths))
        all_read = sum(widths) if form.together else 0
        reaches = [1.0 / math.sqrt(all_read or width) for width in widths]  # as nn.Linear
        parts = [torch.empty(width, dim).uniform_(-reach, reach) for width, reach in zip(widths, reaches, strict=True)]
        for part in parts:
            part[0] = 0.0
        self.weight_SE = nn.Parameter(torch.cat(parts))
        self.bias_nE = nn.Parameter(torch.zeros(form.fields(len(widths)), dim))
        self.alike = len(set(widths)) == 1
        if not self.alike:
            self.register_buffer("places_P", _places(widths))

    def fields(self, taken: Tensor) -> Tensor:
        x_BD1 = taken.unsqueeze(2)
        inputs_BDT = torch.cat([(x_BD1 == 0).to(x_BD1.dtype), self.inputs(x_BD1)], 2)
        if self.together:
            return torch.addmm(self.bias_nE, inputs_BDT.flatten(1), self._weight().flatten(0, 1)).unsqueeze(1)
        return torch.baddbmm(self.bias_nE.unsqueeze(1), inputs_BDT.transpose(0, 1), self._weight()).transpose(0, 1)

    def inputs(self, x_BD1: Tensor) -> Tensor:
        """(B, D, T - 1): what is made of the numbers; 0 where one has fewer than the most."""
        raise NotImplementedError

    def _weight(self) -> Tensor:
        """(D, T, E), zeros where a number has fewer inputs."""
        weight_SE: Tensor = self.weight_SE
        if not self.alike:
            weight_SE = functional.pad(weight_SE, (0, 0, 0, 1)).index_select(0, self.places_P)
        return weight_SE.view(self.numbers, -1, weight_SE.shape[1])


class PiecewiseFields(MappedFields):
    """How far a number is through each of its bins: 0 below, 1 beyond."""

    start_DT: Tensor
    slope_DT: Tensor

    def __init__(self, form: PiecewiseForm, numbers: tuple[Quantiles, ...], dim: int, init_std: float) -> None:
        edges = [form.edges(quantiles) for quantiles in numbers]
        super().__init__(form, [max(len(own), 1) for own in edges], dim)
        slopes = [[1.0 / (stop - start) for start, stop in pairwise(own)] for own in edges]
        self.register_buffer("start_DT", _beside_each_other([own[:-1] for own in edges], 0.0))
        self.register_buffer("slope_DT", _beside_each_other(slopes, 0.0))

    def inputs(self, x_BD1: Tensor) -> Tensor:
        return ((x_BD1 - self.start_DT) * self.slope_DT).clamp(0.0, 1.0)


class PeriodicFields(MappedFields):
    """Sines and cosines of learned frequencies."""

    def __init__(self, form: PeriodicForm, numbers: tuple[Quantiles, ...], dim: int, init_std: float) -> None:
        super().__init__(form, [1 + 2 * form.frequencies] * len(numbers), dim)
        self.frequency_DK = nn.Parameter(torch.empty(len(numbers), form.frequencies).normal_(0.0, form.sigma))

    def inputs(self, x_BD1: Tensor) -> Tensor:
        angle_BDK = x_BD1 * (2.0 * math.pi * self.frequency_DK)
        return torch.cat([angle_BDK.sin(), angle_BDK.cos()], 2)


def _beside_each_other(parts: Sequence[Sequence[float]], instead: float) -> Tensor:
    """One row each, as long as the longest."""
    longest = max(map(len, parts))
    return torch.tensor([[*part, *[instead] * (longest - len(part))] for part in parts])


def _places(widths: Sequence[int]) -> Tensor:
    """Of each number's inputs the rows of the weights; the row behind all of them where it has fewer than the most."""
    first, longest = list(accumulate(widths, initial=0)), max(widths)
    rows = [
        start + k if k < width else first[-1]
        for start, width in zip(first, widths, strict=False)
        for k in range(longest)
    ]
    return torch.tensor(rows)
