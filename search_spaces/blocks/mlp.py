"""One layer of the deep tower: linear, norm, activation, dropout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from search_spaces.blocks.base import Cost, Dense, elementwise_cost, linear_cost
from search_spaces.knobs import Checked, knob

NORMS = ("none", "batch", "layer")
ACTIVATIONS = ("relu", "gelu", "silu")


@dataclass(frozen=True, kw_only=True, slots=True)
class Mlp(Checked):
    """Flat vector in, flat vector out."""

    name: ClassVar[str] = "mlp"
    width: int = knob(256, ge=1, le=16384, doc="width of the layer", widens=True)
    norm: str = knob("none", choices=NORMS, doc="normalisation before the activation")
    activation: str = knob("relu", choices=ACTIVATIONS, doc="non-linearity")
    dropout: float = knob(0.0, ge=0.0, le=0.9, doc="probability that an output is dropped in training")

    def out_shape(self, dense: Dense) -> Dense:
        return Dense(self.width)

    def cost(self, dense: Dense) -> Cost:
        norm = elementwise_cost(
            0 if self.norm == "none" else self.width, params=0 if self.norm == "none" else 2 * self.width
        )
        return linear_cost(dense.width, self.width) + norm + elementwise_cost(self.width)
