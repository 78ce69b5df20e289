"""The batch form of the walk: n candidates on a matrix, column by column."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from search_spaces.decisions import Floats
from search_spaces.plan import Plan


def draw(plan: Plan, logits: Sequence[NDArray[np.float64]] | None, n: int, rng: np.random.Generator) -> Floats:
    """(n, decisions): a value of each domain for each row, then NaN where the question is not asked."""
    unit_ND = rng.random((len(plan.decisions), n)).T
    if logits is not None:
        unit_ND = _in_bins(plan, logits, unit_ND, rng)
    return answered(plan, unit_ND)


def answered(plan: Plan, unit_ND: Floats) -> Floats:
    """The answers (n, D) that stand at places on [0, 1), one for each question."""
    answers_ND = np.empty(unit_ND.shape, order="F")
    for column, decision in enumerate(plan.decisions):
        answers_ND[:, column] = decision.domain.from_unit(unit_ND[:, column])
        condition = decision.condition
        if condition.guards or condition.when is not None:
            answers_ND[~condition.mask(answers_ND), column] = np.nan
        repair(plan, column, answers_ND)
    return answers_ND


def repair(plan: Plan, column: int, answers_ND: Floats) -> None:
    """After the last flag of an any_of layer: where all are no, the rescue flag is yes. In place."""
    group = plan.groups.get(column)
    if group is None:
        return
    empty = (answers_ND[:, list(group.columns)] == 0).all(axis=1)
    answers_ND[empty, group.rescue] = 1.0


def _in_bins(plan: Plan, logits: Sequence[NDArray[np.float64]], unit_ND: Floats, rng: np.random.Generator) -> Floats:
    """Positions on [0, 1): the bin by softmax and the first number, the place inside it by a second one."""
    if len(logits) != len(plan.decisions):
        raise ValueError(f"must give logits for {len(plan.decisions)} decisions, but found {len(logits)}")
    inside_ND = rng.random(unit_ND.T.shape).T
    placed_ND = np.empty_like(unit_ND)
    for column, (decision, own) in enumerate(zip(plan.decisions, logits, strict=True)):
        edges = np.asarray(decision.edges)
        if len(own) != len(edges) - 1:
            raise ValueError(f"{decision.path} must have {len(edges) - 1} logits, but found {len(own)}")
        weights = np.exp(own - np.max(own))
        cumulative = np.cumsum(weights / weights.sum())
        bins = np.minimum(np.searchsorted(cumulative, unit_ND[:, column], side="right"), len(own) - 1)
        placed_ND[:, column] = edges[bins] + inside_ND[:, column] * (edges[bins + 1] - edges[bins])
    return placed_ND
