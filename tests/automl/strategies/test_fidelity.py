"""Which part of the rows ranks trials, and who is promoted to all of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest

from automl.strategies.fidelity import chosen, fidelities, part_ne, promoted
from automl.study.history import PartNE, State, Trial
from automl.study.parts import EVERY, LEAST_ROWS, parts_of
from search_spaces.space import Candidate
from tests.worlds.studies import HUMAN, complete, running

CANDIDATE = Candidate({}, HUMAN)
ME = running(100, CANDIDATE)


def on_parts(number: int, ne: float, parts: Sequence[PartNE], ratio: float = 1.0) -> Trial:
    trial = complete(running(number, CANDIDATE), ne=ne, ratio=ratio)
    assert trial.measurement is not None
    return replace(trial, measurement=replace(trial.measurement, parts=tuple(parts)))


def pilots(*right: int, count: int = 12) -> list[Trial]:
    """Trials, the baseline first; parts of `right` rank them, the others turn them round."""
    nes = [0.90 + 0.004 * n for n in range(count)]
    return [
        on_parts(n, ne, [PartNE(every, 0.92 + (ne - 0.9 if every in right else 0.9 - ne)) for every in EVERY])
        for n, ne in enumerate(nes)
    ]


def test_the_smallest_part_that_ranks_is_chosen() -> None:
    found = chosen(pilots(4, 8))
    assert found is not None
    assert found.every == 8
    assert found.agreement.tau == pytest.approx(1.0)
    assert [one.every for one in fidelities(pilots(4, 8))] == list(EVERY), "the others are told too"


def test_where_no_part_ranks_there_is_none() -> None:
    assert chosen(pilots()) is None


def test_a_few_trials_choose_nothing() -> None:
    assert chosen(pilots(4, 8, 16, count=7)) is None
    assert chosen(pilots(4, 8, 16, count=8)) is not None


def test_who_was_stopped_tells_nothing_of_a_part() -> None:
    cut = [replace(trial, state=State.STOPPED) for trial in pilots(16)]
    assert chosen(cut) is None


def test_a_window_too_small_has_no_parts() -> None:
    assert parts_of(4 * LEAST_ROWS - 1) == ()
    assert parts_of(4 * LEAST_ROWS) == (4,)
    assert parts_of(16 * LEAST_ROWS) == EVERY


def test_a_leader_is_promoted_and_a_follower_is_not() -> None:
    others = pilots(16)
    assert promoted(ME, PartNE(16, 0.91), 1.0, others)
    assert not promoted(ME, PartNE(16, 0.95), 1.0, others)


def test_what_a_part_leads_to_is_told_by_those_that_went_on() -> None:
    others = [on_parts(n, 0.88 + 0.002 * n, [PartNE(8, 0.90 + 0.002 * n)]) for n in range(12)]
    assert part_ne(PartNE(8, 0.91), 1.0, others) == pytest.approx(0.89)
    assert math.isnan(part_ne(PartNE(4, 0.91), 1.0, others)), "nobody was trained on that part"
