"""Which part of the rows ranks trials, and who is promoted to all of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest

from automl.strategies.evidence import gather
from automl.strategies.fidelity import ALONG, PATIENCE, Expected, chosen, fidelities, next_promoted, waits
from automl.study.history import History, Limit, Metric, PartNE, State, Trial
from automl.study.parts import EVERY, LEAST_ROWS, before_promotion, parts_of
from search_spaces.space import Candidate
from tests.worlds.studies import HUMAN, baseline, candidates, complete, running, small_space

CANDIDATE = Candidate({}, HUMAN)
ORDER = baseline().trials[0].seeds


def on_parts(number: int, ne: float, parts: Sequence[PartNE], ratio: float = 1.0) -> Trial:
    """A pilot."""
    trial = complete(running(number, CANDIDATE), ne=ne, ratio=ratio, seeds=ORDER)
    assert trial.measurement is not None
    return replace(trial, measurement=replace(trial.measurement, parts=tuple(parts), pilot=True))


def parked(number: int, level: float, ratio: float = 1.0, told: float = 0.5) -> Trial:
    """On one row in 16; `told`: the NE that was foretold when it ended."""
    trial = on_parts(number, told, [PartNE(16, level)], ratio)
    assert trial.measurement is not None
    return replace(trial, state=State.STOPPED, measurement=replace(trial.measurement, pilot=False))


def promoted(trial: Trial, ne: float) -> Trial:
    assert trial.measurement is not None
    done = replace(trial, state=State.COMPLETE, measurement=replace(trial.measurement, ne=ne))
    return replace(done, on_part=trial.measurement)


def pilots(*right: int, count: int = 12) -> list[Trial]:
    """Parts of `right` rank them, the others turn them round; what the right ones tell is .02 above the end."""
    nes = [0.90 + 0.004 * n for n in range(count)]
    return [
        on_parts(n, ne, [PartNE(every, 0.92 + (ne - 0.9 if every in right else 0.9 - ne)) for every in EVERY])
        for n, ne in enumerate(nes, 1)
    ]


def past(*trials: Trial, limits: Sequence[Limit] = ()) -> History:
    return History(baseline(), trials, tuple(limits))


def test_the_smallest_part_that_ranks_is_chosen() -> None:
    found = chosen(past(*pilots(4, 8)))
    assert found is not None
    assert found.every == 8
    assert found.agreement.tau == pytest.approx(1.0)
    assert [one.every for one in fidelities(past(*pilots(4, 8)))] == list(EVERY), "the others are told too"


def test_where_no_part_ranks_there_is_none() -> None:
    assert chosen(past(*pilots())) is None


def test_a_few_trials_choose_nothing() -> None:
    assert chosen(past(*pilots(4, 8, 16, count=7))) is None
    assert chosen(past(*pilots(4, 8, 16, count=8))) is not None


def test_who_was_stopped_tells_nothing_of_a_part() -> None:
    assert chosen(past(*(replace(trial, state=State.STOPPED) for trial in pilots(16)))) is None


def test_who_was_promoted_for_what_a_part_said_does_not_judge_the_part() -> None:
    chosen_for_luck = [promoted(parked(n, 0.9 + 0.001 * n), 0.95 - 0.001 * n) for n in range(20, 60)]
    found = chosen(past(*pilots(16), *chosen_for_luck))
    assert found is not None
    assert found.agreement.trials == 12


def test_a_window_too_small_has_no_parts() -> None:
    assert parts_of(4 * LEAST_ROWS - 1) == ()
    assert parts_of(4 * LEAST_ROWS) == (4,)
    assert parts_of(16 * LEAST_ROWS) == EVERY


def test_what_a_part_leads_to_is_told_by_those_that_went_on() -> None:
    others = Expected(past(*(on_parts(n, 0.88 + 0.002 * n, [PartNE(8, 0.90 + 0.002 * n)]) for n in range(12))))
    found = others.by_part(PartNE(8, 0.91), 1.0)
    assert found is not None
    assert found.ne == pytest.approx(0.89)
    assert others.by_part(PartNE(4, 0.91), 1.0) is None, "nobody was trained on that part"


def test_what_parts_lead_to_is_told_anew_as_more_is_known() -> None:
    one = parked(50, 0.93)
    found = Expected(past(*pilots(16), one)).told_anew().trials[-1]
    assert found.measurement is not None
    assert found.measurement.ne == pytest.approx(0.91)
    more = [promoted(parked(n, 0.93), 0.89) for n in range(60, 90)]
    later = Expected(past(*pilots(16), *more, one)).told_anew().trials[-1]
    assert later.measurement is not None
    assert later.measurement.ne < 0.9
    assert Expected(past(*pilots(16))).told_anew().trials == tuple(pilots(16)), "those on all rows stay"


def test_the_one_that_adds_most_is_promoted_first() -> None:
    slow = [parked(50, 0.924), parked(51, 0.920), parked(52, 0.96)]
    fast = parked(53, 0.921, ratio=4.0)
    history = past(*pilots(16), *slow, fast)
    assert next_promoted(history, frozenset(), at_the_end=True) == 53, "nobody else is so fast"
    assert next_promoted(history, frozenset({53}), at_the_end=True) is None, "what is under way counts"
    disappointed = past(*pilots(16), *slow, promoted(fast, 0.97))
    assert next_promoted(disappointed, frozenset(), at_the_end=True) == 51
    assert next_promoted(past(*pilots(16), slow[2]), frozenset(), at_the_end=True) is None, "nothing to win"


def test_promotions_end_where_the_last_ones_were_in_vain() -> None:
    waiting = replace(parked(50, 0.921, ratio=4.0), started_at=10.0, ended_at=13.0)

    def at(number: int, start: float, ne: float = 0.97) -> Trial:
        return replace(promoted(parked(number, 0.921), ne), started_at=start, ended_at=start + 1.0)

    vain = [at(60 + n, 20.0 + n) for n in range(PATIENCE)]
    known = *pilots(16), waiting
    assert next_promoted(past(*known, *vain), frozenset(), at_the_end=True) is None
    assert next_promoted(past(*known, *vain[1:]), frozenset(), at_the_end=True) == 50
    late = before_promotion(at(60 + PATIENCE, 20.0 + PATIENCE))
    assert next_promoted(past(*known, *vain, late), frozenset({late.number}), at_the_end=True) is None, (
        "not yet to be known"
    )
    won = at(60, 20.0 + PATIENCE, ne=0.85)
    assert next_promoted(past(*known, *vain[1:], won), frozenset(), at_the_end=True) == 50
    along = [replace(trial, started_at=11.0) for trial in vain]
    assert next_promoted(past(*known, *along), frozenset(), at_the_end=True) == 50, "while the search went on"


def test_while_the_search_goes_on_few_are_promoted() -> None:
    waiting = [parked(50 + n, 0.91 + 0.0001 * n) for n in range(20)]
    assert next_promoted(past(*pilots(16), *waiting), frozenset(), at_the_end=False) == 50
    begun = past(*pilots(16), *waiting), frozenset(range(50, 50 + int(ALONG * 20)))
    assert next_promoted(*begun, at_the_end=False) is None
    assert next_promoted(*begun, at_the_end=True) == 50 + int(ALONG * 20)


def test_who_is_known_to_break_a_limit_is_not_promoted() -> None:
    slow, fast = parked(50, 0.90, ratio=0.5), parked(51, 0.915)
    asked = Limit(Metric.QPS_RATIO, low=0.9), Limit(Metric.TRAIN_QPS_RATIO, low=0.5)
    assert fast.measurement is not None
    unknown = replace(
        fast, measurement=replace(fast.measurement, speed=replace(fast.measurement.speed, train_qps=None))
    )
    history = past(*pilots(16), slow, unknown, limits=asked)
    assert not waits(history, slow)
    assert next_promoted(history, frozenset(), at_the_end=True) == 51, "its training speed is not known yet"


def test_a_limit_on_ne_that_none_has_reached_keeps_nobody_from_his_training() -> None:
    """What a part leads to is never lower than what was reached."""
    strict = Limit(Metric.NE_GAIN_PCT, high=-5.0)
    history = past(*pilots(16), parked(50, 0.91), limits=[strict])
    assert next_promoted(history, frozenset(), at_the_end=True) == 50
    assert not gather(small_space(), history).waiting_N.any(), "proposals do not count on it"


def test_proposals_count_on_those_that_wait() -> None:
    """Else a search would pile up more of what it has parked already."""
    (one,) = candidates(1)
    trial = replace(parked(50, 0.905, ratio=3.0), candidate=one)
    before, after = gather(small_space(), past(*pilots(16))), gather(small_space(), past(*pilots(16), trial))
    (added,) = {tuple(point) for point in after.points} - {tuple(point) for point in before.points}
    base = baseline().ne_on(ORDER["order"])
    assert added == pytest.approx((100 * (0.9 / base - 1), -math.log2(3)))
    assert one in after.front()
    assert not after.eligible_N[-1], "it may not be picked"
