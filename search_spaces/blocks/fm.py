"""Factorisation machine (Rendle 2010), kept as a vector: .5 * ((sum_i v_i)^2 - sum_i v_i^2) for each dimension."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from search_spaces.blocks.base import BlockSpec, Cost, Dense, Fields, elementwise_cost


@dataclass(frozen=True, kw_only=True, slots=True)
class Fm(BlockSpec):
    """Second-order interactions of all fields; no weights."""

    name: ClassVar[str] = "fm"
    module: ClassVar[str] = "automl.ranking.blocks.fm:FmBlock"

    def out_shape(self, fields: Fields) -> Dense:
        return Dense(fields.dim)

    def cost(self, fields: Fields) -> Cost:
        return elementwise_cost(fields.width + 3 * fields.dim)
