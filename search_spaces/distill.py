"""The `distill:` section: how a student learns from a teacher. Which knob matters depends on the heads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from search_spaces.knobs import Checked, knob, knobs_of

HEADS = ("none", "plain", "auxiliary", "both", "adapter", "calibrated")
"""In an order in which the heads that read a knob stand together: a choice among them opens it by one range."""
TEACHER_TASKS = ("own", "all")
_ADAPTED = ("both", "adapter", "calibrated")
_BESIDE = ("auxiliary", "both", "adapter")
_TAUGHT = HEADS[1:]
READ_BY: Mapping[str, tuple[str, ...]] = {
    "weight": _TAUGHT,
    "alpha": ("plain", "auxiliary", "both"),
    "beta": _BESIDE,
    "averaged": _TAUGHT,
    "adapter_width": _ADAPTED,
    "adapter_lr": _ADAPTED,
    "half_life_hours": _TAUGHT,
    "tasks": ("auxiliary", "both"),
}
"""The heads that read each other knob."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Distill(Checked):
    """What a student learns from a teacher's predictions, beside its labels. The served head never sees them.

    L = L_label + weight * (L_auxiliary + L_adapter); `averaged` divides it by 1 + weight * beta for each head. Targets
    are min(alpha * p, 1) of the teacher's probability p, the adapter's output for L_adapter; beta scales what their
    losses send back into the backbone. A knob that these heads do not read has its default, whatever is given: two
    ways to write one recipe are equal.
    """

    heads: str = knob("both", choices=HEADS, doc="which losses the teacher feeds")
    weight: float = knob(1.0, ge=0.0, le=20.0, doc="weight w of the teacher's losses")
    alpha: float = knob(1.0, above=0.0, le=10.0, doc="scale of the teacher's probabilities")
    beta: float = knob(1.0, ge=0.0, le=1.0, doc="gradient scale into the backbone")
    averaged: bool = knob(False, doc="divide the loss by 1 + weight * beta for each head")
    adapter_width: int = knob(8, ge=0, le=64, doc="hidden units of the adapter; 0 is a scale and a shift")
    adapter_lr: float = knob(0.01, above=0.0, le=1.0, doc="learning rate of the adapter's own Adam")
    half_life_hours: float = knob(0.0, ge=0.0, le=10000.0, doc="teacher's age at which the weight has halved; 0: never")
    tasks: str = knob("own", choices=TEACHER_TASKS, doc="an auxiliary head for the label's own task or for all")

    def __post_init__(self) -> None:
        Checked.__post_init__(self)
        for name, heads in READ_BY.items():
            if self.heads not in heads:
                object.__setattr__(self, name, knobs_of(Distill)[name].default)
