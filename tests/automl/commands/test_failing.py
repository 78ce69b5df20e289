"""What a search that has nothing to show says of itself."""

from __future__ import annotations

from automl.commands.failing import all_failed
from tests.worlds.studies import candidates, complete, failed, running

MODELS = candidates(4, seed=5)


def test_a_search_in_which_all_failed_says_why() -> None:
    trials = [running(n, model) for n, model in enumerate(MODELS[:4], 1)]
    slow = [failed(t, "timeout", "took longer than its limit of 1 s") for t in trials[:2]]
    assert all_failed([]) is None
    assert all_failed([*slow, trials[3]]) == (
        "every trial failed (2); most often (2): timeout: took longer than its limit of 1 s"
    )
    assert all_failed([*slow, failed(trials[2])]) == (
        "every trial failed (3); most often (2): timeout: took longer than its limit of 1 s"
    )
    assert all_failed([*slow, complete(trials[2])]) is None
