"""A note stands on the page where it must, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from automl.report.study.data import ReportData
from automl.report.study.derived import View
from automl.report.study.notes import predictor_notes, search_notes, worthless_words
from automl.study.history import CurvePoint, Forecast, History, Limit, Metric, Origin, State, Trial
from tests.worlds.report_studies import (
    START,
    complete,
    failed,
    history_of,
    make_facts,
    make_finals,
    make_run,
    on_part,
    rich_data,
    rich_history,
    roles_of,
)


def notes_of(*trials: Trial, limits: tuple[Limit, ...] = (), run: dict[str, Any] | None = None) -> str:
    facts = make_facts(run=make_run(**(run or {"trials_wanted": None})))
    return " ".join(search_notes(View(ReportData(facts=facts, history=history_of(*trials, limits=limits)))))


def forecast(number: int, round_: int, gain: float, said: float, origin: Origin) -> Trial:
    trial = complete(number, gain=gain, ratio=1.0)
    ne = trial.measurement.ne if trial.measurement else 0.0
    return replace(
        trial,
        round=round_,
        origin=origin,
        forecast=Forecast(ne - gain / 100 + said / 100, 0.001, 1.0),
        started_at=START + 10 * number,
        ended_at=START + 10 * number + 9,
    )


def played(skills: list[float], origins: list[Origin]) -> History:
    """Rounds of twelve, one after the other: the forecasts of each follow the truth (1) or its opposite (-1)."""
    rng = np.random.default_rng(5)
    trials = []
    for round_, (skill, origin) in enumerate(zip(skills, origins, strict=True), start=1):
        for _ in range(12):
            gain = float(rng.normal())
            trials.append(forecast(len(trials) + 1, round_, gain, skill * gain + 0.1 * float(rng.normal()), origin))
    return history_of(*trials)


def test_a_good_predictor_needs_no_note() -> None:
    assert predictor_notes(played([1, 1, 1], [Origin.CONTROLLER] * 3)) == ()
    assert predictor_notes(history_of()) == ()
    assert predictor_notes(history_of(*(complete(n, gain=0.1 * n, ratio=1.0) for n in range(1, 30)))) == ()


def test_rounds_without_the_predictor_are_named() -> None:
    history = played([-1, -1, 1, 1, 1, 1], [Origin.CONTROLLER, *[Origin.MUTATION] * 2, *[Origin.CONTROLLER] * 3])
    (note,) = predictor_notes(history)
    assert note.startswith("The predictor was not used for batches 2 and 3: its forecasts")
    assert "Kendall's tau −0." in note.replace("-", "−")


def test_a_predictor_that_is_bad_at_the_end_is_told() -> None:
    notes = predictor_notes(played([-1, -1], [Origin.CONTROLLER, Origin.MUTATION]))
    assert len(notes) == 2
    assert "not used for batch 2:" in notes[0]
    assert "would not use it before it ranks better" in notes[1]


def test_a_batch_with_the_controller_in_it_was_proposed_by_the_predictor() -> None:
    (note,) = predictor_notes(played([-1, -1], [Origin.CONTROLLER] * 2))
    assert "not used" not in note


def test_budget() -> None:
    trial = complete(1, gain=0.1, ratio=1.0)
    assert notes_of(trial, run={"trials_wanted": 1}) == ""
    assert notes_of(trial, run={"trials_wanted": 9}) == "1 of 9 trials have ended; the same command goes on."
    out_of_time = {"trials_wanted": 9, "time_budget": 240.0, "wall_seconds": 244.0}
    told = "1 of 9 trials have ended; the same command goes on."
    assert notes_of(trial, run=out_of_time) == told, "the seconds are those of all starts"
    out_of_time["out_of_time"] = True
    assert notes_of(trial, run=out_of_time) == "The time budget of 4 min 00 s ended the search after 1 of 9 trials."
    assert "holds only 1 different model " in notes_of(trial, run={"trials_wanted": 9, "exhausted": True})


def test_a_front_that_still_grows_is_told() -> None:
    flat = [complete(n, gain=-1.0 if n == 1 else 0.5, ratio=1.0) for n in range(1, 31)]
    assert notes_of(*flat) == ""
    growing = [complete(n, gain=-0.1 * n, ratio=1.0) for n in range(1, 31)]
    assert "The front was still growing: 20%" in notes_of(*growing)
    assert notes_of(*growing, run={"trials_wanted": 30, "exhausted": True}) == ""


def test_stopping_is_blamed_only_where_it_may_have_cost_something() -> None:
    front = complete(1, gain=-0.2, ratio=1.5)
    worse = replace(complete(2, gain=0.1, ratio=1.4), state=State.STOPPED)
    better = replace(complete(3, gain=-0.4, ratio=1.4), state=State.STOPPED)
    assert notes_of(front, worse) == ""
    assert notes_of(front, worse, better).startswith("1 trial stopped early (#3) would stand on the front")
    assert "(#3)" in notes_of(better)  # no front at all
    halfway = replace(better, curve=(CurvePoint(100, 0.9, 0.9),))
    assert notes_of(front, halfway).endswith(" `stop_early: false` would have trained it to the end.")
    assert notes_of(front, better, limits=(Limit(Metric.QPS_RATIO, low=1.45),)) == ""


def test_parts_are_told_and_who_waits_though_it_may_add_to_the_front() -> None:
    pilots = [on_part(n, 0.9 + 0.01 * n, -0.2 + 0.1 * n, pilot=True) for n in range(10)]
    slow = on_part(20, 0.99, 0.0, pilot=False)
    told = notes_of(*pilots, slow)
    assert told.startswith("10 pilots were trained on parts of the rows and on all of them. How parts ranked")
    assert "1.00 [0.99, 1.00] for one row in 8" in told
    assert told.endswith("1 candidate on one row in 8 first, 0 of them on all then.")
    fast = on_part(21, 0.9, 0.0, pilot=False)
    assert notes_of(*pilots, fast).endswith("may add to the front: the same command goes on with them.")


def test_many_failures_are_told() -> None:
    good = [complete(n, gain=0.1, ratio=1.0) for n in range(1, 7)]
    bad = [failed(n, "memory", f"reason {n}") for n in range(7, 10)]
    assert notes_of(*good, *bad) == ""
    assert notes_of(*good, *bad, failed(10)) == "4 of 10 trials failed, 3 of them for one kind of reason: memory."


def test_wide_intervals_ask_for_seeds() -> None:
    finals = make_finals(rich_history())
    assert not [n for n in search_notes(View(replace(rich_data(), finals=finals))) if "seeds" in n]
    wide = replace(finals.picks[0], ci_low_pct=-0.6, ci_high_pct=0.2)
    finals = replace(finals, picks=(wide, *finals.picks[1:]), seeds_wanted=20)
    (note,) = [n for n in search_notes(View(replace(rich_data(), finals=finals))) if "seeds" in n]
    assert "±0.40%" in note
    assert "(--seeds 20)" in note
    finals = replace(finals, seeds_wanted=None)
    (note,) = [n for n in search_notes(View(replace(rich_data(), finals=finals))) if "seeds" in n]
    assert "test on more days" in note


def test_picks_that_the_finals_do_not_know_are_told() -> None:
    finals = make_finals(rich_history(), ("better",))
    (note,) = [n for n in search_notes(View(replace(rich_data(), finals=finals))) if "not tried" in n]
    others = set(roles_of(rich_history()).values()) - {finals.picks[0].trial}
    assert all(f"#{number} (" in note for number in others)


def test_a_baseline_below_the_base_rate_is_named() -> None:
    assert "worse than the base rate" not in notes_of(complete(1, gain=0.1, ratio=1.0))
    assert worthless_words(1.169) == (
        "The baseline's NE is 1.169: worse than the base rate, which has 1. A gain over it says little."
    )
