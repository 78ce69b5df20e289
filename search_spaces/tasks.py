"""The `tasks:` section: what several labels share, what each has for itself, and how their losses become one.

x is what the head of a model of one label reads (width W), T the labels.

    shared   h_t = x
    mmoe     h_t = sum_e softmax(G_t x)_e F_e(x)                              (Ma et al. 2018)
    ple      h_t = sum over the shared and its own experts, softmax(G_t x_t); level by level, where x_t and the shared
             x_s are those of the level before, and x_s has a gate over all experts   (Tang et al. 2020)
    logit    w_t . tower_t(h_t) + b_t

The towers may be gated by all fields X0 of the model, the l-th layer's outputs being scaled by
2 sigmoid(W2_l relu(W1_l stopgrad(X0)))_t: PPNet (PEPNet, arXiv 2302.01115).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from search_spaces.blocks.base import FLOAT_BYTES, Cost, elementwise_cost, linear_cost
from search_spaces.knobs import Checked, Value, knob, knobs_of

SHARING = ("shared", "mmoe", "ple")
"""In an order in which those that read a knob stand together."""
LOSSES = ("fixed", "uncertainty")
MOST_LAYERS = 4

_EXPERTS = ("sharing", ("mmoe", "ple"))
_TOWER = ("tower_layers", tuple(range(1, MOST_LAYERS + 1)))
READ_BY: Mapping[str, tuple[str, tuple[Value, ...]]] = {
    "experts": _EXPERTS,
    "task_experts": ("sharing", ("ple",)),
    "width": _EXPERTS,
    "layers": _EXPERTS,
    "tower_width": _TOWER,
    "tower_dropout": _TOWER,
    "gate_hidden": _TOWER,
    "weight": ("losses", ("fixed",)),
}
"""Of each knob that is not always read: the knob on which that hangs, and the answers that read it."""
GATES = ("sharing", "tower_layers", "losses")
"""The knobs on which others hang. The answers that read one of those stand together in the order of their domain."""


def gate_order(gate: str) -> Callable[[Value], int]:
    """By which the answers of a gate are sorted."""
    words = {"sharing": SHARING, "losses": LOSSES}.get(gate)
    return int if words is None else lambda answer: words.index(str(answer))


@dataclass(frozen=True, kw_only=True, slots=True)
class Tasks(Checked):
    """How one model predicts several labels. What is not read has its default: two ways to write one are equal."""

    sharing: str = knob("shared", choices=SHARING, doc="what the labels share beyond the layers of the model")
    experts: int = knob(4, ge=1, le=64, doc="experts that all labels share")
    task_experts: int = knob(1, ge=1, le=64, doc="experts of each label alone")
    width: int = knob(64, ge=1, le=4096, doc="width of an expert", widens=True)
    layers: int = knob(1, ge=1, le=MOST_LAYERS, doc="layers of each expert (mmoe); levels of experts (ple)")
    tower_layers: int = knob(0, ge=0, le=MOST_LAYERS, doc="layers of each label's own tower")
    tower_width: int = knob(32, ge=1, le=4096, doc="width of a tower", widens=True)
    tower_dropout: float = knob(0.0, ge=0.0, le=0.9, doc="probability that an output of a tower is dropped in training")
    gate_hidden: int = knob(
        0, ge=0, le=4096, doc="hidden units of the gates of a tower's layers; 0: no gates", late=True, widens=True
    )
    esmm: bool = knob(False, doc="learn a label given another by both at once, over all rows")
    losses: str = knob("fixed", choices=LOSSES, doc="weights of the labels' losses")
    weight: float = knob(1.0, above=0.0, le=100.0, doc="weight of every label but the first")

    def __post_init__(self) -> None:
        Checked.__post_init__(self)
        for name, (gate, answers) in READ_BY.items():
            if getattr(self, gate) not in answers:
                object.__setattr__(self, name, knobs_of(Tasks)[name].default)

    def cost(self, width: int, count: int) -> Cost:
        """Of one row: all but gates that stands on a top of that width for so many labels, their heads included."""
        total, width = self._experts_cost(width, count)
        for _ in range(self.tower_layers):
            total += _layer_cost(width, self.tower_width) * count
            width = self.tower_width
        return total + linear_cost(width, 1) * count

    def gates_cost(self, width: int, count: int) -> Cost:
        """Of one row: the gates of the towers of so many labels, over fields of that width when flattened."""
        if not self.gate_hidden:
            return Cost()
        out = count * self.tower_width
        first = _layer_cost(width, self.tower_layers * self.gate_hidden)
        return first + (linear_cost(self.gate_hidden, out) + elementwise_cost(2 * out)) * self.tower_layers

    def _experts_cost(self, width: int, count: int) -> tuple[Cost, int]:
        total = Cost()
        if self.sharing == "mmoe":
            total += _layer_cost(width, self.width) * self.experts
            total += _layer_cost(self.width, self.width) * (self.experts * (self.layers - 1))
            total += _gate_cost(width, self.experts, self.width) * count
        if self.sharing == "ple":
            everyone, own = self.experts + count * self.task_experts, self.experts + self.task_experts
            for level in range(1, self.layers + 1):
                total += _layer_cost(width, self.width) * everyone + _gate_cost(width, own, self.width) * count
                total += _gate_cost(width, everyone, self.width) if level < self.layers else Cost()
                width = self.width
        return total, width if self.sharing == "shared" else self.width


def _layer_cost(width_in: int, width_out: int) -> Cost:
    """Linear and ReLU."""
    return linear_cost(width_in, width_out) + elementwise_cost(width_out)


def _gate_cost(width_in: int, experts: int, width: int) -> Cost:
    """Linear, softmax, and the mean of the experts that it weighs."""
    mixed = Cost(flops=2 * experts * width, bytes=FLOAT_BYTES * width)
    return linear_cost(width_in, experts) + elementwise_cost(experts) + mixed
