"""Cross layer of DCNv3 (arXiv 2407.13349): x' = base * ([H; H * relu(LN(H))] + b) + x, H = W x of half the width."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from search_spaces.blocks.base import BlockSpec, Cost, Fields, elementwise_cost, linear_cost
from search_spaces.knobs import knob

BASES = ("now", "first")


@dataclass(frozen=True, kw_only=True, slots=True)
class CrossV3(BlockSpec):
    """x is the flattened fields. Where every layer multiplies x by itself, l layers reach order 2^l (its deep network);
    where each multiplies x0, order l + 1 (its shallow one)."""

    name: ClassVar[str] = "cross_v3"
    module: ClassVar[str] = "automl.ranking.blocks.cross_v3:CrossV3Block"
    base: str = knob("now", choices=BASES, doc="what is multiplied: the fields as they are now, or as they came in")

    def out_shape(self, fields: Fields) -> Fields:
        return fields

    def cost(self, fields: Fields) -> Cost:
        half = half_width(fields)
        norm = elementwise_cost(2 * half, params=2 * half)
        return linear_cost(fields.width, half, bias=False) + norm + elementwise_cost(fields.width, params=fields.width)


def half_width(fields: Fields) -> int:
    """Width of H; of an odd width the larger half."""
    return (fields.width + 1) // 2
