"""History to the next candidates, and to picks.

Every strategy is a pure function of (space, history, count, seed), so that resuming, replaying and simulating a study
are the same call. Trials that still run count as known. Fewer than `count` proposals come back only where the space
holds nothing new.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable

from automl.study.config import STRATEGIES
from automl.study.history import History, Proposal
from search_spaces.space import SearchSpace

Strategy = Callable[[SearchSpace, History, int, int], list[Proposal]]


def strategy_of(name: str) -> Strategy:
    """The strategy of that name in the table of the study file; loads no other.

    Raises:
        KeyError: where the table has no such name.
    """
    found: Strategy = pkgutil.resolve_name(STRATEGIES[name])
    return found
