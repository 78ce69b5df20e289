"""What makes the files of today others than those of a record, and which finals are of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from automl.study.claims import Conflict, Subject, ask, finals_of
from automl.study.results import SpokenOf, write_finals
from automl.study.scaled import Scaled
from search_spaces.errors import InputError
from search_spaces.source import read_text
from tests.worlds.report_studies import make_finals, rich_history
from tests.worlds.studies import HUMAN, study_config, study_facts, study_tree

BEFORE = Subject(config=study_config(), data="d", finals_data="e", baseline="b", plugins={"/a.py": "1"})


def test_what_is_the_same_and_what_may_change() -> None:
    assert BEFORE.conflicts(BEFORE) == ()
    for config in (
        study_config(finals={"margin_pct": 0.5, "seeds": 9}),
        study_config(trial={"timeout": "5s"}, baseline_seeds=4),
        study_config(qps={"clock": "analytic", "max_seconds": 2}),
        study_config(search={"strategy": "tpe"}, space="ctr-large"),
    ):
        assert BEFORE.conflicts(replace(BEFORE, config=config)) == ()


@pytest.mark.parametrize(
    ("change", "conflict"),
    [
        ({"data": "other"}, Conflict.DATA),
        ({"finals_data": "other"}, Conflict.DATA),
        ({"baseline": "other"}, Conflict.BASELINE),
        ({"scaled": Scaled(factor=8.0, brought_flops=10, flops=80, widened=HUMAN)}, Conflict.SCALE),
        ({"plugins": {"/a.py": "2", "/b.py": "1"}}, Conflict.PLUGINS),
        ({"config": study_config(name="clicks")}, Conflict.NAME),
        ({"config": study_config(seed=8)}, Conflict.SEED),
        ({"config": study_config(qps={"clock": "cpu"})}, Conflict.QPS),
        ({"config": study_config(qps={"clock": "analytic", "batch_rows": 64})}, Conflict.QPS),
        ({"config": study_config(search={"tune_baseline": 12})}, Conflict.TUNING),
        ({"config": study_config(search={"warm_start": ["../before"]})}, Conflict.WARM_START),
        ({"config": study_config(constraints=["qps >= 0.5 * baseline.qps"])}, Conflict.LIMITS),
    ],
)
def test_what_makes_another_study(change: dict[str, Any], conflict: Conflict) -> None:
    assert BEFORE.conflicts(replace(BEFORE, **change)) == (conflict,)


def test_a_list_of_studies_is_known_by_its_folders() -> None:
    def of(*names: str, folders: tuple[str, ...] = ()) -> Subject:
        return replace(BEFORE, config=study_config(search={"warm_start": list(names)}), warm_folders=folders)

    known = of("../a", folders=("/x/a",))
    assert known.conflicts(of("../a/", folders=("/moved/a",))) == ()
    assert known.conflicts(of("../link", folders=("/x/a",))) == ()
    assert known.conflicts(of("../b", folders=("/x/b",))) == (Conflict.WARM_START,)
    assert known.conflicts(of()) == (Conflict.WARM_START,)
    document = read_text("name: ads\nsearch:\n  warm_start: [../b]\n", "study.yaml")
    now = replace(of("../b", folders=("/x/b",)), document=document)
    with pytest.raises(InputError, match=r"study\.yaml:3:15: .*another `search: {warm_start}` \(it was \[\.\./a\]\)"):
        ask(known, now, Path("study.yaml"), Path("ads"))


def test_of_several_labels_the_objective_is_known_by_its_name() -> None:
    labels = {"ctr": {"column": "click"}, "cvr": {"column": "convert", "given": "click"}}

    def of(labels: dict[str, Any], objective: str = "ne") -> Subject:
        data = {**study_tree()["data"], "labels": labels}
        del data["label"]
        objectives = {objective: "minimize", "qps": "maximize"}
        return replace(BEFORE, config=study_config(data=data, objectives=objectives))

    turned = dict(reversed(labels.items()))
    assert of(labels).conflicts(of(labels, "ne.ctr")) == ()
    assert of(labels).conflicts(of(turned)) == (Conflict.OBJECTIVE,)
    with pytest.raises(InputError, match=r"other data \(another description of it\)"):
        ask(of(labels), replace(of(turned), data="other"), Path("study.yaml"), Path("ads"))


def test_what_an_older_record_does_not_have_is_not_held_against_it() -> None:
    older = replace(BEFORE, finals_data=None, plugins={"/a.py": ""})
    assert older.conflicts(BEFORE) == ()
    assert BEFORE.conflicts(replace(BEFORE, plugins={})) == (), "one may be named later"
    assert older.conflicts(replace(BEFORE, data="other")) == (Conflict.DATA,)


def test_all_differences_are_told_at_once() -> None:
    days = {"train": ["2024-03-04", "2024-03-08"], "validate": ["2024-03-09"] * 2, "test": ["2024-03-10"] * 2}
    config = study_config(data={**study_config().data.model_dump(exclude_unset=True), "split": days}, seed=8)
    now = replace(BEFORE, config=config, data="other")
    with pytest.raises(InputError, match="must be the study that ads holds") as told:
        ask(BEFORE, now, Path("study.yaml"), Path("ads"))
    assert [mistake.found for mistake in told.value.mistakes] == ["another seed", "other data (other windows)"]
    ask(BEFORE, replace(BEFORE, config=study_config(name="b")), Path("b.yaml"), Path("ads"), taken=(Conflict.NAME,))
    with pytest.raises(InputError, match=r"other data \(other rows\)"):
        ask(BEFORE, replace(BEFORE, data="other"), Path("study.yaml"), Path("ads"))


def test_finals_of_something_else_are_not_those_of_the_record(tmp_path: Path) -> None:
    trials = rich_history().trials
    facts = study_facts()
    assert finals_of(tmp_path, facts, trials) == (None, None)
    finals = make_finals(rich_history(), ("better",))
    models = {pick.trial: next(t.candidate.key for t in trials if t.number == pick.trial) for pick in finals.picks}
    of = SpokenOf(data=facts.data, finals_data="f", baseline=HUMAN.key, models=models, predictions={})
    for told in (None, of, replace(of, name="ads", started_at=facts.started_at)):
        write_finals(tmp_path, replace(finals, of=told))
        assert finals_of(tmp_path, facts, trials) == (replace(finals, of=told), None)
    for change, words in (
        ({"data": "other"}, "other data"),
        ({"baseline": "other", "data": "other"}, "other data and another baseline"),
        ({"models": dict.fromkeys(models, "other")}, "other models"),
        ({"name": "feed", "started_at": facts.started_at}, "another study"),
        ({"name": "ads", "started_at": facts.started_at - 60}, "another study"),
    ):
        write_finals(tmp_path, replace(finals, of=replace(of, **change)))
        found, why = finals_of(tmp_path, facts, trials)
        assert found is None
        assert why == f"finals.json is of {words}, and so is not shown. Run `automl finals` again."
