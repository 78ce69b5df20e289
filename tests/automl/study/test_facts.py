"""Facts as attributes and back."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import optuna
import pytest

from automl.study.facts import Asked, Facts, Place
from automl.study.history import Prefer
from automl.study.precedents import Precedent, Scored, Source
from automl.study.storage import open_study
from tests.worlds.studies import HUMAN, small_space, study_facts

PRECEDENT = Precedent(study="../last-week", trial=7, model=HUMAN, ne_gain_pct=-0.2, qps_ratio=1.4)
WEEK = Scored(study="a", log="/logs/a.parquet", files=("a.parquet 9",), days=(dt.date(2024, 3, 4), dt.date(2024, 3, 9)))
SHARE = Scored(study="b", log="/logs/b", share=(0.8, 0.9), draw="seed 0, by row")
SOURCE = Source(name="../last-week", folder="../last-week", scored=(WEEK, SHARE))
# As version 0.1.0 wrote them.
RECORDED = {
    "name": "feed",
    "edition": 1,
    "turn": 3,
    "space": "embedding: {dim: 16}\n",
    "next_number": 4,
    "data": "aa11",
    "baseline_key": "k1",
    "baseline_qps": 141000.0,
    "baseline_seeds": 3,
    "study_file": "/studies/feed/study.yaml",
    "config_text": "name: feed\n",
    "workers": 2,
    "command": "",
    "versions": {"python": "3.11.2", "torch": "2.9.0"},
    "machine": "Linux x86_64, 2 cores",
    "started_at": 1.7e9,
    "trials_wanted": 40,
    "time_budget": None,
    "exhausted": False,
    "out_of_time": False,
    "wall_seconds": 12.5,
    "baseline": [],
}


def test_facts_of_a_recorded_study() -> None:
    facts = Facts.of_json(RECORDED)
    assert facts is not None
    assert (facts.study_file, facts.data, facts.baseline_seeds) == ("/studies/feed/study.yaml", "aa11", 3)
    assert (facts.trials_wanted, facts.time_budget, facts.wall_seconds) == (40, None, 12.5)
    none: dict[str, object] = {"plugins": {}, "tune_baseline": 0, "tuned": None, "scaled": None, "finals_data": None}
    before = {**none, "prefer": "balanced", "tested": {}, "family": None, "warm_start": [], "warm_sources": []}
    assert facts.to_json() == {name: {**RECORDED, **before}[name] for name in facts.to_json()}


def test_facts_survive_json() -> None:
    for facts in (
        study_facts(),
        study_facts(
            plugins={"/a/b.py": "1"},
            trials_wanted=9,
            time_budget=60.0,
            exhausted=True,
            wall_seconds=3.5,
            tune_baseline=16,
            tuned=HUMAN,
            prefer=Prefer.ACCURATE,
            warm_start=(PRECEDENT,),
            warm_sources=(SOURCE,),
            finals_data="ee22",
            tested={"ab12": Asked(at=1.7e9, p=0.04), "cd34": Asked(at=None)},
            family=Place(name="feed", place=2, ledger=".."),
        ),
    ):
        assert Facts.of_json(json.loads(json.dumps(facts.to_json()))) == facts


@pytest.mark.parametrize("missing", ["study_file", "baseline_qps", "started_at"])
def test_a_start_that_was_cut_short_is_none(missing: str) -> None:
    assert Facts.of_json({name: value for name, value in RECORDED.items() if name != missing}) is None


def test_what_an_earlier_build_wrote_of_a_warm_start_is_read() -> None:
    told: dict[str, Any] = study_facts(warm_start=(PRECEDENT,)).to_json()
    del told["warm_sources"], told["warm_start"][0]["fit"]
    assert Facts.of_json(told) == study_facts(warm_start=(PRECEDENT,))


@pytest.mark.parametrize("written", range(len(study_facts().to_json())))
def test_a_start_that_dies_after_any_of_its_facts_loses_none(
    written: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is a transaction of its own. What has a default is decided at the first start as well."""
    facts = study_facts(warm_start=(PRECEDENT,), tune_baseline=16, finals_data="ee22", trials_wanted=40)
    write, left = optuna.Study.set_user_attr, iter(range(written))

    def dying(self: optuna.Study, key: str, value: object) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt
        write(self, key, value)

    study = open_study(tmp_path, "ads", small_space())
    with monkeypatch.context() as patch:
        patch.setattr(optuna.Study, "set_user_attr", dying)
        with pytest.raises(KeyboardInterrupt):
            study.note(facts)
    again = open_study(tmp_path, "ads", small_space())
    assert not again.started
    again.note(facts)
    assert open_study(tmp_path, "ads", small_space()).facts == facts


def test_what_is_told_while_it_runs_need_not_be_there() -> None:
    later = ("trials_wanted", "time_budget", "exhausted", "wall_seconds")
    facts = Facts.of_json({name: value for name, value in RECORDED.items() if name not in later})
    assert facts is not None
    assert (facts.trials_wanted, facts.exhausted, facts.wall_seconds) == (None, False, 0.0)
