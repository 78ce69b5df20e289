"""The mean of a model's weights over the last steps of a pass: what is scored, exported and handed over.

The order of the rows moves a model by more than most gains are worth, and most of that is the last few hundred steps:
on KuaiRand the mean over the last tenth of a pass more than halves the standard deviation of NE over orders.

Exact, and no step touches more rows than it learns. Of the dense weights a running mean is kept. A row w of the table
that moves by d(s) at step s of the T that count ends at w(T), and its mean is

    1/T sum_t w(t) = w(T) - 1/T sum_s (s - 1) d(s)

so that a step adds (s - 1) d(s) for the rows that it moved, and the end visits the rows that were moved.
B batch, E dimension, R rows of the table, U distinct rows of a batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from automl.ranking.place import moved, where, write_rows, zeros_as_written


class TailMean:
    """Collects the mean from the moment that it is made; `parts` are the weights that every step may move."""

    def __init__(self, table_RE: Tensor, parts: Iterable[Tensor]) -> None:
        self._table_RE = table_RE
        self._late_RE = zeros_as_written(table_RE)
        self._moved_R = table_RE.new_zeros(table_RE.shape[0], dtype=torch.bool)
        self._parts = [(part, torch.zeros_like(part)) for part in parts]
        self._steps = 0

    def moved(self, rows_U: Tensor, before_UE: Tensor, after_UE: Tensor) -> None:
        """Distinct rows of the table and how a step moved them; before `stepped` tells the end of the step."""
        if self._steps:
            late_UE = self._late_RE.index_select(0, rows_U)
            late_UE.add_(after_UE - before_UE, alpha=self._steps)
            write_rows(self._late_RE, rows_U, late_UE)
            self._moved_R[rows_U] = True

    def stepped(self) -> None:
        """A step is over."""
        self._steps += 1
        for part, mean in self._parts:
            mean.lerp_(part, 1.0 / self._steps)

    def live(self) -> dict[str, Tensor]:
        """What it has collected so far; no copies."""
        means = {f"mean.{number}": mean for number, (_, mean) in enumerate(self._parts)}
        return {"steps": torch.tensor(self._steps), "moved": self._moved_R, "late": self._late_RE, **means}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what one of the same parts had collected; memory is taken of rows that were moved alone."""
        self._steps = int(state["steps"])
        self._moved_R.copy_(state["moved"])
        rows_U = self._moved_R.nonzero().squeeze(1)
        late_UE = state["late"].index_select(0, moved(rows_U, where(state["late"])))
        write_rows(self._late_RE, rows_U, moved(late_UE, where(rows_U)))
        for number, (_, mean) in enumerate(self._parts):
            mean.copy_(state[f"mean.{number}"])

    def settle(self) -> None:
        """The weights become their mean; without a step they stay."""
        if not self._steps:
            return
        rows_U = self._moved_R.nonzero().squeeze(1)
        late_UE = self._late_RE.index_select(0, rows_U)
        mean_UE = self._table_RE.index_select(0, rows_U).add_(late_UE, alpha=-1.0 / self._steps)
        write_rows(self._table_RE, rows_U, mean_UE)
        for part, mean in self._parts:
            part.copy_(mean)
