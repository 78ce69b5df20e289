"""The training loop: rows of a log in, progress out. It owns no checkpoint, no log and no early stopping."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from automl.ranking.batches import chunks
from automl.ranking.course import Course
from automl.ranking.distill import TeacherLoss
from automl.ranking.examples import Examples
from automl.ranking.losses import LabelLoss, Loss, TasksLoss
from automl.ranking.model import Ranker, RankingModel, member_seeds, members_of
from automl.ranking.place import PROCESSOR, Device
from automl.ranking.progress import Diverged, Prequential, Progress, mean_progress
from automl.ranking.recalibration import recalibrate, recent_rows
from automl.ranking.stepper import Stepper
from search_spaces.model import InputShape, ModelSpec, Tasks, Train

__all__ = ["Diverged", "Progress", "Steppers", "make_steppers", "rate_factor", "train"]


BASE_ROWS = 1 << 20  # that are held at once for the base rate

Begin = Callable[[RankingModel, Stepper, Prequential], None]
Steppers = tuple[Stepper, ...]
"""One for each member of a model."""


def train(
    model: Ranker,
    spec: ModelSpec,
    log: Examples,
    rows: slice,
    *,
    order_seed: int,
    weights_seed: int,
    points: int = 20,
    steppers: Steppers | None = None,
    course: Course | None = None,
) -> Iterator[Progress]:
    """Train over a window, about `points` times telling how it goes; the last point is the end.

    `order_seed` decides the order of the rows, `weights_seed` dropout; members are trained side by side, each on an
    order of its own, and a point is their mean. A head that was never trained starts at the window's base rate. A model
    with `distill` also learns from the log's teacher. Training goes on with the `steppers` of an earlier call
    (`make_steppers`), or starts with some of its own. A `course` says at each point how it could be gone on from there;
    one of an earlier run is gone on from, to the same weights, with the points that are left. Once it is over, the
    model holds what `train.average` and `train.recalibrate` ask for.

    Raises:
        Diverged: with the reason.
        ValueError: where the model has `distill` and the log has no teacher.
    """
    members = members_of(model)
    steppers = steppers or make_steppers(model, spec, log, weights_seed=weights_seed)
    orders, noises = member_seeds(spec, order_seed), member_seeds(spec, weights_seed)
    begin = (course or Course()).begin
    passes = [
        _pass(member, stepper, spec, log, rows, begin, order_seed=order, noise_seed=noise, points=points)
        for member, stepper, order, noise in zip(members, steppers, orders, noises, strict=True)
    ]
    for told in zip(*passes, strict=True):
        yield told[0] if len(told) == 1 else mean_progress(told)
    if spec.train.recalibrate:
        recalibrate(model, log, recent_rows(rows))


def make_steppers(model: Ranker, spec: ModelSpec, log: Examples, *, weights_seed: int) -> Steppers:
    """What trains a model: to be kept where it is to be trained on later.

    Raises:
        ValueError: where the model has `distill` and the log has no teacher.
    """
    seeds = member_seeds(spec, weights_seed)
    return tuple(
        Stepper(member, spec, _loss(member, spec, log, seed))
        for member, seed in zip(members_of(model), seeds, strict=True)
    )


def _pass(
    model: RankingModel,
    stepper: Stepper,
    spec: ModelSpec,
    log: Examples,
    rows: slice,
    begin: Begin,
    *,
    order_seed: int,
    noise_seed: int,
    points: int,
) -> Iterator[Progress]:
    """All epochs of one member; at the end it is the mean of its last steps."""
    model.train()
    model.noise.reseed(noise_seed)
    if not model.head.bias.any():
        model.start_at(*base_rates(log, rows))
    rng = np.random.default_rng(order_seed)
    settings = spec.train
    total = (rows.stop - rows.start) * settings.epochs
    tail_from = total - settings.average * (rows.stop - rows.start)
    prequential = Prequential(total, points)
    begin(model, stepper, prequential)
    before = prequential.rows

    def factor(count: int) -> float:
        return rate_factor(settings, prequential.rows / total, count / total)

    task = None if log.labels_NT is None else log.primary
    taught, shuffled = spec.distill is not None, settings.order == "shuffled"
    for epoch in range(settings.epochs):
        after = max(0, before - epoch * (rows.stop - rows.start))
        for chunk in chunks(log, rows, shuffled=shuffled, rng=rng, taught=taught, after=after):
            for batch, logits in stepper.steps(chunk, factor):
                if task is None:
                    prequential.add(logits, batch.labels, batch.weights_B)
                else:
                    prequential.add(logits[:, task], batch.labels[:, task], batch.weights_B)
                if stepper.waiting:
                    continue  # means and points are of whole steps
                if tail_from <= prequential.rows < total and not stepper.averaging:
                    stepper.average()
                if prequential.due:
                    yield prequential.point()
    stepper.settle()
    _check_weights(model)


def _loss(model: RankingModel, spec: ModelSpec, log: Examples, seed: int) -> Loss:
    """`seed` is of the weights that never serve."""
    if spec.distill is None:
        return LabelLoss() if model.tasks == 1 else tasks_loss(spec.tasks or Tasks(), model.inputs, model.there)
    if log.teacher_NT is None or log.own is None:
        raise ValueError("a model with distill must be trained on a log with a teacher")
    return TeacherLoss(spec.distill, model.head, tasks=log.teacher_NT.shape[1], own=log.own, seed=seed)


def tasks_loss(tasks: Tasks, inputs: InputShape, there: Device = PROCESSOR) -> TasksLoss:
    """What a model of several labels learns by."""
    given = inputs.given if tasks.esmm else ()
    uncertain = tasks.losses == "uncertainty"
    return TasksLoss(inputs.tasks, given=given, weight=tasks.weight, uncertain=uncertain, there=there)


def rate_factor(settings: Train, done: float, step: float) -> float:
    """Factor of both learning rates once a share `done` of the training is over, for a step that adds `step`."""
    warm = 1.0 if settings.warmup == 0 else min(1.0, (done + step) / settings.warmup)
    if settings.schedule == "constant":
        return warm
    left = min(1.0, (1.0 - done) / (1.0 - settings.warmup))
    return warm * (left if settings.schedule == "linear" else 0.5 * (1.0 - math.cos(math.pi * left)))


def base_rates(log: Examples, rows: slice) -> tuple[float, ...]:
    """Weighted share of positives in a window, of each label where it is defined; memory holds a block of it."""
    columns = [log.labels_N] if log.labels_NT is None else list(log.labels_NT.T)
    return tuple(_base_rate(labels_N, log.weights_N, rows) for labels_N in columns)


def _base_rate(labels_N: NDArray[np.float32], weights_N: NDArray[np.float32], rows: slice) -> float:
    positive = total = 0.0
    for start in range(rows.start, rows.stop, BASE_ROWS):
        part = slice(start, min(start + BASE_ROWS, rows.stop))
        labels, weights = labels_N[part].astype(np.float64), weights_N[part].astype(np.float64)
        if np.isnan(labels).any():
            labels, weights = np.nan_to_num(labels), np.where(np.isnan(labels), 0.0, weights)
        positive += float((labels * weights).sum())
        total += float(weights.sum())
    return positive / total


def _check_weights(model: RankingModel) -> None:
    parts = [model.table.weight_RE, *model.parameters()]
    if not all(torch.isfinite(part.detach().sum()) for part in parts):
        raise Diverged("weights are not finite at the end of training")
