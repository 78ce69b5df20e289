"""`automl init`: what it writes can be searched as it is."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from automl.commands.init import EXFM_FILES, FILES, drafted, init_exfm, init_study, limits, template_text
from automl.data.draft.drafting import draft
from automl.data.simulated import log as log_module
from automl.data.simulated import stream as stream_module
from automl.data.simulated.log import simulate
from automl.data.simulated.stream import simulate_stream
from automl.exfm.problem import load_exfm
from automl.study.problem import load_problem
from search_spaces.errors import InputError


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small simulated log."""
    folder = tmp_path_factory.mktemp("simulated")
    simulate(folder / "log", rows=6000, users=200, items=80, days=12, seed=2)
    return folder / "log"


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, log: Path) -> None:
    """The templates' log is a small one, copied."""
    monkeypatch.setattr(log_module, "simulate", lambda out, **_: shutil.copytree(log, out))


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("template", ["ctr", "cvr"])
def test_a_template_is_a_study_that_can_be_searched(tmp_path: Path, template: str) -> None:
    folder = tmp_path / "mine"
    lines = init_study(folder, None, template)
    assert lines[-1] == f"next: automl check {folder / 'study.yaml'}"
    assert all(str(folder / name) in lines[-2] for name in FILES)
    problem = load_problem(folder / "study.yaml")
    assert problem.folder == folder
    assert problem.config.name == template
    assert problem.log.label == {"ctr": "click", "cvr": "convert"}[template]
    assert problem.config.data.cluster == "user_id"
    assert problem.space.locate(problem.baseline) is not None, "the search starts from the baseline"
    assert problem.space.allows(problem.space.default())


def test_the_exfm_template_is_a_run_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        stream_module,
        "simulate_stream",
        lambda out, **_: simulate_stream(out, rows=1200, users=60, items=30, days=6, seed=7),
    )
    folder = tmp_path / "mine"
    lines = init_exfm(folder)
    assert lines[-1] == f"next: automl check {folder / 'exfm.yaml'}"
    assert all(str(folder / name) in lines[-2] for name in EXFM_FILES)
    problem = load_exfm(folder / "exfm.yaml")
    assert problem.folder == folder.absolute()
    assert [student.label for student in problem.students] == ["click", "click", "convert"]
    with pytest.raises(InputError, match=r"must not hold an ExFM run, but found exfm\.yaml"):
        init_exfm(folder)


def test_templates_explain_themselves() -> None:
    for template in ("ctr", "cvr"):
        text = template_text(template, "study.yaml")
        assert sum("#" in line for line in text.splitlines()) > 12
        assert "docs/study.md" in text
        assert "docs/space.md" in template_text(template, "space.yaml")
        assert "tune_baseline: 16" in text
        assert "A draft of the model to beat" in template_text(template, "baseline.yaml")


def test_a_log_of_ones_own_is_drafted(tmp_path: Path, log: Path) -> None:
    folder = tmp_path / "feed"
    lines = init_study(folder, log / "log.parquet", "ctr")
    assert "label `click`" in lines[0]
    text = (folder / "study.yaml").read_text()
    assert str(log / "log.parquet") in text
    assert "dwell_ms" in text, "what looks like a leak is there, commented out"
    problem = load_problem(folder / "study.yaml")
    assert problem.config.name == "feed"
    assert problem.log.label == "click"
    assert problem.config.search.tune_baseline == 16
    assert f"{folder / 'baseline.yaml'} is a draft: put the model that you ship in its place" in lines
    assert "dwell_ms" not in (*problem.log.fields, *problem.log.dense)
    assert not (folder / "log").exists()


def test_a_label_may_be_said(tmp_path: Path, log: Path) -> None:
    init_study(tmp_path / "feed", log / "log.parquet", "ctr", label="convert")
    assert load_problem(tmp_path / "feed" / "study.yaml").log.label == "convert"


@pytest.mark.parametrize("name", ["2024", "true", "a: b # c", 'quo"te', "null", "müsli 2", "- x"])
def test_a_folder_of_any_name_makes_a_study(tmp_path: Path, log: Path, name: str) -> None:
    init_study(tmp_path / name, log / "log.parquet", "ctr")
    assert load_problem(tmp_path / name / "study.yaml").config.name == name


def test_the_current_folder_has_a_name_too(tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    init_study(Path(), log / "log.parquet", "ctr")
    assert load_problem(Path("study.yaml")).config.name == "here"


@pytest.mark.parametrize("name", FILES)
def test_nothing_is_written_over(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(InputError, match=f"must not hold a study, but found {name}"):
        init_study(tmp_path, None, "ctr")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"


def test_a_log_that_is_in_the_way_leaves_no_half_study(tmp_path: Path, log: Path) -> None:
    (tmp_path / "log").mkdir()
    shutil.copy(log / "log.parquet", tmp_path / "log")
    with pytest.raises(InputError, match="must be a folder without a log"):
        init_study(tmp_path, None, "ctr")
    assert [path.name for path in tmp_path.iterdir()] == ["log"]


def test_a_log_that_cannot_be_drafted_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="must exist"):
        init_study(tmp_path / "new", tmp_path / "gone.parquet", "ctr")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("rows", "features", "many", "told"),
    [
        (1_000, 3, 1, "trial: {timeout: 5m, memory: 4GiB}"),
        (180_000, 15, 3, "trial: {timeout: 5m, memory: 4GiB}"),
        (1_000_000, 15, 3, "trial: {timeout: 11m, memory: 4GiB}"),
        (20_000_000, 39, 3, "trial: {timeout: 534m, memory: 10GiB}"),
    ],
)
def test_the_limits_of_a_draft_go_with_its_log(rows: int, features: int, many: int, told: str) -> None:
    assert limits(rows, features, many) == told


def test_a_template_says_the_least_limits() -> None:
    for template in ("ctr", "cvr"):
        assert f"\n{limits(0, 0, 0)}\n" in template_text(template, "study.yaml")


def test_a_draft_replaces_the_data_part_and_the_limits_only(tmp_path: Path, log: Path) -> None:
    text = template_text("cvr", "study.yaml")
    made = drafted(text, draft(log / "log.parquet"), log / "log.parquet", tmp_path / "x")
    assert made.split("\nspace:")[1] == text.split("\nspace:")[1]
    assert made.splitlines()[:2] == text.splitlines()[:2]
    assert made.count("\ndata:\n") == 1
