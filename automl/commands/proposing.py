"""A strategy is asked, its answer held against what was asked, and waited for."""

from __future__ import annotations

import time
from concurrent.futures import Future, wait

from automl.runtime.errors import RunError, explain
from automl.runtime.interrupt import deferred_interrupt
from automl.strategies import Strategy
from automl.study.history import History, Proposal
from automl.study.requests import Request
from search_spaces.space import SearchSpace

_HEARD_S = 0.1  # Ctrl-C, while nothing runs


def pause(seconds: float = _HEARD_S) -> None:
    """A moment, while others are waited for. Raises KeyboardInterrupt by hand."""
    end = time.monotonic() + seconds
    with deferred_interrupt() as stop:
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, _HEARD_S))
            stop.check()


def awaited(order: Future[list[Proposal]]) -> list[Proposal]:
    """What was ordered, when it is there. Raises KeyboardInterrupt by hand."""
    with deferred_interrupt() as stop:
        while not wait([order], timeout=_HEARD_S).done:
            stop.check()
    return order.result()


def proposed(space: SearchSpace, strategy: Strategy, history: History, request: Request) -> list[Proposal]:
    """What a strategy proposes to a request.

    Raises:
        RunError: where it fails, or proposes what was tried before, one model twice, or more than it was asked for.
    """
    name = f"the strategy `{request.strategy}`"
    try:
        proposals = list(strategy(space, history, request.count, request.seed))
        keys = [proposal.candidate.key for proposal in proposals]
    except Exception as error:
        raise RunError(f"{name} failed: {explain(error)}") from error
    different, known = set(keys), history.taken() & set(keys)
    if len(keys) > request.count or len(different) < len(keys) or known:
        told = f"{len(keys)} ({len(different)} different, {len(known)} known)"
        raise RunError(f"{name} must propose at most {request.count} models, all different and new, but gave {told}")
    return proposals
