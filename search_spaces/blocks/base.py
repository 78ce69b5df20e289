"""The torch-free half of a block: its knobs, the shape it gives and what it costs.

A block reads the field embeddings X (n fields of dimension E) and gives either new fields of the same n and E, or
a flat vector. Costs count one row: FLOPs are 2 x multiply-adds of matrix products; bytes are float32 activations
written.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from search_spaces.knobs import Checked


@dataclass(frozen=True, slots=True)
class Dense:
    """A flat vector (B, width)."""

    width: int


@dataclass(frozen=True, slots=True)
class Fields:
    """Field embeddings (B, count, dim)."""

    count: int
    dim: int

    @property
    def width(self) -> int:
        """Width when flattened."""
        return self.count * self.dim


@dataclass(frozen=True, slots=True)
class Cost:
    """Weights, FLOPs a row, activation bytes a row (forward pass)."""

    params: int = 0
    flops: int = 0
    bytes: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.params + other.params, self.flops + other.flops, self.bytes + other.bytes)

    def __mul__(self, times: int) -> Cost:
        return Cost(self.params * times, self.flops * times, self.bytes * times)


FLOAT_BYTES = 4


def linear_cost(width_in: int, width_out: int, *, bias: bool = True, rows: int = 1) -> Cost:
    """A matrix product applied to `rows` vectors for each example, weights shared between them."""
    return Cost(
        params=width_in * width_out + (width_out if bias else 0),
        flops=2 * width_in * width_out * rows,
        bytes=FLOAT_BYTES * width_out * rows,
    )


def elementwise_cost(width: int, *, params: int = 0) -> Cost:
    """An operation that writes `width` numbers and multiplies no matrix."""
    return Cost(params=params, bytes=FLOAT_BYTES * width)


class BlockSpec(Checked, ABC):
    """Knobs of one block. Frozen dataclasses derive from it.

    `name` is its word in a space file. `module` names the class of its torch half, "package.module:Class", which is
    made with (spec, fields); it is looked up when a model is built, so that no description loads torch.
    """

    __slots__ = ()
    name: ClassVar[str]
    module: ClassVar[str]

    @abstractmethod
    def out_shape(self, fields: Fields) -> Fields | Dense:
        """Fields of the same count and dim (they replace X), or a flat vector (goes beside X)."""

    @abstractmethod
    def cost(self, fields: Fields) -> Cost:
        """Weights, FLOPs and activation bytes of one row, from shapes alone."""
