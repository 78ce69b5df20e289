"""Of what a gain over the model as brought is made: its training knobs as tuned, and what the search found beyond.

Two more models are trained beside the finals of a study that tuned or widened its baseline: the model as brought, where
the baseline is another, and for each pick that is better the architecture of the baseline with that pick's training
knobs.
They are no picks and have no part in the correction over them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from automl.commands.repeats import BASELINE
from automl.stats.compared import ScoredRows
from automl.stats.significance import NO_GAIN, Gain
from automl.stats.verdicts import Verdict
from automl.study.problem import Problem
from automl.study.results import FinalPick, Finals, Parts, PickParts
from search_spaces.model import ModelSpec

Floats = NDArray[np.float64]
BROUGHT = "brought"


def further_models(problem: Problem, found: Finals, picked: Mapping[str, ModelSpec]) -> dict[str, ModelSpec]:
    """The models to be trained beside the finals, by name; none where they would tell nothing."""
    models = {} if problem.brought is None else {BROUGHT: problem.brought}
    better = [str(pick.trial) for pick in found.picks if pick.verdict is Verdict.BETTER]
    return models | {_trained_as(name): with_training_of(problem.baseline, picked[name]) for name in better}


def with_training_of(architecture: ModelSpec, model: ModelSpec) -> ModelSpec:
    """One model's architecture with another's training knobs: all of `train`, and of the embedding its optimizer, rate,
    decay and initial scale."""
    of_rows = model.embedding
    embedding = replace(
        architecture.embedding,
        optimizer=of_rows.optimizer,
        lr=of_rows.lr,
        weight_decay=of_rows.weight_decay,
        init_std=of_rows.init_std,
    )
    return replace(architecture, embedding=embedding, train=model.train)


def parts_of(window: ScoredRows, found: Finals, probs: Mapping[str, Floats]) -> Parts:
    """The gains between model as brought, tuned baseline, pick, and the model in between, from (orders, rows)
    probabilities by name. What was not trained on every order is NaN."""
    brought = probs.get(BROUGHT)
    ne_S = np.full(1, np.nan) if brought is None else window.ne(brought)
    tuned = _gain(window, brought, probs[BASELINE])
    return Parts(
        brought_ne=float(ne_S.mean()),
        brought_ne_std=float(ne_S.std(ddof=1)) if len(ne_S) > 1 else float("nan"),
        tuned_gain_pct=tuned.pct,
        tuned_ci_low_pct=tuned.low_pct,
        tuned_ci_high_pct=tuned.high_pct,
        picks=tuple(_of_pick(window, pick, probs) for pick in found.fit),
    )


def _of_pick(window: ScoredRows, pick: FinalPick, probs: Mapping[str, Floats]) -> PickParts:
    of_pick, between = probs.get(str(pick.trial)), probs.get(_trained_as(str(pick.trial)))
    whole, training = _gain(window, probs.get(BROUGHT), of_pick), _gain(window, probs[BASELINE], between)
    architecture = _gain(window, between, of_pick)
    return PickParts(
        trial=pick.trial,
        brought_gain_pct=whole.pct,
        brought_ci_low_pct=whole.low_pct,
        brought_ci_high_pct=whole.high_pct,
        training_gain_pct=training.pct,
        architecture_gain_pct=architecture.pct,
        architecture_ci_low_pct=architecture.low_pct,
        architecture_ci_high_pct=architecture.high_pct,
    )


def _gain(window: ScoredRows, base: Floats | None, probs: Floats | None) -> Gain:
    """Over the orders that both were trained on: the first ones."""
    if base is None or probs is None:
        return NO_GAIN
    both = min(len(base), len(probs))
    return window.gains(base[:both], [probs[:both]])[0] if both > 1 else NO_GAIN


def _trained_as(pick: str) -> str:
    return f"as{pick}"
