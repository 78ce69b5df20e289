"""Finals as finals.json and back."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from automl.stats.verdicts import Verdict
from automl.study.results import (
    BaselineDay,
    DayGain,
    Detectable,
    FinalBaseline,
    FinalPick,
    Finals,
    Unfit,
    read_finals,
    write_finals,
)
from search_spaces.errors import InputError

PICK = FinalPick(
    trial=7,
    role="accurate",
    orders=5,
    ne=0.88,
    ne_gain_pct=-0.2,
    ci_low_pct=-0.3,
    ci_high_pct=-0.1,
    p_corrected=0.01,
    order_std_pct=0.05,
    examples_std_pct=0.03,
    examples_std_first_day_pct=0.06,
    qps_ratio=1.1,
    qps_ratio_low=1.0,
    search_ne_gain_pct=-0.4,
    confirmed_ne_gain_pct=-0.25,
    verdict=Verdict.BETTER,
    days=(DayGain(day="2022-05-07", ne_gain_pct=-0.2, ci_low_pct=-0.5, ci_high_pct=0.1),),
)
UNSURE = replace(
    PICK, trial=9, role="fast", ci_low_pct=-0.1, ci_high_pct=0.15, p_corrected=0.6, verdict=Verdict.NO_BETTER
)
FOUND = Finals(
    baseline=FinalBaseline(ne=0.882, ne_std=0.001, qps=1e5, orders=5),
    margin_pct=0.2,
    seeds=5,
    seeds_wanted=0,
    detectable_pct=Detectable(planned=0.2, found=0.125),
    picks=(PICK, UNSURE),
    progressive=True,
    days=(BaselineDay(day="2022-05-07", rows=1000, ne=0.88),),
    trials=100,
    confirmed={7: (-0.2, -0.3), 9: (0.1, math.inf)},
)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    assert read_finals(tmp_path) is None
    found = replace(FOUND, confirmed={7: (-0.2, -0.3)})
    write_finals(tmp_path, found)
    assert read_finals(tmp_path) == found


def test_a_figure_that_is_not_known_is_null(tmp_path: Path) -> None:
    write_finals(tmp_path, replace(FOUND, picks=(replace(PICK, search_ne_gain_pct=math.nan),)))
    assert json.loads((tmp_path / "finals.json").read_text())["picks"][0]["search_ne_gain_pct"] is None
    again = read_finals(tmp_path)
    assert again is not None
    assert math.isnan(again.picks[0].search_ne_gain_pct)
    assert again.confirmed is not None
    assert math.isnan(again.confirmed[9][1])


def test_why_a_pick_is_unfit_is_kept(tmp_path: Path) -> None:
    unfit = replace(PICK, verdict=Verdict.UNFIT, unfit=Unfit(order=2, kind="diverged", reason="NE is not a number"))
    found = replace(FOUND, picks=(unfit, UNSURE), confirmed={})
    write_finals(tmp_path, found)
    assert read_finals(tmp_path) == found
    assert found.fit == (UNSURE,)
    assert "unfit" not in UNSURE.to_json()


def test_a_file_of_the_first_version_is_told(tmp_path: Path) -> None:
    """It had no version at first, then 1."""
    data = FOUND.to_json()
    for told in ({**data, "version": 1}, {key: value for key, value in data.items() if key != "version"}):
        (tmp_path / "finals.json").write_text(json.dumps(told))
        with pytest.raises(InputError, match=r"must be of version 2, but found 1\n.*run the finals again"):
            read_finals(tmp_path)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"version": 99}, "must be of version 2, but found 99"),
        ({"baseline": {}}, "baseline.ne: field required"),
        ({"picks": [{**PICK.to_json(), "verdict": "best"}]}, "picks.0.verdict: input should be 'better'"),
    ],
)
def test_a_file_of_another_form_is_told(tmp_path: Path, change: dict[str, object], found: str) -> None:
    (tmp_path / "finals.json").write_text(json.dumps({**FOUND.to_json(), **change}))
    with pytest.raises(InputError, match=r"finals\.json") as told:
        read_finals(tmp_path)
    assert found in str(told.value)


def test_a_pick_that_could_not_win_decides_no_width() -> None:
    early = replace(UNSURE, orders=3)
    found = replace(FOUND, picks=(PICK, early))
    assert [found.dropped(pick) for pick in found.picks] == [False, True]
    assert found.settled == (PICK,)
    assert found.half_width_pct == pytest.approx(0.1)
    assert replace(found, picks=(early,)).settled == (early,)


def test_widths_and_margins_come_from_the_intervals() -> None:
    assert FOUND.half_width_pct == pytest.approx(0.125)
    assert (PICK.smallest_margin_pct, UNSURE.smallest_margin_pct) == (None, 0.15)
    assert FOUND.of_trial(9) is UNSURE
    assert FOUND.of_trial(8) is None
