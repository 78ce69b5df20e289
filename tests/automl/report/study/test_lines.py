"""The finals in the terminal."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

from automl.report.study.derived import View
from automl.report.study.lines import finals_lines
from automl.report.study.notes import detectable_words
from automl.report.study.verdict import answer
from automl.study.results import Correction, Detectable, Family, TaskGain, Unfit
from tests.worlds.report_studies import make_finals, rich_data, rich_history, unfit


def test_the_finals_in_words() -> None:
    found = replace(make_finals(rich_history()), days=())
    picks = tuple(replace(pick, trial=61, qps_ratio=1.02) for pick in found.picks)
    lines = finals_lines(replace(found, picks=picks))
    assert lines[:4] == [
        "#61   accurate   NE -0.21% [-0.34, -0.08]   QPS x1.02   better (p 0.001)",
        "#61   fast       NE +0.02% [-0.12, +0.16]   QPS x1.02   faster (NE no worse than +0.2%)",
        "#61   balanced   NE -0.06% [-0.21, +0.09]   QPS x1.02   no better: NE may be worse by up to 0.09%",
        "#61   unlimited  NE +0.35% [+0.19, +0.51]   QPS x1.02   worse (p 0.004)",
    ]
    ends = "An NE gain of 0.14% or more can be told from chance in these finals (planned: 0.16%)."
    assert lines[4:] == [ends]
    wide = replace(found, margin_pct=0.1, seeds_wanted=20)
    assert finals_lines(wide)[-1].startswith("The finals' intervals reach ±0.16%, more than the margin of 0.1%")


def test_a_pick_that_is_unfit_says_why() -> None:
    found = make_finals(rich_history())
    first, second, *rest = (replace(pick, trial=61) for pick in found.picks)
    lost = replace(unfit(second), unfit=Unfit(order=1, kind="lost", reason="its process ended"))
    lines = finals_lines(replace(found, picks=(unfit(first), lost, *rest)))
    assert lines[:2] == [
        "#61   accurate   unfit to ship: diverged on order 3: NE rose to 3.2 after 512 rows",
        "#61   fast       unfit to ship: failed (lost) on order 1: its process ended",
    ]
    assert len(lines) == 6
    assert lines[4].startswith("2 test days, each scored, then trained on.")


def test_a_pick_that_could_not_win_says_so() -> None:
    found = make_finals(rich_history())
    *others, last = found.picks
    lines = finals_lines(replace(found, picks=(*others, replace(last, orders=3))))
    assert lines[3].endswith("worse (p 0.004); could not win after 3 orders")
    assert "could not win" not in lines[2]


def test_what_can_be_told_is_said_as_far_as_it_is_known() -> None:
    found = Detectable(planned=math.nan, found=0.052)
    assert detectable_words(found) == "An NE gain of 0.05% or more can be told from chance in these finals."
    assert detectable_words(replace(found, found=math.nan)) is None


def test_models_that_were_tested_before_are_told() -> None:
    tested = Correction(before=3, models=6, p={9: 0.01})
    found = replace(make_finals(rich_history()), tested=tested)
    words = finals_lines(found)[-1]
    assert words == "Tested before: 3 other models; the correction is over 6."
    shown = answer(View(replace(rich_data(), finals=found)), Path("feed"))
    assert words in shown.lead
    assert any("corrected over the models that were tested" in card.why for card in shown.cards)
    alone = replace(found, tested=replace(tested, before=0))
    assert not any("Tested before" in line for line in finals_lines(alone))


def test_a_study_of_a_family_says_at_what_level_it_claims() -> None:
    found = replace(make_finals(rich_history()), family=Family(name="ads", place=2, level=0.0076, ledger="../all"))
    words = finals_lines(found)[-1]
    assert words.startswith("Study 2 of the family ads: a pick is called better only where its p is below 0.0076,")
    assert words.endswith(", however many follow. Its ledger: ../all/.automl-family-ads.json.")
    shown = answer(View(replace(rich_data(), finals=found)), Path("feed"))
    assert words in shown.lead
    (card,) = [card for card in shown.cards if card.role == "balanced"]
    assert "family" not in card.why


def test_what_a_pick_does_to_other_labels_is_told_by_line_and_card() -> None:
    data = rich_data()
    found = make_finals(data.history)
    first, second, *rest = found.picks
    worse = TaskGain(task="ctr", ne=0.9, ne_gain_pct=0.2, ci_low_pct=0.1, ci_high_pct=0.3, p_corrected=0.01)
    same = replace(worse, ne_gain_pct=0.05, ci_low_pct=-0.05, ci_high_pct=0.15, p_corrected=0.6)
    found = replace(found, picks=(replace(first, tasks=(worse,)), replace(second, tasks=(same,)), *rest))
    lines = finals_lines(found)
    assert lines[0].endswith("; ctr +0.20% [+0.10, +0.30], worse (p 0.01)")
    assert lines[1].endswith("; ctr +0.05% [-0.05, +0.15]")
    cards = {card.trial: card for card in answer(View(replace(data, finals=found)), Path("out")).cards}
    assert "It predicts ctr worse." in cards[first.trial].why
    assert "worse." not in cards[second.trial].why
    assert [figure[0] for figure in cards[first.trial].figures][:2] == ["NE gain, finals", "NE gain of ctr"]
