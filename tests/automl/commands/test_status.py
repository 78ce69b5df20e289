"""A study on one screen, at every stage of its life."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from automl.commands.status import read_screen, screen, summary
from automl.runtime.console import search_words
from automl.study.history import Failure, Limit, Metric, Origin, PartNE, Proposal, Repeat, State, Trial
from automl.study.parts import Parted, is_pilot, parted
from automl.study.precedents import Precedent
from automl.study.record import Study
from automl.study.saved import saved_share, saved_words
from automl.study.storage import open_study
from tests.worlds.studies import (
    BASELINE_NE,
    baseline,
    baseline_repeat,
    begun_study,
    candidates,
    complete,
    curve,
    failed,
    measured,
    parked,
    pilot,
    proposals,
    running,
    small_space,
    stopped,
    study_facts,
)

FOLDER = Path("somewhere/ads")


def test_before_the_first_trial(tmp_path: Path) -> None:
    study = open_study(tmp_path, "ads", small_space())
    study.note(study_facts(study_file="ads/study.yaml", baseline_seeds=3))
    one = baseline_repeat(0, 0.9)
    study.baselines.add_repeat(Proposal(one.candidate, Origin.BASELINE), one)
    assert screen(FOLDER, study).splitlines() == [
        "study ads/study.yaml",
        "folder somewhere/ads",
        "baseline: 1 of 3 seeds trained; no trial yet",
    ]
    assert summary(study) == ""


def test_with_a_baseline_and_nothing_else(tmp_path: Path) -> None:
    study = begun_study(tmp_path)
    assert screen(FOLDER, study).splitlines()[2:] == [
        "baseline   NE 0.9005 ± 0.0007 (2 orders)   QPS 100k   train QPS 40k",
        "trials     none yet",
    ]
    assert summary(study).splitlines() == screen(FOLDER, study).splitlines()[2:]


@pytest.fixture
def lines(tmp_path: Path) -> list[str]:
    study = begun_study(tmp_path)
    base = study.baseline()
    assert base is not None
    trials = study.begin(proposals(8), 1)
    study.end(complete(trials[0], ne=base.ne * 0.995, ratio=0.8, curve=curve(*[0.95] * 20)))
    study.end(complete(trials[1], ne=base.ne * 1.004, ratio=3.456))
    study.end(complete(trials[2], ne=base.ne, ratio=1.0))
    study.end(stopped(trials[3], ne=0.5, ratio=99.0))
    for trial in trials[4:6]:
        study.end(failed(trial, "timeout", "took longer than its limit of 60 s"))
    study.end(failed(trials[6], "diverged", "NE is not a number"))
    return screen(FOLDER, study).splitlines()


def test_in_the_middle_of_a_search(lines: list[str]) -> None:
    assert lines[3:6] == [
        "trials     1 running or queued, 3 complete, 1 stopped, 3 failed; early stops saved 69% of the training",
        "best NE    #1: -0.50% at QPS x0.80",
        "best QPS   #3: x1.00 at NE +0.00%, no worse than the baseline",
    ]


def test_what_stops_save_is_of_the_seconds_that_all_would_have_taken() -> None:
    """Three that took 2 s to their end, one that took 2 s for 1,000 of 10,000 rows: 18 s of 26."""
    whole = curve(*[0.95] * 20)
    one, *others = (complete(running(n, candidate), curve=whole) for n, candidate in enumerate(candidates(4)))
    cut = replace(stopped(one), curve=curve(1.0, rows=1000))
    assert saved_share([cut, *others], baseline()) == pytest.approx(18 / 26)
    assert saved_share(others, baseline()) == 0.0
    assert math.isnan(saved_share([], baseline()))


def test_what_a_stop_saves_is_told_by_rows_not_by_points() -> None:
    """Of large batches there are fewer points: two of them may be half of the rows."""
    whole = complete(running(1, candidates(1)[0]), curve=curve(0.95, 0.95, 0.95, 0.95, rows=2500))
    half = replace(stopped(whole), number=2, curve=curve(0.95, 0.95, rows=2500))
    assert saved_share([whole, half], baseline()) == pytest.approx(2 / 6)


def test_what_is_spent_on_parts_of_the_rows_is_spent() -> None:
    """A pilot: 2 s and 1 s on parts. Two trials of 1 s on every fourth row: one promoted, 2 s more; one that is not. By
    the rows of their parts those two would have taken 8/3 and 4 s: parts cost more than their rows."""
    one, two, three = (complete(running(n, candidate)) for n, candidate in enumerate(candidates(3)))
    pilot = _on_parts(replace(one, curve=curve(0.95)), 8, 4, pilot=True)
    promoted = _on_parts(replace(two, curve=curve(0.95)), 4)
    stays = replace(_on_parts(three, 4, train=0.0), state=State.STOPPED)
    assert saved_share([pilot, promoted, stays], baseline()) == pytest.approx(1 - (3 + 3 + 1) / (2 + 2 + 0.625 * 4))
    assert saved_words(-0.0769) == "cost 8% more than to train all on all rows"
    assert saved_words(-0.004) == "saved 0% of the training"


def test_who_waits_is_told_and_that_no_part_was_worth_it(tmp_path: Path) -> None:
    study = begun_study(tmp_path)
    first, second, third = study.begin(proposals(3), 1)
    study.end(pilot(first))
    assert summary(study).splitlines()[2] == "fidelity   1 on parts of the rows and on all; too few to take a part"
    study.end(complete(second))
    told = "fidelity   1 on parts of the rows and on all; "
    assert f"{told}no part ranks them as all rows do: all rows are used" in summary(study)
    study.end(parked(third))
    assert f"{told}1 on one row in 8 first: 0 of them on all then, 1 waiting" in summary(study)
    assert search_words(study.history()).endswith("  on a part 1")


def test_what_a_time_budget_has_ended_is_told(tmp_path: Path) -> None:
    study = begun_study(tmp_path)
    study.note(replace(study.facts, trials_wanted=9, time_budget=240.0))
    study.end(complete(study.begin(proposals(1), 1)[0]))
    assert "budget" not in summary(study)
    study.note(replace(study.facts, out_of_time=True))
    told = "budget     of 4 min 00 s ended the search: 1 of 9 trials have ended; the same command goes on"
    assert told in summary(study).splitlines()


def test_of_each_kind_of_failure_the_most_frequent_reason_is_told(tmp_path: Path) -> None:
    study = begun_study(tmp_path)
    slow, slower, slowest, broken = study.begin(proposals(4), 1)
    study.end(failed(slow, "constraint", "QPS must be at least 3 x, but it is 2 x"))
    study.end(failed(slower, "constraint", "QPS must be at least 3 x, but it is 1 x"))
    study.end(failed(slowest, "constraint", "QPS must be at least 3 x, but it is 1 x"))
    study.end(failed(broken, "error", "it fell over"))
    assert screen(FOLDER, study).splitlines()[-2:] == [
        "failed     3 x constraint (2 x this): QPS must be at least 3 x, but it is 1 x",
        "failed     1 x error: it fell over",
    ]


def test_who_was_trained_on_which_part_is_counted() -> None:
    one, two, three = (complete(running(n, candidate)) for n, candidate in enumerate(candidates(3)))
    trials = [
        _on_parts(replace(one, curve=curve(0.95)), 4, pilot=True),
        _on_parts(replace(two, curve=curve(0.95)), 4),
        replace(_on_parts(three, 4), state=State.STOPPED),
    ]
    assert [is_pilot(trial) for trial in trials] == [True, False, False]
    assert parted(trials) == (Parted(4, 2, 1),)


def _on_parts(trial: Trial, *every: int, train: float = 2.0, pilot: bool = False) -> Trial:
    """CPU seconds are told where they are known: 1 for the parts."""
    assert trial.measurement is not None
    parts, seconds = tuple(PartNE(n, 0.92) for n in every), {"parts": 1.0, "train": train}
    measurement = replace(trial.measurement, parts=parts, cpu_seconds=seconds, pilot=pilot)
    return replace(trial, measurement=measurement)


def test_failures_are_counted_by_reason(lines: list[str]) -> None:
    assert lines[6:] == [
        "failed     2 x timeout: took longer than its limit of 60 s",
        "failed     1 x diverged: NE is not a number",
    ]


def test_a_search_in_which_nothing_was_completed(tmp_path: Path) -> None:
    study = begun_study(tmp_path)
    (trial,) = study.begin(proposals(1), 1)
    study.end(stopped(trial, ne=BASELINE_NE))
    assert [line.split()[0] for line in summary(study).splitlines()] == ["baseline", "trials"]


def test_repeats_are_told_with_their_means_and_what_they_found_unfit(tmp_path: Path) -> None:
    study = begun_study(tmp_path)
    trials = study.begin(proposals(3), 1)
    for trial, gain in zip(trials, (-1.0, -0.5, -2.0), strict=True):
        study.end(complete(trial, ne=BASELINE_NE * (1 + gain / 100), ratio=1.5))
    again = measured(trials[0].candidate, ne=BASELINE_NE * 0.988, ratio=1.5)
    study.add_repeat(1, Repeat(order=1, measurement=again))
    study.add_repeat(3, Repeat(order=1, failure=Failure("diverged", "NE is not a number")))
    lines = screen(FOLDER, study).splitlines()
    assert "repeats    2 further trainings of 2 trials; #3 is unfit (diverged on another order)" in lines
    (best,) = [line for line in lines if line.startswith("best NE")]
    assert best.startswith("best NE    #1: -1.")
    assert best.endswith("% (2 trainings) at QPS x1.50")


def limited(folder: Path, *points: tuple[float, float]) -> Study:
    """A study that asks for the baseline's speed, with a complete trial of each gain (percent) and QPS ratio."""
    study = begun_study(folder, limits=[Limit(Metric.QPS_RATIO, low=1.0)])
    base = study.baseline()
    assert base is not None
    for trial, (gain, ratio) in zip(study.begin(proposals(len(points)), 1), points, strict=True):
        study.end(complete(trial, ne=base.ne * (1 + gain / 100), ratio=ratio))
    return study


def test_what_breaks_a_limit_is_not_named(tmp_path: Path) -> None:
    study = limited(tmp_path, (-2.0, 0.5), (-0.5, 1.2), (1.0, 3.0))
    named = [line for line in summary(study).splitlines() if line.startswith("best")]
    assert named == [
        "best NE    #2: -0.50% at QPS x1.20",
        "best QPS   #2: x1.20 at NE -0.50%, no worse than the baseline",
    ]
    assert search_words(study.history()).startswith("best NE -0.50%  best QPS at its NE x1.20  front 2")


def test_where_no_trial_keeps_the_limits_it_is_said(tmp_path: Path) -> None:
    study = limited(tmp_path, (-2.0, 0.5), (-0.5, 0.9))
    named = [line for line in summary(study).splitlines() if line.startswith("best")]
    assert named == ["best       none: of 2 trained to the end none keeps every limit of the study"]
    assert search_words(study.history()) == "none keeps the limits"


def test_the_screen_of_a_folder_knows_its_limits(tmp_path: Path) -> None:
    study = limited(tmp_path, (-2.0, 0.5))
    study.note(replace(study.facts, config_text="constraints: [qps >= 1 * baseline.qps, params <= 1M]\n"))
    assert "none keeps every limit of the study" in read_screen(tmp_path)


def test_what_it_starts_warm_from_is_told_where_it_is_heard(tmp_path: Path) -> None:
    theirs = proposals(3, seed=9)
    told = tuple(
        Precedent(study=name, trial=n, model=one.candidate.model, ne_gain_pct=-0.1, qps_ratio=1.0)
        for n, one in enumerate(theirs)
        for name in (("../a", "../b/a") if n else ("../a",))
    )
    study = begun_study(tmp_path)
    study.note(replace(study.facts, warm_start=told))
    study.begin([replace(theirs[0], origin=Origin.PRECEDENT), *proposals(2)], 1)
    line = "warm start 3 trials of ../a, 2 trials of ../b/a; 1 model of theirs tried"
    assert screen(FOLDER, study).splitlines()[2] == line
    study.note(replace(study.facts, config_text="search: {strategy: tpe}\n"))
    assert "warm start" not in screen(FOLDER, study)


def test_of_several_labels_each_is_told(tmp_path: Path) -> None:
    study = open_study(tmp_path, "ads", small_space())
    study.note(study_facts(baseline_seeds=2))
    for order in range(2):
        trial = baseline_repeat(order, BASELINE_NE)
        assert trial.measurement is not None
        told = replace(trial, measurement=replace(trial.measurement, nes={"ctr": 0.8, "cvr": BASELINE_NE}))
        study.baselines.add_repeat(Proposal(trial.candidate, Origin.BASELINE), told)
    (trial,) = study.begin(proposals(1), 1)
    done = complete(trial, ne=BASELINE_NE * 0.99, ratio=2.0)
    assert done.measurement is not None
    nes = {"ctr": 0.804, "cvr": BASELINE_NE * 0.99}
    study.end(replace(done, measurement=replace(done.measurement, nes=nes)))
    lines = summary(study).splitlines()
    assert lines[1] == "           NE of ctr 0.8000, cvr 0.9000"
    assert lines[3] == "best NE    #1: -1.00% at QPS x2.00 (ctr +0.50%, cvr -1.00%)"
