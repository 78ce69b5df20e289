"""Wide products of a serving graph in fewer bits: bfloat16, or 8-bit integers.

int8: each output's weights by a scale of their own, the inputs of a product by one scale, which rows of the log told
once. So a row's score does not hang on the rows beside it. Sums are 32-bit integers, and all else is fp32. (Of inputs
seven bits are used: processors without AVX-512 VNNI add products of eight bits up in 16.) O outputs, I inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn

from automl.ranking.place import fetch

Numbers = Literal["fp32", "bf16", "int8"]
NUMBERS: tuple[str, ...] = get_args(Numbers)
WIDE = 1 << 15  # weights of a product; below, what fewer bits save is lost on rounding the inputs
OUTSIDE = 1e-5  # of a product's inputs, at either end, are set to that end; 1e-3 costs .1% of NE on KuaiRand
_LEVELS = 127
_FARTHEST = 1e30  # that an end of a span may be: fp32 holds its square no more

Span = tuple[float, float]


class NumbersError(ValueError):
    """Numbers that do not fit a graph, or that this machine does not have."""


@dataclass(frozen=True, slots=True)
class Narrow:
    """What the wide products of a graph are computed in; of int8, the span of each one's inputs."""

    kind: Numbers
    spans: tuple[Span, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "spans": [list(span) for span in self.spans]}

    @classmethod
    def of_json(cls, told: object) -> Narrow:
        """
        Raises:
            ValueError: where it is none.
        """
        if not isinstance(told, Mapping) or told.get("kind") not in NUMBERS[1:]:
            raise ValueError("numbers that are not known")
        spans = told.get("spans")
        if not isinstance(spans, list) or not all(_is_span(span) for span in spans):
            raise ValueError("numbers whose spans are none")
        return cls(told["kind"], tuple((float(low), float(high)) for low, high in spans))

    def product(self, number: int, weight_OI: Tensor, bias_O: Tensor | None) -> tuple[Callable[..., Tensor], Any]:
        """The function and what it holds, in the place of the product of that number: of (x, what it holds).

        Raises:
            NumbersError: where the span of its inputs is not told, or this machine has no such product.
        """
        if self.kind == "bf16":
            return half_linear, (weight_OI.bfloat16(), None if bias_O is None else bias_O.bfloat16())
        if number >= len(self.spans):
            raise NumbersError("numbers with too few spans")
        return int8_linear, (*_scale(*self.spans[number]), *_packed(weight_OI), bias_O)


def half_linear(x: Tensor, held: tuple[Tensor, Tensor | None]) -> Tensor:
    """x W^T + b in bfloat16."""
    return nn.functional.linear(x.bfloat16(), *held).float()


def int8_linear(x: Tensor, held: tuple[float, int, Tensor, Tensor, Tensor, Tensor | None]) -> Tensor:
    """x W^T + b of x that is rounded to seven bits and of weights that are to eight."""
    scale, zero, packed, scales_O, zeros_O, bias_O = held
    levels = torch.add(zero, x, alpha=1 / scale).round_().clamp_(0, _LEVELS).to(torch.uint8)
    out: Tensor = torch.ops.onednn.qlinear_pointwise(
        levels, scale, zero, packed, scales_O, zeros_O, bias_O, 1.0, 0, torch.float32, "none", [], ""
    )
    return out


def span_of(x: Tensor) -> Span:
    """What numbers span, but for the few that lie furthest out: for them all others would be rounded more coarsely."""
    low, high = np.quantile(fetch(x), (OUTSIDE, 1 - OUTSIDE))
    return float(low), float(high)


def _scale(low: float, high: float) -> tuple[float, int]:
    """Of inputs from low to high, 0 among them: how much a level is, and the level of 0."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = (high - low) / _LEVELS or 1.0
    return scale, round(-low / scale)


def _packed(weight_OI: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Weights as the product reads them, the scale of each output, and the level of 0."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        raise NumbersError("int8 products, which need a build of torch with oneDNN")
    scales_O = (weight_OI.abs().amax(1) / _LEVELS).clamp_min(1e-12)
    rounded = (weight_OI / scales_O.unsqueeze(1)).round().to(torch.int8)
    packed: Tensor = torch.ops.onednn.qlinear_prepack(rounded, None)
    return packed, scales_O, torch.zeros(len(weight_OI), dtype=torch.int32)


def _is_span(span: object) -> bool:
    if not isinstance(span, list) or len(span) != 2 or not all(isinstance(end, float | int) for end in span):
        return False
    return all(abs(end) < _FARTHEST for end in span) and span[0] <= span[1]
