"""Candidates as feature rows for predictors, a whole matrix of answers at once.

On few trials the features matter more than the model. Beside the raw knobs a row holds a summary (blocks by kind,
depth, widths, logs of weights, FLOPs and bytes) and the learning budget (rate x steps, embedding rate x sqrt steps,
embedding rate against initial scale, the schedule counted), which is the largest single gain. Shapes: N candidates,
D decisions, C costs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from search_spaces.blocks.base import FLOAT_BYTES
from search_spaces.costing import Costs, Parts, option_numbers
from search_spaces.guards import Bools
from search_spaces.ranges import Floats
from search_spaces.space import SearchSpace

COSTS = ("one", "flops", "activation_bytes", "gathered_bytes", "blocks")
BUDGET = ("log_steps", "log_dense_lr_steps", "log_embedding_lr_sqrt_steps", "log_embedding_lr_over_init")

_MEAN_RATE = {"constant": 1.0, "linear": 0.5, "cosine": 0.5}  # of a schedule, against its peak


def rows(space: SearchSpace, answers_ND: Floats) -> tuple[Floats, tuple[str, ...]]:
    """Feature rows (N, features), NaN where a knob is not asked, and the names of the features."""
    encoder = Encoder(space)
    return encoder.rows_and_costs(answers_ND)[0], encoder.names


class Encoder:
    """Feature rows of one space; `derived`: with what is worked out of the answers, beside the answers themselves.

    It remembers the layers it has seen: asking it again is cheap.
    """

    def __init__(self, space: SearchSpace, *, derived: bool = True) -> None:
        self._space, self._costing, self._derived = space, space.costing, derived
        self._number = self._costing.knobs.number
        self._options = [option_numbers(decision) for decision in space.decisions]
        paths = (decision.path for decision in space.decisions)
        more = (*_summary_names(self._costing.kinds), *BUDGET) if derived else ()
        self.names: tuple[str, ...] = (*paths, *more)

    def rows_and_costs(self, answers_ND: Floats) -> tuple[Floats, Floats]:
        """Feature rows (N, features), and what speed is made of: (N, C) with columns as in COSTS."""
        answers_ND = np.ascontiguousarray(answers_ND, dtype=np.float64).reshape(-1, len(self._options))
        parts = self._costing.parts(answers_ND)
        cost = self._costing.total(answers_ND, parts)
        gathered = FLOAT_BYTES * self._costing.gathered(parts) * self._number(answers_ND, "embedding.dim")
        blocks = parts.layers["blocks"].sum(axis=1) + parts.towers["present"].sum(axis=1)
        costs = np.column_stack([np.ones(len(answers_ND)), cost.flops, cost.bytes, gathered, blocks])
        if not self._derived:
            return self._raw(answers_ND), costs
        summary = _summary(parts, cost, self._costing.embedding_params(answers_ND, parts))
        return np.hstack([self._raw(answers_ND), summary, self._budget(answers_ND)]), costs

    def allowed(self, answers_ND: Floats, costs_NC: Floats) -> Bools:
        """Which rows `where` allows; their costs as in COSTS, so that they are not worked out twice."""

        def cost(name: str) -> Floats:
            if name in COSTS:
                return costs_NC[:, COSTS.index(name)]
            return self._costing.rows(answers_ND).cost(name)

        return self._space.allowed(answers_ND, cost)

    def beyond(self, costs_NC: Floats) -> Floats:
        """(N,): octaves outside of the space's band on FLOPs, from columns as in COSTS; 0 where it has none."""
        band = self._space.band
        flops_N = costs_NC[:, COSTS.index("flops")]
        return np.zeros(len(flops_N)) if band is None else band.beyond(flops_N)

    def _raw(self, answers_ND: Floats) -> Floats:
        raw = answers_ND.copy()
        for column, options in enumerate(self._options):
            if options is not None:
                known = ~np.isnan(raw[:, column])
                raw[known, column] = options[raw[known, column].astype(np.intp)]
        return raw

    def _budget(self, answers_ND: Floats) -> Floats:
        seen = self._costing.inputs.train_rows * self._number(answers_ND, "train.epochs")
        of_step = self._number(answers_ND, "train.batch_size") * self._number(answers_ND, "train.accumulate")
        steps = np.maximum(seen / of_step, 1.0)
        rate = np.ones(len(steps))
        for schedule, mean in _MEAN_RATE.items():
            rate = np.where(self._costing.knobs.word(answers_ND, "train.schedule", schedule), mean, rate)
        rate = rate * (1.0 - 0.5 * self._number(answers_ND, "train.warmup"))
        embedding_lr = self._number(answers_ND, "embedding.lr")
        return np.column_stack([
            np.log(steps),
            np.log(self._number(answers_ND, "train.dense_lr") * rate * steps),
            np.log(embedding_lr * rate * np.sqrt(steps)),
            np.log(embedding_lr / self._number(answers_ND, "embedding.init_std")),
        ])  # fmt: skip


def _summary_names(kinds: Sequence[str]) -> tuple[str, ...]:
    return (
        "layers", "blocks", *(f"count({name})" for name in kinds), "beside_width",
        "depth", "sum(width)", "max(width)", "min(width)",
        "log_params", "log_dense_params", "log_flops", "log_bytes", "log_embedding_bytes",
    )  # fmt: skip


def _summary(parts: Parts, cost: Costs, embedding: Floats) -> Floats:
    layers, towers = parts.layers, parts.towers
    widths = towers["width"]
    depth = towers["present"].sum(axis=1)
    narrowest = np.where(towers["present"] > 0, widths, np.inf).min(axis=1, initial=np.inf)
    return np.column_stack([
        layers["present"].sum(axis=1), layers["blocks"].sum(axis=1),
        layers["kinds"].sum(axis=1), layers["beside"].sum(axis=1),
        depth, widths.sum(axis=1), widths.max(axis=1, initial=0.0), np.where(depth > 0, narrowest, 0.0),
        np.log(cost.params), np.log1p(cost.params - embedding), np.log(cost.flops), np.log(cost.bytes),
        np.log(FLOAT_BYTES * embedding),
    ])  # fmt: skip
