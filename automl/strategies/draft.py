"""Proposals in the making: only candidates that are allowed and new get in.

New means neither tried nor being tried, and not the baseline, which is measured before any search.
"""

from __future__ import annotations

from collections.abc import Callable

from automl.study.history import Forecast, History, Origin, Proposal
from search_spaces.space import Candidate, SearchSpace

MISSES = 200  # draws in a row that bring nothing new, after which the space counts as exhausted


class Draft:
    """The proposals of one call, in the order in which they were added."""

    def __init__(self, space: SearchSpace, history: History) -> None:
        self._space = space
        self._taken = set(history.taken())
        self.proposals: list[Proposal] = []

    def __len__(self) -> int:
        return len(self.proposals)

    def fresh(self, candidate: Candidate) -> bool:
        """New to the study and to this draft, and allowed by the space."""
        return candidate.key not in self._taken and self._space.allows(candidate)

    def add(self, candidate: Candidate, origin: Origin, forecast: Forecast | None = None) -> bool:
        """Take a candidate in; False where it is not fresh."""
        if not self.fresh(candidate):
            return False
        self._taken.add(candidate.key)
        self.proposals.append(Proposal(candidate, origin, forecast))
        return True

    def fill(self, count: int, draw: Callable[[], Candidate], origin: Origin) -> None:
        """Draw until there are `count` proposals, or until nothing new comes: a small space may be exhausted."""
        misses = 0
        while len(self) < count and misses < MISSES:
            misses = 0 if self.add(draw(), origin) else misses + 1
