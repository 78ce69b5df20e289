"""The headline must follow from the verdicts, and the verdicts from nothing but themselves."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from automl.report.study.data import ReportData
from automl.report.study.derived import View
from automl.report.study.verdict import Answer, answer
from automl.study.history import Limit, Metric, State, Trial
from tests.worlds.report_studies import (
    complete,
    failed,
    history_of,
    make_facts,
    make_finals,
    rich_data,
    rich_history,
    unfit,
)

FOLDER = Path("a study/feed")


def said(*trials: Trial, limits: tuple[Limit, ...] = (), **more: Any) -> Answer:
    return answer(View(ReportData(facts=make_facts(), history=history_of(*trials, limits=limits), **more)), FOLDER)


def proven(*verdicts: str, **figures: Any) -> Answer:
    finals = make_finals(rich_history(), verdicts)
    finals = replace(finals, picks=tuple(replace(pick, **figures) for pick in finals.picks))
    return answer(View(replace(rich_data(), finals=finals)), FOLDER)


def test_no_trial() -> None:
    shown = said()
    assert shown.headline == "Nothing to ship yet: no trial has run."
    assert not shown.cards
    assert not shown.command


def test_all_failed_names_the_most_frequent_reason() -> None:
    shown = said(failed(1, "timeout", "slow"), failed(2, "diverged", "NE is not a number"), failed(3))
    assert shown.headline == "Nothing to ship: no trial was trained to the end."
    assert shown.lead == "Of 3 trials: 3 failed. Most often: diverged (NE is not a number)."
    assert shown.tone == "bad"


def test_none_keeps_the_limits() -> None:
    shown = said(complete(1, gain=-1.0, ratio=0.5), limits=(Limit(Metric.QPS_RATIO, low=0.95),))
    assert shown.headline == "Nothing to ship: no trial keeps the limits."


def test_a_trial_that_was_named_for_the_finals_is_not_shipped_beyond_the_limits() -> None:
    data = rich_data(finals=True)
    assert data.finals is not None
    fast = next(pick for pick in data.finals.picks if pick.verdict == "better")
    limit = Limit(Metric.QPS_RATIO, low=1000.0)
    shown = answer(View(replace(data, history=replace(data.history, limits=(limit,)))), FOLDER)
    assert shown.headline == "No better than the baseline."
    assert shown.lead.startswith("No pick keeps the study's limits. Keep the baseline.")
    (card,) = [card for card in shown.cards if card.trial == fast.trial]
    assert card.why.endswith("It breaks a limit of the study: it is not what to ship.")


def test_search_that_beats_nothing() -> None:
    shown = said(complete(1, gain=0.4, ratio=0.8), complete(2, gain=0.9, ratio=1.02))
    assert shown.headline == "No better than the baseline."
    assert not shown.command
    assert [card.trial for card in shown.cards] == [2, 1]


def test_speed_bought_with_quality_is_not_promising() -> None:
    assert said(complete(1, gain=3.0, ratio=5.0)).headline == "No better than the baseline."
    assert "Promising" in said(complete(1, gain=0.1, ratio=5.0)).headline


def test_search_names_its_best_candidate_and_the_next_command() -> None:
    trials = (complete(1, gain=-0.3, ratio=1.25), complete(2, gain=-0.6, ratio=0.4))
    shown = said(*trials, picks={"accurate": 1, "unlimited": 2})
    assert shown.headline == "Promising, not proven: #1, NE 0.30% better at ×1.25 the QPS."
    assert shown.command == "automl finals 'a study/feed'"
    assert [(card.trial, card.leads) for card in shown.cards] == [(1, True), (2, False)]
    assert {card.badge for card in shown.cards} == {"not proven"}


def test_luck_is_taken_out_of_what_is_promised() -> None:
    trial = complete(1, gain=-0.3, ratio=1.25)
    shown = said(trial, picks={"accurate": 1}, expected={1: -0.12})
    assert "NE about 0.12% better" in shown.headline
    assert [text for _, text, _ in shown.cards[0].figures] == ["−0.12%", "−0.30%", "×1.25"]
    lucky = said(complete(1, gain=-0.3, ratio=1.01), picks={"accurate": 1}, expected={1: 0.05})
    assert lucky.headline == "No better than the baseline."


@pytest.mark.parametrize("count", [1, 2, 3])
def test_every_mix_of_verdicts(count: int) -> None:
    for verdicts in product(("better", "faster", "no better", "worse"), repeat=count):
        shown = proven(*verdicts)
        assert len(shown.cards) == count
        if "better" in verdicts:
            assert shown.headline.startswith("Ship #")
            assert "better at ×" in shown.headline
        elif "faster" in verdicts:
            assert "for speed" in shown.headline
        else:
            assert shown.headline == "No better than the baseline."
        leading = [card for card in shown.cards if card.leads]
        assert [card.badge for card in leading] == (["better"] if "better" in verdicts else [])[:1] or (
            [card.badge for card in leading] == ["faster"] * ("faster" in verdicts)
        )
        assert not leading or (shown.cards[0] is leading[0] and f"#{leading[0].trial}" in shown.headline)


def test_all_four_verdicts_give_their_reasons() -> None:
    why = {card.badge: card.why for card in proven("better", "faster", "no better", "worse").cards}
    assert why == {
        "better": "The whole NE interval is below 0 (p = 0.001, corrected over the picks).",
        "faster": "Faster with NE no worse than +0.20%: the interval ends at +0.16%.",
        "no better": "No better than the baseline: the NE interval holds 0 (p = 0.420, corrected over the picks). NE "
        "may be worse by up to 0.09%, the smallest margin that could be shown.",
        "worse": "The whole NE interval is above 0 (p = 0.004, corrected over the picks).",
    }


def test_an_unfit_pick_says_why_and_does_not_lead() -> None:
    finals = make_finals(rich_history(), ("better", "faster"))
    first, second = finals.picks
    shown = answer(View(replace(rich_data(), finals=replace(finals, picks=(unfit(first), second)))), FOLDER)
    assert shown.headline.startswith(f"Ship #{second.trial} for speed")
    card = next(card for card in shown.cards if card.trial == first.trial)
    assert (card.badge, card.badge_class) == ("unfit", "bad")
    assert card.why == "Unfit to ship: diverged on order 3: NE rose to 3.2 after 512 rows."
    assert [label for label, _, _ in card.figures] == ["NE gain, search"], "what was not measured is not shown"
    none = answer(View(replace(rich_data(), finals=replace(finals, picks=(unfit(first), unfit(second))))), FOLDER)
    assert none.headline == "No better than the baseline."
    assert none.lead.startswith("No pick is fit to ship: each failed on some order of the data. Keep the baseline.")


def test_a_race_is_told() -> None:
    finals = make_finals(rich_history(), ("better", "worse"))
    first, second = finals.picks
    baseline = replace(finals.baseline, orders=7)
    raced = replace(finals, baseline=baseline, picks=(replace(first, orders=7), replace(second, orders=3)))
    shown = answer(View(replace(rich_data(), finals=raced)), FOLDER)
    assert "retrained on 7 orders of the data (3 where it could not win any more) and scored" in shown.lead
    assert shown.cards[1].why.endswith("It was trained on 3 orders: after them it could not win any more.")
    assert "could not win" not in shown.cards[0].why
    lost = replace(finals, baseline=replace(baseline, orders=3), picks=(replace(second, orders=3),))
    assert "retrained on 3 orders of the data and" in answer(View(replace(rich_data(), finals=lost)), FOLDER).lead


def test_an_interval_below_zero_may_still_be_uncertain() -> None:
    shown = proven("no better", ci_low_pct=-0.4, ci_high_pct=-0.01, p_corrected=0.08)
    assert "below 0, but not certain once several picks were tried" in shown.cards[0].why


def test_a_better_but_slower_model_is_shipped_with_a_warning() -> None:
    shown = proven("better", qps_ratio=0.6, qps_ratio_low=0.58)
    assert "if it may be slower: NE 0.21% better at ×0.60" in shown.headline


def test_a_faster_pick_is_offered_beside_the_better_one() -> None:
    assert "For more speed: #" in proven("better", "faster").lead
    assert "For more speed" not in proven("better", "faster", qps_ratio=1.2).lead


def test_finals_of_a_trial_that_is_gone_still_decide() -> None:
    finals = make_finals(rich_history(), ("better",))
    finals = replace(finals, picks=(replace(finals.picks[0], trial=4711),))
    shown = answer(View(replace(rich_data(), finals=finals)), FOLDER)
    assert shown.headline.startswith("Ship #4711")
    assert shown.cards == ()


def test_running_trials_alone_are_no_answer() -> None:
    trial = replace(complete(1, gain=-1.0, ratio=2.0), state=State.RUNNING, measurement=None)
    assert said(trial).lead == "Of 1 trial: 1 running."
