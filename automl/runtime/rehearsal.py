"""Trainings on parts of the rows, by which a search decides whether a model is worth all of them.

A part is one row of each run of so many, drawn, trained from the beginning with the model's own schedule. A training
that is merely looked at on its way has seen the oldest rows, where it goes in the order of time, at rates that have not
settled; the newest rows alone know no season but the last. On half a year of receipts one row in four ranks models with
a tau of .61, the newest quarter with .41, a fifth of the training with less than 0 (experiments/LOG.md).
"""

from __future__ import annotations

from automl.data.store.log import EncodedLog
from automl.data.store.sampled import one_in, sampled
from automl.ranking.model import build_model
from automl.ranking.place import device_of, module_to
from automl.ranking.progress import Diverged
from automl.ranking.scoring import check
from automl.runtime.jobs import TrainModel
from automl.runtime.training import Training
from automl.stats.seeds import seed_of
from automl.study.history import PartNE
from search_spaces.model import ModelSpec

CHECK_ROWS = 65_536  # most rows that a part is scored on


def rehearse(
    asked: TrainModel, spec: ModelSpec, log: EncodedLog, rows: slice, every: int, training: Training
) -> PartNE:
    """Train a model of its own on one row in `every`, and score it on a part of the scored window.

    Raises:
        Diverged: as the training on all rows would.
    """
    part = sampled(log, "part", one_in(rows, every, seed_of("part", asked.order_seed, every)))
    model = build_model(spec, log.inputs, seed=asked.weights_seed)
    module_to(model, device_of(asked.device))
    try:
        for _ in training(
            model,
            spec,
            part,
            part.windows["part"],
            order_seed=asked.order_seed,
            weights_seed=asked.weights_seed,
            points=1,
            steppers=None,
        ):
            pass
    except Diverged as diverged:
        raise Diverged(f"on one row in {every}, {diverged}") from None
    ne = check(model, log, log.windows[asked.score], min(CHECK_ROWS, len(part)))
    if ne is None:
        raise Diverged(f"predictions are not finite after a training on one row in {every}")
    return PartNE(every, ne)
