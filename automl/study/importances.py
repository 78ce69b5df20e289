"""Which knobs move the objectives of a study: fANOVA (Hutter, Hoos and Leyton-Brown 2014) as Optuna has it."""

from __future__ import annotations

import math

import optuna
from optuna.trial import TrialState

_ALL_TREES, _FEWER_TREES = 64, 24


def shares_of(study: optuna.Study, most: int) -> dict[str, dict[str, float]]:
    """Share of each knob that every complete trial answered in the variance of NE and of QPS.

    From at most so many trials, spread evenly over the search, and then with fewer trees: what it takes grows with the
    product of both, and a thousand trials took a minute.
    """
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    count, trees = len(complete), _ALL_TREES
    if count > most:
        complete, trees = [complete[k * count // most] for k in range(most)], _FEWER_TREES
    sampled = optuna.create_study(directions=["minimize", "maximize"])
    sampled.add_trials(complete)
    targets = {"ne": lambda trial: trial.values[0], "qps": lambda trial: math.log(trial.values[1])}
    evaluator = optuna.importance.FanovaImportanceEvaluator(n_trees=trees, seed=0)
    shares = {}
    for name, target in targets.items():
        try:
            found = optuna.importance.get_param_importances(sampled, evaluator=evaluator, target=target)
        except RuntimeError:  # no tree found any variance: nothing moves this objective
            found = {}
        shares[name] = dict(found)
    return shares
