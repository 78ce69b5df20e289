"""The training loop: rows of a log in, progress out. It owns no checkpoint, no log and no early stopping.

B batch, F id fields, D dense features, E dimension, C rows of a chunk.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from automl.ranking.adam import FlatAdam
from automl.ranking.batches import chunks, even_bounds
from automl.ranking.distill import Lesson, StudentStepper, Targets
from automl.ranking.embedding import RowwiseAdagrad
from automl.ranking.examples import Examples
from automl.ranking.model import RankingModel
from automl.ranking.progress import Diverged, Prequential, Progress
from search_spaces.model import ModelSpec, Train

__all__ = ["Diverged", "Progress", "rate_factor", "train"]

Learn = Callable[[Tensor, Tensor, Tensor, Tensor | None, float, Targets | None], Tensor]
Prepare = Callable[[Lesson, Tensor, Tensor | None, Sequence[int]], Targets | None]


def train(
    model: RankingModel,
    spec: ModelSpec,
    log: Examples,
    rows: slice,
    *,
    order_seed: int,
    weights_seed: int,
    points: int = 20,
) -> Iterator[Progress]:
    """Train over a window, about `points` times telling how it goes; the last point is the end.

    `order_seed` decides the order of the rows, `weights_seed` dropout. A head that was never trained starts at the
    window's base rate. A model with `distill` also learns from the log's teacher.

    Raises:
        Diverged: with the reason.
        ValueError: where the model has `distill` and the log has no teacher.
    """
    model.train()
    model.noise.reseed(weights_seed)
    if not model.head.bias.any():
        model.start_at(_base_rate(log, rows))
    rng = np.random.default_rng(order_seed)
    settings = spec.train
    total = (rows.stop - rows.start) * settings.epochs
    learn, prepare = _learner(model, spec, log, weights_seed)
    taught = spec.distill is not None
    prequential = Prequential(total, points)
    for _ in range(settings.epochs):
        for chunk in chunks(log, rows, shuffled=settings.order == "shuffled", rng=rng, taught=taught):
            rows_CF = model.table.rows(chunk.features.ids_BF)
            bounds = even_bounds(chunk.rows, settings.batch_size)
            lesson = chunk.lesson
            targets = None if lesson is None else prepare(lesson, chunk.labels_C, chunk.weights_C, bounds)
            for first, last in pairwise(bounds):
                factor = rate_factor(settings, prequential.rows / total, (last - first) / total)
                labels_B = chunk.labels_C[first:last]
                weights_B = None if chunk.weights_C is None else chunk.weights_C[first:last]
                part = None if targets is None else targets.part(first, last)
                dense_BD = chunk.features.dense_BD[first:last]
                logits_B = learn(rows_CF[first:last], dense_BD, labels_B, weights_B, factor, part)
                prequential.add(logits_B, labels_B, weights_B)
                if prequential.due:
                    yield prequential.point()
    _check_weights(model)


def _learner(model: RankingModel, spec: ModelSpec, log: Examples, seed: int) -> tuple[Learn, Prepare]:
    """The step of a model, with a teacher or without, and what makes a lesson ready for it.

    `seed` is of the weights that never serve.
    """
    if spec.distill is None:
        stepper = Stepper(model, spec)

        def learn(
            rows_BF: Tensor, dense_BD: Tensor, labels_B: Tensor, weights_B: Tensor | None, factor: float, _: object
        ) -> Tensor:
            return stepper.step(rows_BF, dense_BD, labels_B, weights_B, factor)

        return learn, lambda *_: None
    if log.teacher_NT is None or log.own is None:
        raise ValueError("a model with distill must be trained on a log with a teacher")
    student = StudentStepper(model, spec, tasks=log.teacher_NT.shape[1], own=log.own, seed=seed)
    return student.step, student.targets


class Stepper:
    """Both optimizers at once: Adam on the dense weights, row-wise Adagrad on the table."""

    def __init__(self, model: RankingModel, spec: ModelSpec) -> None:
        self._model, self._spec = model, spec
        self._adagrad = RowwiseAdagrad(model.table, spec.embedding.weight_decay)
        self._adam = FlatAdam(model.parameters(), spec.train.weight_decay)

    def step(
        self, rows_BF: Tensor, dense_BD: Tensor, labels_B: Tensor, weights_B: Tensor | None, factor: float
    ) -> Tensor:
        """Learn from a batch at `factor` of both learning rates; the logits (B,) are from before."""
        embedded_BFE = self._model.table.gather(rows_BF).requires_grad_()
        logits_B = self._model.logits(embedded_BFE, dense_BD)
        seen_B = logits_B.detach()
        grad_B = seen_B.sigmoid().sub_(labels_B).div_(len(labels_B))
        if weights_B is not None:
            grad_B.mul_(weights_B)
        self._adam.zero_grad()
        torch.autograd.backward(logits_B, grad_B)
        self._adam.step(self._spec.train.dense_lr * factor)
        assert embedded_BFE.grad is not None
        self._adagrad.step(rows_BF, embedded_BFE.grad, self._spec.embedding.lr * factor)
        return seen_B


def rate_factor(settings: Train, done: float, step: float) -> float:
    """Factor of both learning rates once a share `done` of the training is over, for a step that adds `step`."""
    warm = 1.0 if settings.warmup == 0 else min(1.0, (done + step) / settings.warmup)
    if settings.schedule == "constant":
        return warm
    left = min(1.0, (1.0 - done) / (1.0 - settings.warmup))
    return warm * (left if settings.schedule == "linear" else 0.5 * (1.0 - math.cos(math.pi * left)))


def _base_rate(log: Examples, rows: slice) -> float:
    labels, weights = log.labels_N[rows].astype(np.float64), log.weights_N[rows].astype(np.float64)
    return float((labels * weights).sum() / weights.sum())


def _check_weights(model: RankingModel) -> None:
    parts = [model.table.weight_RE, *model.parameters()]
    if not all(torch.isfinite(part.detach().sum()) for part in parts):
        raise Diverged("weights are not finite at the end of training")
