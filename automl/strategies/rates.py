"""The training knobs of one model, tuned by steps: rates, batch size, order, averaging, schedule. Nothing else of it
changes.

Around a centre each number is tried a step up and a step down, and the other order of the rows. A parabola through the
three says where it would be best; the knobs are then moved together, half the way and the whole way, since higher rates
and smaller batches all spend the same budget of learning. The best of all is tried with other ends of its training, and
is the next centre, with half the step. Ten trainings are too few for a predictor and for chance: on KuaiRand, mutations
and draws of that number found nothing better than rates that were three to five times too low; these steps found what a
grid of 15 had found.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace

from search_spaces.knobs import knobs_of
from search_spaces.model import Embedding, ModelSpec, Train

RATE_STEP, SIZE_STEP = 3.0, 2.0  # factors
FARTHEST = 2.0  # steps from a centre that a parabola is believed
SWEEPS = 8  # then the steps are finer than any noise
_AXES = ("embedding.lr", "train.dense_lr", "train.batch_size")
Steps = tuple[float, float, float]  # along the axes


def next_models(
    model: ModelSpec, tried: Mapping[str, float], budget: int, *, most_rows: int, timed: bool = True
) -> list[ModelSpec]:
    """The models to be trained next, in the order of `planned`; none where the budget is spent or nothing is left.

    Args:
        model: as brought; it is the first to be trained.
        tried: NE by key of what was trained, NaN where it failed.
        budget: models in all.
        most_rows: of a batch.
        timed: whether the log has a time, by which its rows may be ordered.
    """
    found: list[ModelSpec] = []
    for wave in _waves(model, tried, most_rows, timed):
        found = list(dict.fromkeys([*found, *wave]))[:budget]
        missing = [one for one in found if one.key not in tried]
        if missing or len(found) >= budget:
            return missing
    return []


def _waves(model: ModelSpec, tried: Mapping[str, float], most_rows: int, timed: bool) -> Iterator[list[ModelSpec]]:
    """Each wave is asked for once those before are in `tried`."""
    centre = model
    for sweep in range(SWEEPS):
        size = 0.5**sweep
        around = [
            _moved(centre, _along(axis, side * size), most_rows) for axis in range(len(_AXES)) for side in (1.0, -1.0)
        ]
        turned = [_other_order(model)] if sweep == 0 and timed else []
        yield [centre, *turned, *around]
        best = [size * _lowest(around[2 * axis : 2 * axis + 2], centre, tried) for axis in range(len(_AXES))]
        ordered = _best_of([centre, *turned], tried)
        together = [_moved(ordered, _scaled(best, share), most_rows) for share in (0.5, 1.0)]
        yield together
        centre = _best_of([centre, *turned, *around, *together], tried)
        others = [replace(centre, train=train) for train in _ended_otherwise(centre.train)]
        yield others
        centre = _best_of([centre, *others], tried)


def _other_order(model: ModelSpec) -> ModelSpec:
    """What lies after the training window is most like its end: on some logs the order of time takes more of NE there
    than any layer does, and it costs nothing."""
    order = "shuffled" if model.train.order == "time" else "time"
    return replace(model, train=replace(model.train, order=order))


def _moved(model: ModelSpec, steps: Steps, most_rows: int) -> ModelSpec:
    """The model some steps away, within what its knobs allow; rates of two digits."""
    sparse, dense, size = steps
    rows = round(model.train.batch_size * SIZE_STEP ** round(size)) if size else model.train.batch_size
    return replace(
        model,
        embedding=replace(model.embedding, lr=_rate(model.embedding.lr, sparse, knobs_of(Embedding)["lr"].le)),
        train=replace(
            model.train,
            dense_lr=_rate(model.train.dense_lr, dense, knobs_of(Train)["dense_lr"].le),
            batch_size=min(max(1, rows), max(most_rows, model.train.batch_size)),
        ),
    )


def _rate(rate: float, steps: float, most: float | None) -> float:
    return min(float(f"{rate * RATE_STEP**steps:.2g}"), most or math.inf) if steps else rate


def _along(axis: int, steps: float) -> Steps:
    sparse, dense, size = (steps if axis == k else 0.0 for k in range(len(_AXES)))
    return sparse, dense, size


def _scaled(steps: list[float], share: float) -> Steps:
    sparse, dense, size = (share * one for one in steps)
    return sparse, dense, size


def _lowest(sides: list[ModelSpec], centre: ModelSpec, tried: Mapping[str, float]) -> float:
    """Where a parabola through a step up, none and a step down is lowest, in steps."""
    up, down = (_loss(one, tried) for one in sides)
    here = _loss(centre, tried)
    edge = 0.0 if here <= min(up, down) else 1.0 if up < down else -1.0
    bend = up + down - 2.0 * here
    if not math.isfinite(bend):  # one of them failed
        return edge
    if bend <= 0.0:
        return FARTHEST * edge
    return max(-FARTHEST, min(FARTHEST, (down - up) / (2.0 * bend)))


def _best_of(models: list[ModelSpec], tried: Mapping[str, float]) -> ModelSpec:
    return min(models, key=lambda one: _loss(one, tried))


def _loss(model: ModelSpec, tried: Mapping[str, float]) -> float:
    ne = tried.get(model.key, math.inf)
    return ne if math.isfinite(ne) else math.inf


def _ended_otherwise(train: Train) -> list[Train]:
    """The end of a training calmed in other ways, the more likely one first: a decay where there is none loses most on
    short passes (KuaiRand), where the averaging of weights may gain or lose a little."""
    average = 0.0 if train.average else float(knobs_of(Train)["average"].default)
    averaged = replace(train, average=average)
    if train.schedule == "constant":
        return [averaged, replace(train, schedule="linear")]
    return [replace(train, schedule="constant"), averaged]
