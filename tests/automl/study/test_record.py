"""The record over Optuna: numbers and ended trials never change, whatever the driver dies of."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from automl.study.facts import Facts
from automl.study.history import Failure, Limit, Metric, Origin, Proposal, Repeat, State, Trial
from automl.study.in_optuna import distribution
from automl.study.known import as_known, request_of
from automl.study.record import Study
from automl.study.records import outcome_json
from automl.study.sqlite import sqlite_storage
from automl.study.storage import load_newest, open_study
from search_spaces.errors import InputError
from search_spaces.source import read_text
from search_spaces.space import SearchSpace, space_of
from tests.worlds.studies import (
    BASELINE_NE,
    BASELINE_QPS,
    add_baseline,
    baseline_repeat,
    begun_study,
    complete,
    curve,
    failed,
    key_of,
    measured,
    parked,
    proposals,
    small_space,
    stopped,
    study_facts,
)

TINY = """\
embedding: {dim: {choice: [4, 8, 16]}, lr: {log: [0.01, 0.1], default: 0.02}}
interaction: {repeat: {int: [0, 2], default: 1}, one_of: {cross: {rank: {int: [2, 10], step: 4}}, fm: {}}}
deep: {repeat: 1, mlp: {width: {log: [16, 64], default: 32}, norm: {choice: [none, layer]}}}
"""


def tiny(text: str = TINY) -> SearchSpace:
    return space_of(read_text(text, "space.yaml"))


def reopened(folder: Path, space: SearchSpace | None = None, name: str = "ads") -> Study:
    return open_study(folder, name, space or tiny())


def in_optuna(folder: Path, name: str = "ads") -> optuna.Study:
    """What any other tool sees."""
    return optuna.load_study(study_name=name, storage=sqlite_storage(folder))


def of_every_state(study: Study) -> tuple[Trial, ...]:
    """Four trials begun: complete, stopped, failed and one that still runs."""
    first, second, third, fourth = study.begin(proposals(4, space=tiny()), 1)
    study.end(complete(first, ne=0.89, ratio=2.0, curve=curve(0.95, 0.9), cpu_seconds=2.5, seeds={"weights": 1}))
    study.end(stopped(second))
    study.end(failed(third, "timeout", "took longer than its limit of 60 s"))
    return first, second, third, fourth


# ---------------------------------------------------------------- numbers and states


def test_trials_are_numbered_on_from_one(tmp_path: Path) -> None:
    study = begun_study(tmp_path, space=tiny())
    assert [t.number for t in study.begin(proposals(3, space=tiny()), 1)] == [1, 2, 3]
    assert [t.number for t in study.begin(proposals(5, seed=1, space=tiny())[3:], 2)] == [4, 5]
    assert [(t.number, t.round) for t in study.trials] == [(1, 1), (2, 1), (3, 1), (4, 2), (5, 2)]
    assert {t.state for t in study.trials} == {State.RUNNING}


def test_a_reopened_study_holds_the_same_trials(tmp_path: Path) -> None:
    study = begun_study(tmp_path, space=tiny())
    of_every_state(study)
    again = reopened(tmp_path)
    assert repr(again.trials) == repr(study.trials)
    assert repr(again.history().trials) == repr(study.trials)
    assert again.baseline() == study.baseline()
    assert again.facts == study.facts == study_facts()


def test_an_ended_trial_never_changes(tmp_path: Path) -> None:
    study = begun_study(tmp_path, space=tiny())
    first, *_ = of_every_state(study)
    kept = repr(study.trials)
    for other in (complete(first, ne=0.5), failed(first), first):
        with pytest.raises(RuntimeError, match="trial 1 has ended before and must not change"):
            study.end(other)
    again = reopened(tmp_path)
    with pytest.raises(RuntimeError, match="must not change"):
        again.end(complete(first, ne=0.5))
    assert repr(study.trials) == repr(again.trials) == kept


def test_the_history_waits_for_the_baseline(tmp_path: Path) -> None:
    study = reopened(tmp_path)
    assert not study.started
    with pytest.raises(RuntimeError, match="must be started"):
        _ = study.facts
    study.note(study_facts())
    assert study.baseline() is None
    with pytest.raises(RuntimeError, match="the baseline must be measured"):
        study.history()
    first = baseline_repeat(0, 0.90)
    study.baselines.add_repeat(Proposal(first.candidate, Origin.BASELINE), first)
    assert study.baseline() is None
    second = baseline_repeat(1, 0.92)
    study.baselines.add_repeat(Proposal(second.candidate, Origin.BASELINE), second)
    found = reopened(tmp_path).baseline()
    assert found is not None
    assert found.ne == pytest.approx(0.91)
    assert found.ne_std == pytest.approx(math.sqrt(2) * 0.01)
    assert [trial.seeds["repeat"] for trial in found.trials] == [0, 1]
    assert found.gain_pct(0.9009) == pytest.approx(-1.0)


# ---------------------------------------------------------------- the driver dies


def test_a_running_trial_is_taken_over_under_its_number(tmp_path: Path) -> None:
    study = begun_study(tmp_path, space=tiny())
    *_, fourth = of_every_state(study)
    again = reopened(tmp_path)
    assert again.take_over() == (fourth,)
    assert again.begin(proposals(1, seed=3, space=tiny()), 2)[0].number == 5
    again.end(complete(fourth, ne=0.87))
    states = {trial.number: trial.state for trial in reopened(tmp_path).trials}
    assert states == {1: State.COMPLETE, 2: State.STOPPED, 3: State.FAILED, 4: State.COMPLETE, 5: State.RUNNING}


@pytest.mark.parametrize(
    ("end", "state"),
    [(complete, TrialState.COMPLETE), (stopped, TrialState.PRUNED), (failed, TrialState.FAIL)],
)
def test_an_outcome_that_was_written_but_not_told_counts(tmp_path: Path, end: object, state: TrialState) -> None:
    study = begun_study(tmp_path, space=tiny())
    *_, fourth = of_every_state(study)
    assert callable(end)
    ended: Trial = end(fourth)
    optuna.trial.Trial(study._study, study._ids[4]).set_user_attr("outcome", json.dumps(outcome_json(ended)))

    again = reopened(tmp_path)
    assert again.take_over() == ()
    assert repr(again.trials[-1]) == repr(ended)
    assert in_optuna(tmp_path).trials[3].state is state
    with pytest.raises(RuntimeError, match="must not change"):
        again.end(failed(fourth))
    third_time = reopened(tmp_path)
    assert third_time.take_over() == ()
    assert repr(third_time.trials) == repr(again.trials)


# ---------------------------------------------------------------- an edited space


EDITED = TINY.replace("[4, 8, 16]", "[8, 16, 32]")


def begun(study: Study, dims: tuple[int, ...], **answers: object) -> tuple[Trial, ...]:
    """Trials of the tiny space with these embedding dimensions."""
    values = [{**tiny().default().values, **answers, "embedding.dim": dim} for dim in dims]
    made = [Proposal(tiny().replay(v), Origin.RANDOM) for v in values]
    return study.begin(made, 1)


def test_an_edited_space_keeps_the_trials_that_still_fit(tmp_path: Path) -> None:
    study = begun_study(tmp_path, space=tiny())
    four, eight, sixteen, sixteen_fm = (
        *begun(study, (4, 8, 16)), *begun(study, (16,), **{"interaction[0].block": "fm"}),
    )  # fmt: skip
    study.end(complete(four, ne=0.91))
    study.end(complete(eight, ne=0.90))
    study.end(failed(sixteen))  # the fourth is left running: it will be proposed again, if at all
    assert sixteen_fm.number == 4

    edited = reopened(tmp_path, tiny(EDITED))
    assert key_of(edited.trials) == {2: eight.candidate.key, 3: sixteen.candidate.key}
    assert repr(edited.trials) == repr(study.trials[1:3])
    assert edited.take_over() == ()
    assert edited.baseline() == study.baseline()
    assert edited.begin(proposals(1, space=tiny(EDITED)), 2)[0].number == 5, "4 is another model's for ever"
    assert repr(reopened(tmp_path, tiny(EDITED)).trials) == repr(edited.trials)


def test_an_edited_where_keeps_only_what_it_allows(tmp_path: Path) -> None:
    study = begun_study(tmp_path, space=tiny())
    for trial in begun(study, (4, 16)):
        study.end(complete(trial))
    narrower = tiny(TINY + "where: [embedding.dim <= 8]\n")
    assert [t.number for t in reopened(tmp_path, narrower).trials] == [1]


def test_a_knob_that_was_fixed_is_a_parameter_of_copied_trials_too(tmp_path: Path) -> None:
    closed = tiny(TINY.replace("{choice: [none, layer]}", "none"))
    study = begun_study(tmp_path, space=closed)
    (trial,) = study.begin([Proposal(closed.default(), Origin.DEFAULT)], 1)
    study.end(complete(trial))
    opened = reopened(tmp_path, tiny())
    assert opened.trials[0].candidate == closed.default(), "its values are what they were"
    params = in_optuna(tmp_path, "ads #2").trials[0].params
    assert set(params) == set(tiny().default().values)
    assert params["deep[0].mlp.norm"] == "none"


def test_back_to_an_earlier_space_nothing_is_lost(tmp_path: Path) -> None:
    study = begun_study(tmp_path, space=tiny())
    for trial in begun(study, (4, 8)):
        study.end(complete(trial))
    edited = reopened(tmp_path, tiny(EDITED))
    (new,) = edited.begin([Proposal(tiny(EDITED).replay({"embedding.dim": 16}), Origin.RANDOM)], 2)
    edited.end(complete(new))
    back = reopened(tmp_path, tiny())
    assert [t.number for t in edited.trials] == [2, 3]
    assert [t.number for t in back.trials] == [1, 2, 3]
    assert load_newest(tmp_path).user_attrs["edition"] == 3


def test_what_an_edit_makes_of_the_trials_is_told(tmp_path: Path) -> None:
    study = begun_study(tmp_path, space=tiny())
    for trial in begun(study, (4, 8)):
        study.end(complete(trial))
    told: list[str] = []
    open_study(tmp_path, "ads", tiny(EDITED), told=told.append)
    open_study(tmp_path, "ads", tiny(EDITED), told=told.append)
    edited = "the space was edited, or is another one in this version of the library"
    assert told == [f"{edited}: 1 of the 2 trials that ended in any edition of it fit this one"]


def test_a_study_that_is_not_to_be_gone_on_with_stays_as_it_is(tmp_path: Path) -> None:
    begun_study(tmp_path, space=tiny())

    def refuses(facts: Facts) -> None:
        raise InputError.of("study.yaml", f"must be of {facts.data}")

    before = (tmp_path / "study.db").read_bytes()
    with pytest.raises(InputError, match=f"must be of {study_facts().data}"):
        open_study(tmp_path, "ads", tiny(EDITED), asked=refuses)
    assert (tmp_path / "study.db").read_bytes() == before


def test_a_driver_that_dies_while_it_copies_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = begun_study(tmp_path, space=tiny())
    for trial in begun(study, (8, 16)):
        study.end(complete(trial))
    copy, copied = Study.copy, []

    def dying(self: Study, trial: Trial, values: dict[str, object]) -> None:
        if copied:
            raise KeyboardInterrupt
        copied.append(trial.number)
        copy(self, trial, values)

    monkeypatch.setattr(Study, "copy", dying)
    with pytest.raises(KeyboardInterrupt):
        reopened(tmp_path, tiny(EDITED))
    monkeypatch.undo()
    assert copied == [1]
    assert load_newest(tmp_path).study_name == "ads", "a part of a study is none"
    assert [t.number for t in reopened(tmp_path, tiny(EDITED)).trials] == [1, 2]
    assert len(optuna.get_all_study_names(sqlite_storage(tmp_path))) == 2


# ---------------------------------------------------------------- names


def test_two_studies_in_one_storage_do_not_meet(tmp_path: Path) -> None:
    ads, feed = begun_study(tmp_path, name="ads", space=tiny()), begun_study(tmp_path, name="feed", space=tiny(EDITED))
    (trial,) = ads.begin(proposals(1, space=tiny()), 1)
    ads.end(complete(trial))
    assert reopened(tmp_path, tiny(EDITED), "feed").trials == ()
    assert len(reopened(tmp_path, tiny(), "ads").trials) == 1
    assert feed.trials == ()


@pytest.mark.parametrize("name", ["ads #2", " #2 #x", "a/b ' \" \n"])
def test_a_name_may_look_like_an_edition(tmp_path: Path, name: str) -> None:
    study = begun_study(tmp_path, name=name, space=tiny())
    (trial,) = begun(study, (8,))
    study.end(complete(trial))
    assert len(reopened(tmp_path, tiny(), name).trials) == 1
    assert len(reopened(tmp_path, tiny(EDITED), name).trials) == 1
    assert load_newest(tmp_path).user_attrs["edition"] == 2


def test_a_name_and_another_ones_edition_do_not_meet(tmp_path: Path) -> None:
    for trial in begun(begun_study(tmp_path, name="ads", space=tiny()), (8,)):
        assert trial.number == 1
    reopened(tmp_path, tiny(EDITED), "ads")  # its second edition takes the Optuna name `ads #2`
    other = begun_study(tmp_path, name="ads #2", space=tiny())
    assert other.trials == ()
    (trial,) = begun(other, (16,))
    other.end(complete(trial))
    assert [t.number for t in reopened(tmp_path, tiny(), "ads #2").trials] == [1]
    assert reopened(tmp_path, tiny(EDITED), "ads").trials == ()


def test_the_newest_study_is_the_one_opened_last(tmp_path: Path) -> None:
    reopened(tmp_path, tiny(), "ads")
    reopened(tmp_path, tiny(EDITED), "ads")
    reopened(tmp_path, tiny(), "feed")
    assert load_newest(tmp_path).user_attrs["name"] == "feed"
    reopened(tmp_path, tiny(EDITED), "ads")
    assert load_newest(tmp_path).user_attrs["name"] == "ads"


def test_others_studies_in_a_shared_storage_are_left_alone(tmp_path: Path) -> None:
    reopened(tmp_path, tiny(), "feed")
    theirs = optuna.create_study(study_name="ads", storage=sqlite_storage(tmp_path, writes=True))
    theirs.optimize(lambda trial: trial.suggest_float("x", 0, 1), 1)
    study = open_study(tmp_path, "ads", tiny())
    assert study.trials == ()
    assert len(in_optuna(tmp_path).trials) == 1
    assert load_newest(tmp_path).user_attrs["name"] == "ads"


# ---------------------------------------------------------------- as Optuna sees it


def test_optunas_own_api_works_on_a_study(tmp_path: Path) -> None:
    study = begun_study(tmp_path, space=small_space())
    begun_now = study.begin(proposals(8), 1)
    assert [t.state for t in in_optuna(tmp_path).trials] == [TrialState.RUNNING] * 8
    for index, trial in enumerate(begun_now[:6]):
        study.end(complete(trial, ne=0.90 - 0.01 * index, ratio=1.0 + (index % 3)))
    study.end(stopped(begun_now[6]))
    study.end(failed(begun_now[7]))
    seen = in_optuna(tmp_path)
    assert seen.metric_names == ["NE", "QPS"]
    assert [t.state for t in seen.trials[5:]] == [TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL]
    best = {t.user_attrs["number"]: t.values for t in seen.best_trials}
    assert best == {6: [pytest.approx(0.85), 3 * BASELINE_QPS]}
    for trial, frozen in zip(begun_now, seen.trials, strict=True):
        assert frozen.params == dict(trial.candidate.values)
        assert {path: frozen.distributions[path] for path in frozen.params} == {
            d.path: distribution(d) for d in small_space().decisions if d.path in frozen.params
        }
    frame = seen.trials_dataframe(("number", "values", "params", "state"))
    assert len(frame) == 8
    assert {"values_NE", "values_QPS"} <= set(frame.columns)


def test_importances_name_knobs_and_add_up(tmp_path: Path) -> None:
    study = begun_study(tmp_path, space=tiny())
    for trial in study.begin(proposals(12, space=tiny()), 1):
        width = float(trial.candidate.values["deep[0].mlp.width"])
        lr = float(trial.candidate.values["embedding.lr"])
        study.end(complete(trial, ne=0.9 + 0.1 * lr, ratio=32 / width))
    found = study.importances(200)
    assert study.importances(10).keys() == found.keys()
    assert set(found) == {"ne", "qps"}
    assert max(found["ne"], key=lambda name: found["ne"][name]) == "embedding.lr"
    assert max(found["qps"], key=lambda name: found["qps"][name]) == "deep[0].mlp.width"
    for shares in found.values():
        assert sum(shares.values()) == pytest.approx(1.0)


def test_constraints_are_told_to_optuna(tmp_path: Path) -> None:
    """Above 0 is broken, by how much; with two bounds on one figure the worse one counts."""
    limits = (
        Limit(Metric.QPS_RATIO, low=0.5), Limit(Metric.QPS_RATIO, high=4.0), Limit(Metric.NE_GAIN_PCT, high=1.0),
        Limit(Metric.TRAIN_QPS_RATIO, low=1.0),
    )  # fmt: skip
    study = begun_study(tmp_path, space=tiny(), limits=limits)
    base = study.baseline()
    assert base is not None
    slow, fast, fair, failing = study.begin(proposals(4, space=tiny()), 1)
    study.end(complete(slow, ne=base.ne * 1.03, ratio=0.25))
    study.end(complete(fast, ne=base.ne, ratio=5.0))
    study.end(complete(fair, measurement=measured(fair.candidate, ne=base.ne, ratio=2.0, train_qps=None)))
    study.end(failed(failing))
    told = [trial.constraints for trial in in_optuna(tmp_path).trials]
    assert told[0] == pytest.approx({"qps_ratio": 0.25, "ne_gain_pct": 2.0, "train_qps_ratio": 0.0}, abs=1e-9)
    assert told[1]["qps_ratio"] == pytest.approx(1.0)
    assert told[2] == pytest.approx({"qps_ratio": -1.5, "ne_gain_pct": -1.0}, abs=1e-9)
    assert not told[3]


def test_every_domain_is_one_of_optunas(tmp_path: Path) -> None:
    kinds = {decision.path: distribution(decision) for decision in tiny().decisions}
    assert kinds["embedding.dim"] == CategoricalDistribution([4, 8, 16])
    assert kinds["embedding.lr"] == FloatDistribution(0.01, 0.1, log=True)
    assert kinds["interaction.repeat"] == IntDistribution(0, 2)
    assert kinds["interaction[0].cross.rank"] == IntDistribution(2, 10, step=4)
    assert kinds["deep[0].mlp.width"] == IntDistribution(16, 64, log=True)
    stack = tiny("interaction: {repeat: 1, any_of: {fm: {}, linear: {}}}\n")
    assert {type(distribution(d)) for d in stack.decisions} == {CategoricalDistribution}
    study = begun_study(tmp_path, space=stack)
    (trial,) = study.begin([Proposal(stack.default(), Origin.DEFAULT)], 1)
    study.end(complete(trial, ne=BASELINE_NE))
    assert in_optuna(tmp_path).trials[0].params == dict(stack.default().values)


def test_an_empty_folder_holds_no_study(tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r"must hold a study \(study.db\), but found none"):
        load_newest(tmp_path)
    optuna.create_study(storage=sqlite_storage(tmp_path))
    with pytest.raises(Exception, match="must hold a study, but found an empty storage"):
        load_newest(tmp_path)


def test_facts_are_plain_and_stay(tmp_path: Path) -> None:
    study = reopened(tmp_path)
    add_baseline(study, seeds=3)
    study.note(replace(study.facts, versions={"torch": "2.9"}, exhausted=True, time_budget=60.0))
    again = reopened(tmp_path)
    assert again.facts == study.facts
    assert again.facts.versions == {"torch": "2.9"}
    assert in_optuna(tmp_path).user_attrs["time_budget"] == 60.0
    assert len(again.baselines.repeats) == 3
    assert space_of(read_text(in_optuna(tmp_path).user_attrs["space"], "space.yaml")).to_yaml() == tiny().to_yaml()


def repeated(order: int, ne: float) -> Repeat:
    found = measured(proposals(1, space=tiny())[0].candidate, ne=ne)
    return Repeat(order=order, measurement=found, started_at=1.0, ended_at=2.0, seeds={"order": order})


def test_repeats_are_written_beside_what_their_trial_ended_with(tmp_path: Path) -> None:
    study = reopened(tmp_path)
    add_baseline(study)
    first, second, *_ = study.begin(proposals(3, space=tiny()), 1)
    study.end(complete(first, ne=0.9))
    study.end(complete(second, ne=0.89))
    before = in_optuna(tmp_path).trials[1]
    diverged = Repeat(order=2, failure=Failure("diverged", "NE is not a number"))
    study.add_repeat(2, repeated(1, 0.895))
    study.add_repeat(1, repeated(1, 0.91))
    study.add_repeat(2, diverged)
    assert in_optuna(tmp_path).trials[1] == before, "an ended trial never changes"
    again = reopened(tmp_path)
    assert repr(again.trials) == repr(study.trials)
    assert again.trials[1].repeats == (repeated(1, 0.895), diverged)
    assert again.trials[0].repeats == (repeated(1, 0.91),)
    assert again.trials[1].unfit == diverged.failure


@pytest.mark.parametrize(("number", "order"), [(1, 0), (1, 1), (2, 1)])
def test_only_a_complete_trial_is_repeated_and_an_order_once(tmp_path: Path, number: int, order: int) -> None:
    study = reopened(tmp_path)
    add_baseline(study)
    first, _ = study.begin(proposals(2, space=tiny()), 1)
    study.end(complete(first))
    study.add_repeat(1, repeated(1, 0.9))
    with pytest.raises(RuntimeError, match=f"trial {number} must be complete, and new to order {order}"):
        study.add_repeat(number, repeated(order, 0.9))


def promoted(trial: Trial, ne: float) -> Trial:
    return replace(complete(trial, ne=ne), on_part=trial.measurement, curve=curve(0.95, 0.92))


def test_a_promoted_trial_is_what_it_came_to_and_was_what_its_part_led_to(tmp_path: Path) -> None:
    study = reopened(tmp_path)
    add_baseline(study)
    first, second, _ = study.begin(proposals(3, space=tiny()), 1)
    study.end(parked(first))
    study.end(parked(second))
    before = request_of(study, strategy="random", seed=1, count=4), study.history()
    study.promote(promoted(study.trials[1], 0.88))
    study.add_repeat(2, repeated(1, 0.89))
    after = request_of(study, strategy="random", seed=1, count=4), study.history()
    again = reopened(tmp_path)
    assert repr(again.trials) == repr(study.trials)
    assert [trial.state for trial in again.trials] == [State.STOPPED, State.COMPLETE, State.RUNNING]
    for request, history in (before, after):
        known = as_known(again, request)
        assert [_known(trial) for trial in known.trials] == [_known(trial) for trial in history.trials]
    values = [trial.values for trial in in_optuna(tmp_path).trials]
    assert values[3] == [0.88, BASELINE_QPS], "its dashboard sees the promoted one beside the parked"
    assert values[:3] == [None] * 3


def _known(trial: Trial) -> object:
    """What strategies read of it."""
    return repr(replace(trial, started_at=None, ended_at=None, cpu_seconds=None, seeds={}))


def test_only_a_parked_trial_is_promoted_and_once(tmp_path: Path) -> None:
    study = reopened(tmp_path)
    add_baseline(study)
    first, second = study.begin(proposals(2, space=tiny()), 1)
    study.end(parked(first))
    study.end(complete(second))
    done = promoted(study.trials[0], 0.88)
    study.promote(done)
    for trial in (done, promoted(study.trials[1], 0.88), promoted(first, 0.88)):
        with pytest.raises(RuntimeError, match="must have ended on a part of the rows"):
            study.promote(trial)


def test_promotions_go_with_their_trials_into_an_edited_space(tmp_path: Path) -> None:
    study = reopened(tmp_path)
    add_baseline(study)
    for trial in study.begin(proposals(2, space=tiny()), 1):
        study.end(parked(trial))
    study.promote(promoted(study.trials[0], 0.88))
    wider = reopened(tmp_path, tiny(TINY.replace("[4, 8, 16]", "[4, 8, 16, 32]")))
    assert repr(wider.trials) == repr(study.trials)
    wider.promote(promoted(wider.trials[1], 0.89))
    assert [trial.state for trial in reopened(tmp_path, wider._space).trials] == [State.COMPLETE] * 2


def test_repeats_go_with_their_trials_into_an_edited_space(tmp_path: Path) -> None:
    study = reopened(tmp_path)
    add_baseline(study)
    for trial in study.begin(proposals(2, space=tiny()), 1):
        study.end(complete(trial))
        study.add_repeat(trial.number, repeated(1, 0.9))
    wider = reopened(tmp_path, tiny(TINY.replace("[4, 8, 16]", "[4, 8, 16, 32]")))
    assert [trial.repeats for trial in wider.trials] == [(repeated(1, 0.9),)] * 2
    wider.add_repeat(1, repeated(2, 0.8))
    assert [len(trial.repeats) for trial in reopened(tmp_path, wider._space).trials] == [2, 1]
