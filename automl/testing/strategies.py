"""The contract of a strategy: a pure function of (space, history, count, seed) that gives new, allowed candidates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

from automl.strategies import Strategy, strategy_of
from automl.study.history import History, Proposal, State
from automl.testing import made_up
from automl.testing.holds import hold
from search_spaces.source import read_text
from search_spaces.space import load_space, space_of

TINY = "embedding: {dim: {choice: [4, 8, 16]}}\ntrain: {batch_size: {choice: [512, 1024]}}\ndeep: []\n"  # 6 candidates
SAME = "deep: [{mlp: {width: 64, dropout: {float: [0.1, 0.1005]}}}]\n"
WHERE = ("params <= 150K", "count(interaction, cross) <= 1", "deep.repeat <= 3")


def hold_strategy(propose: Strategy) -> None:
    """Hold a strategy to its contract, in a made-up world where no model is trained.

    Raises:
        AssertionError: with what must hold.
    """
    for check in CHECKS:
        check(propose)


def hold_count_new_and_allowed(propose: Strategy) -> None:
    """As many as asked for, all different, none of them known, each allowed by the space and found in it again."""
    space, history = made_up.small_space(), played()
    for count in (1, 7):
        proposals = propose(space, history, count, 7)
        keys = _keys(proposals)
        hold(len(proposals) == len(keys) == count, f"{count} asked for must give {count} different ones")
        hold(not keys & history.taken(), "nothing known must be proposed")
        hold(all(space.allows(p.candidate) for p in proposals), "every proposal must be allowed by the space")
        again = {space.replay(p.candidate.values).key for p in proposals}
        hold(again == keys, "a proposal's answers must stand for its model in this space")


def hold_pure(propose: Strategy) -> None:
    """The same call gives the same answer, another seed another one."""
    space, history = made_up.small_space(), played()
    first, second = (propose(space, history, 3, 7) for _ in range(2))
    hold(first == second, "the same call must give the same proposals: draw from the seed, keep no state")
    hold(_keys(first) != _keys(propose(space, history, 3, 8)), "another seed must give other proposals")


def hold_running_known(propose: Strategy) -> None:
    """What has begun is not proposed again, though nothing was measured since."""
    space, history = made_up.small_space(), played()
    proposals = propose(space, history, 3, 7)
    search = made_up.Search(space, history)
    search.begin(proposals)
    again = propose(space, search.history, 3, 7)
    hold(not _keys(again) & _keys(proposals), "what runs must not be proposed again")


def hold_from_nothing(propose: Strategy) -> None:
    """It starts on an empty history, and goes on where everything failed."""
    search = made_up.Search.start(made_up.small_space())
    for _ in range(3):
        proposals = propose(search.space, search.history, 6, 0)
        hold(len(_keys(proposals)) == 6, "an empty history, or one of failures, must give as many as asked for")
        search.begin(proposals)
        ended = tuple(t if t.ended else made_up.failed(t) for t in search.history.trials)
        search.history = replace(search.history, trials=ended)


def hold_where(propose: Strategy) -> None:
    """What the space forbids is not proposed."""
    history, narrow = played(), made_up.small_space().with_where(WHERE)
    kept = tuple(t for t in history.trials if narrow.allows(t.candidate))
    proposals = propose(narrow, replace(history, trials=kept), 6, 3)
    hold(len(proposals) == 6, "a narrow space must give as many as asked for")
    hold(all(narrow.allows(p.candidate) for p in proposals), "`where` of the space must hold for every proposal")


def hold_exhausted(propose: Strategy) -> None:
    """A space that holds little more gives what is left, and at last nothing."""
    tiny = space_of(read_text(TINY, "tiny"), made_up.INPUTS)
    search = made_up.Search.start(tiny)
    search.play(propose, 4, 4, seed=0)
    hold(len(propose(tiny, search.history, 5, 0)) == 2, "a space with two candidates left must give two")
    search.play(propose, 6, 2, seed=0)
    hold(propose(tiny, search.history, 5, 0) == [], "a space with nothing left must give nothing, and end")


def hold_other_spaces(propose: Strategy) -> None:
    """One continuous knob that decides nothing; layers of several blocks."""
    for space, trials, batch in (
        (space_of(read_text(SAME, "same"), made_up.INPUTS), 14, 5),
        (load_space("dhen-small", made_up.INPUTS), 20, 10),
    ):
        known = made_up.Search.start(space).play(propose, trials, batch, seed=0).known()
        hold(len(known) == trials, f"{trials} different candidates must be found in {space.tree.file}")


CHECKS: tuple[Callable[[Strategy], None], ...] = (
    hold_count_new_and_allowed,
    hold_pure,
    hold_running_known,
    hold_from_nothing,
    hold_where,
    hold_exhausted,
    hold_other_spaces,
)


@cache
def played() -> History:
    """Thirty trials at random: ended, stopped, failed; the last four still run."""
    draw = strategy_of("random")
    search = made_up.Search.start(made_up.small_space())
    search.play(draw, 26, 13, seed=1)
    trials = list(search.history.trials)
    for number in (3, 11, 17):
        trials[number] = made_up.failed(replace(trials[number], measurement=None))
    for number in (5, 9):
        trials[number] = replace(trials[number], state=State.STOPPED)
    search.history = replace(search.history, trials=tuple(trials))
    search.begin(draw(search.space, search.history, 4, 2))
    return search.history


def _keys(proposals: list[Proposal]) -> set[str]:
    return {proposal.candidate.key for proposal in proposals}
