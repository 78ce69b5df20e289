"""The logs that candidates of the tables are trained on, each with its space and its human baseline."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from automl.study.problem import Problem, load_problem
from experiments import completejourney, kuairand
from experiments.studies import STUDIES, changed

SPACE = "ctr-small"
SEED = 7  # of the orders of the data and of initial weights
SUMMER = {
    "train": ["2017-06-05", "2017-09-03"],
    "validate": ["2017-10-02", "2017-10-15"],
    "test": ["2017-11-13", "2017-12-03"],
}


def _completejourney(name: str) -> Path:
    """Three months of a third of the households: a trial takes seconds."""

    def shorter(tree: Any) -> None:
        tree["data"]["split"] = dict(SUMMER)

    return changed(completejourney.write_study(name, space=SPACE, seed=SEED), shorter)


LOGS: Mapping[str, Callable[..., Path]] = {
    "kuairand": partial(
        kuairand.write_study, space=SPACE, label=kuairand.CTR, baseline=kuairand.TUNED, split=kuairand.WEEK, seed=SEED
    ),
    "completejourney": _completejourney,
}


def problem_of(log: str) -> Problem:
    """Space, baseline and encoded log.

    Raises:
        InputError: where the data is not there.
    """
    name = f"table-{log}"
    file = STUDIES / name / "study.yaml"
    return load_problem(file if file.exists() else LOGS[log](name))
