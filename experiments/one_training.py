"""One training of a model, as the search of a study would do it: on the rows of train, scored on validate."""

from __future__ import annotations

import math
from dataclasses import replace

from automl.runtime.jobs import TrainModel
from automl.runtime.work import train_and_score
from automl.stats.seeds import trial_seeds
from automl.study.history import Measurement
from automl.study.problem import Problem
from search_spaces.model import ModelSpec


def measured(problem: Problem, spec: ModelSpec, order: int) -> Measurement:
    """On an order of the data. NE is infinite where the training diverged."""
    seeds = trial_seeds(0, order)
    asked = TrainModel(
        model=spec.to_tree(),
        log=str(problem.log.folder),
        weights_seed=seeds["weights"],
        order_seed=seeds["order"],
    )
    last = list(train_and_score(asked))[-1]
    assert last.measurement is not None, last.failure
    return last.measurement if last.failure is None else replace(last.measurement, ne=math.inf)
