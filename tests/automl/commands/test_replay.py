"""A search is asked again from its record alone: with several workers, killed, repeated, in an edited space."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import optuna
import pytest

from automl.commands.replay import Replay, replay
from automl.commands.search_source import Budget, SearchSource
from automl.data.store.log import EncodedLog
from automl.runtime.jobs import Done, Job, Outcome, TrainModel
from automl.study.config import STRATEGIES
from automl.study.facts import BATCH
from automl.study.history import Failure, Limit, Metric, Origin, Prefer
from automl.study.precedents import Precedent
from automl.study.problem import Problem
from automl.study.record import Study
from automl.study.requests import Request, numbers, spans
from automl.study.sqlite import sqlite_storage
from automl.study.storage import open_study
from automl.testing import made_up
from search_spaces.model import ModelSpec
from search_spaces.source import read_text
from search_spaces.space import Candidate, SearchSpace
from tests.worlds.studies import HUMAN, INPUTS, curve, measured, proposals, small_space, study_config, study_facts

LIMITS = (Limit(Metric.QPS_RATIO, low=0.1),)
WINDOWS = {"train": slice(0, INPUTS.train_rows)}
LOG = cast(
    EncodedLog,
    SimpleNamespace(inputs=INPUTS, folder=Path("log"), fingerprint="f" * 32, primary=0, windows=WINDOWS),
)


def opened(folder: Path, space: SearchSpace | None = None) -> Study:
    study = open_study(folder, "ads", space or small_space(), LIMITS)
    if not study.started:
        study.note(study_facts(versions={"lightgbm": "4.0"}))
    return study


def play(
    folder: Path, strategy: str, trials: int, *, until: int = 10_000, seed: int = 0, space: SearchSpace | None = None
) -> Study:
    """Search with three workers whose jobs end in any order; stop dead after `until` have ended."""
    study = opened(folder, space)
    config = study_config(search={"strategy": strategy, "batch": 5, "repeats": 1})
    document = read_text("{}", "study.yaml")
    problem = Problem(folder / "study.yaml", folder, document, config, space or small_space(), HUMAN, LOG)
    source = SearchSource(problem, study, Budget(trials=trials), workers=3)
    rng, out, ended = np.random.default_rng(seed), list[Job](), 0
    while ended < until:
        job = source.next(len(out))
        if isinstance(job, Job):
            out.append(job)
        if len(out) > 3 or (out and not isinstance(job, Job)):
            last = out.pop(int(rng.integers(len(out))))
            source.ended(last, outcome(last, rng))
            ended += 1
        elif isinstance(job, Done):
            break
    source.close()
    return study


def outcome(job: Job, rng: np.random.Generator) -> Outcome:
    """As the made-up world has it; one trial in ten diverges."""
    assert isinstance(job.payload, TrainModel)
    model = ModelSpec.from_tree(job.payload.model)
    if job.name.startswith("trial") and rng.random() < 0.1:
        return Outcome(failure=Failure("diverged", "NE rose to 3.1"), started_at=1.0, ended_at=2.0)
    ne, ratio = made_up.true_ne(model) + 0.001 * float(rng.normal()), made_up.true_qps_ratio(model)
    found = measured(Candidate({}, model), ne=ne, ratio=ratio)
    return Outcome(measurement=found, curve=curve(0.95, 0.92), started_at=1.0, ended_at=4.0, cpu_seconds=2.5)


@pytest.mark.parametrize("strategy", ["controller", "evolution", "nsga2", "random", "tpe"])
def test_every_batch_comes_out_as_it_was_recorded(strategy: str, tmp_path: Path) -> None:
    assert strategy in STRATEGIES
    trials = 17 if strategy == "controller" else 11  # its predictor comes after the twelve of its opening
    play(tmp_path, strategy, 5, seed=1)  # its repeats are known to what comes later
    play(tmp_path, strategy, trials, until=3, seed=2)
    study = play(tmp_path, strategy, trials, seed=3)
    asked = [batch.request for batch in study.batches.values()]
    assert any(one is not None and one.running for one in asked), "batches are asked for while trials run"
    assert replay(tmp_path, LOG) == Replay(proposals=trials, identical=trials)


def test_a_warm_search_is_asked_again_with_what_it_was_told(tmp_path: Path) -> None:
    told = tuple(
        Precedent(study="before", trial=n, model=one.candidate.model, ne_gain_pct=0.1 * n, qps_ratio=1.0)
        for n, one in enumerate(proposals(10, seed=4), 1)
    )
    opened(tmp_path).note(study_facts(versions={"lightgbm": "4.0"}, warm_start=told))
    study = play(tmp_path, "controller", 17, seed=3)
    assert any(trial.origin is Origin.PRECEDENT for trial in study.trials)
    assert replay(tmp_path, LOG) == Replay(proposals=17, identical=17)


def test_a_batch_is_asked_again_with_what_was_preferred_then(tmp_path: Path) -> None:
    for preferred, trials in ((Prefer.ACCURATE, 17), (Prefer.BALANCED, 20)):
        opened(tmp_path).note(study_facts(versions={"lightgbm": "4.0"}, prefer=preferred))
        study = play(tmp_path, "controller", trials, seed=3)
    asked = [batch.request.prefer for batch in study.batches.values() if batch.request is not None]
    assert asked[0] is Prefer.ACCURATE
    assert asked[-1] is Prefer.BALANCED
    assert replay(tmp_path, LOG) == Replay(proposals=20, identical=20)


def test_an_edited_space_is_replayed_with_what_was_copied_into_it(tmp_path: Path) -> None:
    play(tmp_path, "evolution", 5)
    play(tmp_path, "evolution", 10, space=small_space().with_where(["params <= 500K"]))
    assert replay(tmp_path, LOG).lines() == ["identical: 10 proposals"]


def test_the_first_proposal_that_differs_is_named_with_what_else_does(tmp_path: Path) -> None:
    study = play(tmp_path, "random", 8)
    drawn = study.batches[2].request
    assert drawn is not None
    _rewrite(tmp_path, 2, {"seed": drawn.seed + 1})
    found = replay(tmp_path, LOG)
    assert (found.proposals, found.identical) == (8, 5)
    assert found.first is not None
    assert (found.first.trial, found.first.round) == (6, 2)
    lines = found.lines()
    assert lines[0] == "differs: 5 of 8 proposals are identical, the first that is not is #6 (batch 2)"
    assert lines[1] == f"recorded   random {study.trials[5].candidate.key}"
    assert lines[2].startswith("now        random ")
    assert any(line.startswith("since then lightgbm: 4.0 then, ") for line in lines)


def test_a_record_of_an_earlier_version_is_told(tmp_path: Path) -> None:
    opened(tmp_path).begin(proposals(3), 1)
    with pytest.raises(Exception, match="must hold what was known when its proposals were asked for"):
        replay(tmp_path, LOG)
    with pytest.raises(Exception, match="must hold the encoded log"):
        replay(tmp_path, None)
    play(tmp_path, "random", 6)
    assert replay(tmp_path, LOG).lines() == [
        "identical: 3 proposals",
        "not asked again: 3 proposals, of a version that did not record what was known",
    ]


def test_a_batch_that_was_cut_while_it_was_written_is_whole_when_the_search_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = play(tmp_path / "whole", "evolution", 8)
    plain, added = Study._add, list[int]()

    def dying(self: Study, trial: object, *rest: object) -> None:
        if len(added) == 6:
            raise KeyboardInterrupt
        plain(self, trial, *rest)  # type: ignore[arg-type]
        added.append(1)

    with monkeypatch.context() as patch:
        patch.setattr(Study, "_add", dying)
        with pytest.raises(KeyboardInterrupt):
            play(tmp_path / "cut", "evolution", 8)
    cut = opened(tmp_path / "cut")
    assert len(cut.trials) == 6
    cut.take_over()
    assert [trial.candidate.key for trial in cut.trials] == [trial.candidate.key for trial in whole.trials]
    assert opened(tmp_path / "cut").trials == cut.trials
    assert replay(tmp_path / "cut", LOG).lines() == ["identical: 8 proposals"]


def test_what_was_known_is_kept_as_ranges() -> None:
    assert spans([3, 1, 2, 9, 11, 12]) == "1-3,9,11-12"
    assert list(numbers("1-3,9,11-12")) == [1, 2, 3, 9, 11, 12]
    assert (spans([]), list(numbers(""))) == ("", [])


def test_what_a_batch_was_made_with_is_written_where_it_is_new(tmp_path: Path) -> None:
    play(tmp_path, "random", 6)
    study = opened(tmp_path)
    study.note(replace(study.facts, versions={"lightgbm": "5.0"}))
    play(tmp_path, "random", 7)
    made = [json.loads(_text(tmp_path, round_))["request"]["made_with"] for round_ in (1, 2, 3)]
    assert [one and one["lightgbm"] for one in made] == ["4.0", None, "5.0"]
    asked = [batch.request for batch in opened(tmp_path).batches.values()]
    assert [one.made_with["lightgbm"] for one in asked if one and one.made_with] == ["4.0", "4.0", "5.0"]


def _text(folder: Path, round_: int) -> str:
    return str(_stored(folder).user_attrs[f"{BATCH}{round_}"])


def _rewrite(folder: Path, round_: int, changes: dict[str, object]) -> None:
    data = json.loads(_text(folder, round_))
    data["request"].update(changes)
    assert set(data["request"]) == set(Request.__dataclass_fields__)
    _stored(folder).set_user_attr(f"{BATCH}{round_}", json.dumps(data))


def _stored(folder: Path) -> optuna.Study:
    return optuna.load_study(study_name="ads", storage=sqlite_storage(folder, writes=True))
