"""A training step, the only one: whatever a model learns from, it is a loss and a batch.

B batch, E dimension, P rows of the table that a batch asks for, W width of the top.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from automl.ranking.accumulated import Accumulated
from automl.ranking.averaging import TailMean
from automl.ranking.batches import Batch, Chunk, even_bounds
from automl.ranking.half import HalfTop
from automl.ranking.losses import Loss
from automl.ranking.model import RankingModel
from automl.ranking.optimizers import DENSE, ROWS
from automl.ranking.place import moved, moved_if_any
from search_spaces.model import ModelSpec

_LOSS = "loss."
_TAIL = "tail."
_BUFFER = "buffer."  # the table is one


class Stepper:
    """Both optimizers of a model under a loss: of the dense weights and the loss's own, and of the rows of the table.

    To be made once the model is where it is to be trained: its weights become views of the optimizer's.
    """

    def __init__(self, model: RankingModel, spec: ModelSpec, loss: Loss) -> None:
        self._model, self._head, self._spec, self._loss = model, model.head, spec, loss
        self._rows = ROWS[spec.embedding.optimizer](model.table, spec.embedding.weight_decay)
        self._dense = DENSE[spec.train.optimizer]([*model.parameters(), *loss.parameters()], spec.train.weight_decay)
        self._several = Accumulated(self._dense.grads) if spec.train.accumulate > 1 else None
        self._half = HalfTop(model) if spec.train.precision == "bf16" else None
        self._tail: TailMean | None = None
        self._before: Mapping[str, Tensor] = {}  # state of the loss before the chunk

    def steps(self, chunk: Chunk, factor: Callable[[int], float] = lambda _: 1.0) -> Iterator[tuple[Batch, Tensor]]:
        """Learn a chunk in its order; yields each batch once it is learnt, with its logits from before.

        `factor(rows)` is that of both learning rates for the next step, of so many rows: a batch, or several where they
        make a step together. No step goes over the end of a chunk.
        """
        size, several = self._spec.train.batch_size, self._spec.train.accumulate
        of_steps = even_bounds(len(chunk), size * several)
        bounds = of_steps if several == 1 else _within(of_steps, size)
        self._before = self._loss.state()
        there, targets = self._model.there, self._loss.targets(chunk, bounds)
        weights_C = moved_if_any(chunk.weights_C, there)
        targets = None if targets is None else targets.to(there)
        whole = Batch(self._model.read(chunk.features), moved(chunk.labels, there), weights_C, targets)
        if self._several is None:
            for first, last in pairwise(bounds):
                if last <= chunk.learnt:
                    continue
                batch = whole[first:last]
                yield batch, self.step(batch, factor(last - first))
        else:
            for first, last in pairwise(of_steps):
                if last > chunk.learnt:
                    yield from self._together(whole[first:last], self._several, factor(last - first))

    def step(self, batch: Batch, factor: float) -> Tensor:
        """Learn from a batch at `factor` of both learning rates; the logits (B,) or (B, T) are from before."""
        seen, rows_P, grad_PE = self._gradients(batch)
        self._move(rows_P, grad_PE, factor)
        return seen

    def _together(self, whole: Batch, several: Accumulated, factor: float) -> Iterator[tuple[Batch, Tensor]]:
        """One step of several batches."""
        for first, last in pairwise(even_bounds(len(whole), self._spec.train.batch_size)):
            batch = whole[first:last]
            seen, rows_P, grad_PE = self._gradients(batch)
            several.add(rows_P, grad_PE, len(batch) / len(whole))
            if last == len(whole):
                self._move(*several.take(), factor)
            yield batch, seen

    def _gradients(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Logits, and rows of the table with their gradients; those of the dense weights are where they are kept."""
        asked = self._model.asked(batch.taken)
        gathered_PE = self._model.table.gather(asked.rows_P).requires_grad_()
        fields = self._model.fields(asked, gathered_PE)
        x_BW = self._model.top(fields) if self._half is None else self._half(fields)
        self._dense.zero_grad()
        with torch.no_grad():
            seen, grad_BW = self._loss.backward(self._head, x_BW, batch)
        torch.autograd.backward(x_BW, grad_BW)
        if self._half is not None:
            self._half.collect()
        assert gathered_PE.grad is not None
        return seen, asked.rows_P, gathered_PE.grad

    def _move(self, rows_P: Tensor, grad_PE: Tensor, factor: float) -> None:
        self._dense.step(self._spec.train.dense_lr * factor)
        self._rows.step(rows_P, grad_PE, self._spec.embedding.lr * factor, self._tail)
        if self._tail is not None:
            self._tail.stepped()

    @property
    def waiting(self) -> bool:
        """Whether the latest batch waits for others that make a step with it."""
        return bool(self._several)

    @property
    def averaging(self) -> bool:
        """Whether the mean of the weights is being collected."""
        return self._tail is not None

    def average(self) -> None:
        """Collect the mean of all weights from the next step on."""
        # What batch norm has seen goes with the weights that saw it.
        seen = [part for part in self._model.buffers() if part.is_floating_point()]
        table_RE = self._model.table.weight_RE
        self._tail = TailMean(table_RE, [self._dense.weights, *(part for part in seen if part is not table_RE)])

    def settle(self) -> None:
        """The model takes the mean that was collected, if any was, and later steps go on from there.

        The optimizers' memory of gradients stays.
        """
        if self._tail is not None:
            self._tail.settle()
            self._tail = None

    def state(self) -> dict[str, Tensor]:
        """All that the next chunk depends on but dropout's noise; copies."""
        return {
            **{name: part.clone() for name, part in self._live().items()},
            **{_LOSS + name: value for name, value in self._loss.state().items()},
        }

    def live(self) -> dict[str, Tensor]:
        """All that the next step depends on but dropout's noise, within a chunk too, which is then to be learnt from
        its `learnt` on; no copies. Not to be asked while a batch waits."""
        return {**self._live(), **{_LOSS + name: value for name, value in self._before.items()}}

    def _live(self) -> dict[str, Tensor]:
        tail = {} if self._tail is None else self._tail.live()
        return {
            **self._rows.live(),
            **self._dense.live(),
            **{_BUFFER + name: value for name, value in self._kept().items()},
            **{_TAIL + name: value for name, value in tail.items()},
        }

    def _kept(self) -> dict[str, Tensor]:
        """The buffers that go with a model's weights."""
        saved = self._model.state_dict()
        return {name: value for name, value in self._model.named_buffers() if name in saved}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a state."""
        self._tail = None
        collected = {name.removeprefix(_TAIL): part for name, part in state.items() if name.startswith(_TAIL)}
        if collected:
            self.average()
            assert self._tail is not None
            self._tail.restore(collected)
        self._rows.restore(state)
        self._dense.restore(state)
        for name, value in self._kept().items():
            value.copy_(state[_BUFFER + name])
        self._loss.restore({name.removeprefix(_LOSS): state[name] for name in state if name.startswith(_LOSS)})


def _within(bounds: Sequence[int], most: int) -> list[int]:
    """Bounds within these: each part again in the fewest parts of at most `most`."""
    inner = [first + bound for first, last in pairwise(bounds) for bound in even_bounds(last - first, most)[:-1]]
    return [*inner, *bounds[-1:]]
