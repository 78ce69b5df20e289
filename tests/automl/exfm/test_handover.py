"""Models by file, or from what a search has found."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from automl import api
from automl.exfm.handover import model_of, models_of
from automl.study.facts import Facts
from search_spaces.errors import InputError, Position
from search_spaces.history import MeanHistory
from search_spaces.model import ModelSpec
from tests.worlds.streams import SMALL, model
from tests.worlds.studies import study_facts

AT = Position("exfm.yaml", 7, 3)
FILE = "embedding: {dim: 4}\ndeep: [{mlp: {width: 8}}]\n"


@dataclass
class Study:
    """What handing over asks of one."""

    asked: list[str] = field(default_factory=list)
    facts: Facts = field(default_factory=study_facts)

    def best(self, role: str) -> ModelSpec:
        self.asked.append(role)
        if role == "fastest":
            raise InputError.of("role", "must be one of accurate, fast", role)
        return SMALL

    @property
    def history(self) -> Any:
        trials = [
            SimpleNamespace(number=number, candidate=SimpleNamespace(model=one))
            for number, one in ((3, SMALL), (17, model()))
        ]
        return SimpleNamespace(trials=trials)

    def pareto(self) -> pd.DataFrame:
        return pd.DataFrame({"trial": [17, 3, 0]})  # 0 is the baseline, which is no trial


def test_a_file_beside_the_run(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(FILE)
    assert model_of("m.yaml", tmp_path, AT).embedding.dim == 4


def test_picks_and_trials_of_a_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Path] = []
    study = Study()
    monkeypatch.setattr(api, "open_study", lambda folder: opened.append(folder) or study)
    assert model_of("studies/large#accurate", tmp_path, AT) == SMALL
    assert model_of("studies/large#17", tmp_path, AT) == model()
    assert opened == [tmp_path / "studies" / "large"] * 2
    assert study.asked == ["accurate"]
    with pytest.raises(InputError, match=r"exfm.yaml:7:3: studies/large#18 must hold a trial #18"):
        model_of("studies/large#18", tmp_path, AT)


@pytest.mark.parametrize("name", ["none.yaml", "nothing#accurate", "large#fastest"])
def test_what_is_not_there_is_told_where_it_is_named(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name.startswith("large"):
        monkeypatch.setattr(api, "open_study", lambda folder: Study())
    with pytest.raises(InputError) as told:
        model_of(name, tmp_path, AT)
    assert [mistake.position for mistake in told.value.mistakes] == [AT]
    assert name in str(told.value)


def test_mistakes_in_a_file_keep_their_place(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(FILE + "train: {batch: 3}\n")
    with pytest.raises(InputError, match=r"m\.yaml:3"):
        model_of("m.yaml", tmp_path, AT)


def test_a_front_is_a_student_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "open_study", lambda folder: Study())
    assert models_of("small#front", tmp_path, AT) == {"-17": model(), "-3": SMALL}
    assert models_of("small#17", tmp_path, AT) == {"": model()}
    with pytest.raises(InputError, match=r"exfm.yaml:7:3: small#front must be one model"):
        model_of("small#front", tmp_path, AT)


def test_a_study_whose_plug_in_has_changed_hands_nothing_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own.py").write_text("def plug(tables): pass\n")
    study = Study(facts=study_facts(plugins={"own.py": "1"}))
    monkeypatch.setattr(api, "open_study", lambda folder: study)
    monkeypatch.setattr("automl.study.plugins.digests", lambda: {str(tmp_path / "own.py"): "2"})
    for name in (".#accurate", ".#17", ".#front"):
        with pytest.raises(InputError, match=r"must be the plug-in that the models of .* but found another content"):
            models_of(name, tmp_path, AT)


def test_members_are_refused_since_a_stream_has_one_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "m.yaml").write_text(FILE + "members: 2\n")
    with pytest.raises(InputError, match=r"exfm.yaml:7:3: m.yaml must be a model of one member.*members: 2"):
        model_of("m.yaml", tmp_path, AT)


def test_what_several_labels_have_of_their_own_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "m.yaml").write_text(FILE + "tasks: {sharing: mmoe}\n")
    with pytest.raises(InputError, match=r"exfm.yaml:7:3: m.yaml must be a model without `tasks`.*mmoe"):
        model_of("m.yaml", tmp_path, AT)


def test_a_model_that_reads_histories_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "m.yaml").write_text(FILE + "history: {din: {units: 8}}\n")
    told = r"must be a model without `history`: a stream has no sequences, but found din"
    with pytest.raises(InputError, match=rf"exfm.yaml:7:3: m.yaml {told}"):
        model_of("m.yaml", tmp_path, AT)
    monkeypatch.setattr(Study, "best", lambda study, role: replace(SMALL, history=MeanHistory()))
    monkeypatch.setattr(api, "open_study", lambda folder: Study())
    with pytest.raises(InputError, match=rf"exfm.yaml:7:3: studies/x#accurate {told.replace('din', 'mean')}"):
        model_of("studies/x#accurate", tmp_path, AT)


def test_a_model_that_gives_numbers_a_form_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(FILE + "dense: {buckets: {}}\n")
    told = r"must be a model without `dense`: a stream has no quantiles of its numbers, but found buckets"
    with pytest.raises(InputError, match=rf"exfm.yaml:7:3: m.yaml {told}"):
        model_of("m.yaml", tmp_path, AT)
