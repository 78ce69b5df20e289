"""Proposals where a narrow band on FLOPs leaves few even draws: all inside, as many as asked, the same by seed."""

from __future__ import annotations

import numpy as np
import pytest

from automl.strategies import strategy_of
from automl.strategies.opening import OPENING
from automl.study.history import Origin
from search_spaces.banded import reach
from search_spaces.space import load_space
from tests.worlds.studies import INPUTS, candidates, complete, history, running

PLAIN = load_space("ctr-small", INPUTS)
MOST = reach(PLAIN.plan, PLAIN.flops, np.random.default_rng(0))[1]
SPACE = PLAIN.with_where([f"{0.4 * MOST:.0f} <= flops <= {0.88 * MOST:.0f}"])


@pytest.mark.parametrize("strategy", ["controller", "evolution", "random"])
@pytest.mark.parametrize("ended", [0, OPENING + 2])
def test_proposals_lie_inside(strategy: str, ended: int) -> None:
    known = candidates(ended, space=SPACE)
    past = history([complete(running(i, one), ne=0.9 + 0.001 * (i % 5)) for i, one in enumerate(known, 1)])
    found = strategy_of(strategy)(SPACE, past, 6, 3)
    assert len(found) == 6
    assert all(SPACE.allows(proposal.candidate) for proposal in found)
    again = strategy_of(strategy)(SPACE, past, 6, 3)
    assert [one.candidate.key for one in again] == [one.candidate.key for one in found]


def test_the_opening_starts_near_the_baseline_all_the_same() -> None:
    found = strategy_of("controller")(SPACE, history([]), OPENING, 3)
    assert sum(proposal.origin is Origin.MUTATION for proposal in found) >= 7
