"""The finals day by day."""

from __future__ import annotations

import math
from dataclasses import replace

from automl.report.study.days import day_table, days_words
from automl.report.study.derived import View
from automl.study.results import Finals
from tests.worlds.report_studies import make_finals, rich_data, rich_history, unfit


def finals(*verdicts: str) -> Finals:
    return make_finals(rich_history(), verdicts)


def view(found: Finals | None) -> View:
    return View(replace(rich_data(), finals=found))


def test_a_column_a_pick_and_a_row_a_day() -> None:
    found = finals("better", "faster")
    table = day_table(view(found))
    assert table is not None
    assert table.picks == tuple(f"#{pick.trial} {pick.role}" for pick in view(found).finals.picks)  # type: ignore[union-attr]
    assert table.rows[0] == (
        "2022-05-07",
        "18,000",
        "0.8671",
        (("−0.25%", "−0.45% to −0.05%"), ("−0.02%", "−0.23% to +0.19%")),
    )
    assert [row[0] for row in table.rows] == ["2022-05-07", "2022-05-08", "all days"]
    assert table.rows[-1][1:3] == ("36,869", "0.8681")
    assert table.rows[-1][3][0] == ("−0.21%", "−0.34% to −0.08%")


def test_a_pick_that_is_unfit_has_no_column() -> None:
    found = finals("better", "faster")
    first, second = found.picks
    table = day_table(view(replace(found, picks=(unfit(first), second))))
    assert table is not None
    assert table.picks == (f"#{second.trial} fast",)
    assert day_table(view(replace(found, picks=(unfit(first),)))) is None


def test_a_day_of_one_class_says_so() -> None:
    found = finals("better")
    (pick,) = found.picks
    none = replace(pick.days[0], ne_gain_pct=math.nan, ci_low_pct=math.nan, ci_high_pct=math.nan)
    table = day_table(view(replace(found, picks=(replace(pick, days=(none, pick.days[1])),))))
    assert table is not None
    assert table.rows[0][3] == (("–", "one class"),)


def test_without_several_days_there_is_no_table() -> None:
    assert day_table(view(None)) is None
    assert day_table(view(replace(finals("better"), days=()))) is None


def test_what_the_days_do_to_the_interval() -> None:
    found = finals("better", "faster", "worse")
    assert days_words(found) == (
        "2 test days, each scored, then trained on. The choice of examples moves a gain by ±0.040% (the first day "
        "alone: ±0.056%), the order of the data by ±0.060% a training (standard errors, the middle pick)."
    )
    assert days_words(replace(found, progressive=False, picks=())) == "2 test days, scored at once."
    assert days_words(replace(found, days=())) is None
