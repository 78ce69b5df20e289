"""What a run leaves for searches: the rows that a student learned from, with what the teacher said of them then."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import automl
from automl.commands.check import check_study
from automl.data.columns.times import NEVER
from automl.data.store.lessons import open_lessons
from automl.exfm.problem import ExfmProblem
from automl.exfm.student.lessons import write_lessons
from automl.study.problem import load_problem
from search_spaces.errors import InputError
from search_spaces.source import read
from tests.worlds.lessons import HOUR, Arithmetic, make_run, ticks

SPACE = """\
embedding: {dim: 4, lr: 0.1, min_count: 1}
deep: [{mlp: {width: 8}}]
train: {batch_size: 64, order: time}
distill: {heads: {choice: [none, plain, auxiliary, both]}, weight: {log: [0.5, 4]}}
"""
STUDY = """\
name: tiny
data:
  lessons: lessons/clicks
  split: {train: [2024-03-04, 2024-03-05], validate: [2024-03-06, 2024-03-06], test: [2024-03-07, 2024-03-07]}
space: space.yaml
baseline: model.yaml
search: {strategy: random, batch: 3, stop_early: false}
qps: {clock: analytic}
baseline_seeds: 2
finals: {margin_pct: 0.5, seeds: 2, repeats: 2}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> ExfmProblem:
    return make_run(tmp_path_factory.mktemp("run"))


def test_rows_labels_and_features_of_a_student(run: ExfmProblem) -> None:
    student, stream = run.students[1], run.stream
    lessons = open_lessons(write_lessons(run, student))
    known = (stream.arrivals_NT[:, 1] != NEVER) & (stream.arrivals_NT[:, 1] < ticks(run)[-1].end_ns)
    rows = np.flatnonzero(np.isfinite(stream.labels_NT[:, 1]) & known)
    assert 0 < len(rows) < np.isfinite(stream.labels_NT[:, 1]).sum()
    np.testing.assert_array_equal(lessons.times_N, stream.times_N[rows])
    np.testing.assert_array_equal(lessons.labels_N, stream.labels_NT[rows, 1])
    np.testing.assert_array_equal(lessons.ids_NF, stream.ids_NF[rows][:, [1, 3]])
    np.testing.assert_array_equal(lessons.clusters_N, stream.clusters_N[rows])
    assert lessons.dense_ND.shape == (len(rows), 0)
    facts = lessons.facts
    assert (facts["fields"], facts["label"], facts["own"]) == (["item_id", "tab"], "convert", 1)


def test_what_the_teacher_said_when_the_row_was_seen(run: ExfmProblem) -> None:
    lessons = open_lessons(write_lessons(run, run.students[1]))
    stream = run.stream
    rows = np.searchsorted(stream.times_N, lessons.times_N)
    for tick in ticks(run):
        seen = (lessons.times_N >= tick.start_ns) & (lessons.times_N < tick.end_ns)
        if tick.index == 0:
            assert np.isnan(lessons.teacher_NT[seen]).all()
            assert (lessons.ages_N[seen] == 0).all()
            continue
        said = Arithmetic(float(tick.index)).logits(stream, rows[seen])
        np.testing.assert_allclose(lessons.teacher_NT[seen], said, rtol=1e-6)
        ages = (lessons.times_N[seen] - (tick.start_ns - 1)) / HOUR
        np.testing.assert_allclose(lessons.ages_N[seen], ages, rtol=1e-5)
        assert (ages > 0).all()


def test_a_student_with_sampled_negatives_has_a_teacher_on_its_scale(run: ExfmProblem) -> None:
    student, stream = run.students[0], run.stream
    lessons = open_lessons(write_lessons(run, student))
    arrived = stream.arrivals_NT[:, 0] < ticks(run)[-1].end_ns
    all_N = stream.labels_NT[student.members_N & arrived, 0]
    assert (lessons.labels_N == 1).sum() == (all_N == 1).sum()
    assert (lessons.labels_N == 0).sum() == pytest.approx(0.5 * (all_N == 0).sum(), rel=0.15)
    rows = np.searchsorted(stream.times_N, lessons.times_N)
    last = ticks(run)[-1]
    seen = lessons.times_N >= last.start_ns
    said = Arithmetic(float(last.index)).logits(stream, rows[seen])
    np.testing.assert_allclose(lessons.teacher_NT[seen], said + np.log(2), rtol=1e-5)
    assert lessons.facts["negatives_kept"] == 0.5


def test_lessons_are_written_once_and_again_after_more_of_the_run(tmp_path: Path) -> None:
    first = make_run(tmp_path, until=9)
    folder = write_lessons(first, first.students[0])
    file = folder / "labels.npy"
    before, rows = file.stat().st_ino, len(open_lessons(folder))
    write_lessons(first, first.students[0])
    assert file.stat().st_ino == before
    (folder.parent / "clicks.part").mkdir()  # of a run that was killed
    whole = make_run(tmp_path)
    again = open_lessons(write_lessons(whole, whole.students[0]))
    assert len(again) > rows
    assert [path.name for path in folder.parent.iterdir()] == ["clicks"]


def test_a_run_without_predictions_has_no_lessons(tmp_path: Path) -> None:
    problem = make_run(tmp_path, until=0)
    (tmp_path / "das").rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="must hold an augmented log"):
        write_lessons(problem, problem.students[0])


def test_a_study_over_lessons_is_checked(run: ExfmProblem) -> None:
    """Students of every recipe are probed; what was missing in the windows is not known any more."""
    write_lessons(run, run.students[0])
    (run.folder / "space.yaml").write_text(SPACE)
    (run.folder / "checked.yaml").write_text(STUDY)
    found = check_study(read(run.folder / "checked.yaml"), workers=1, folder=None)
    value = found.value()
    assert {feature.kind for feature in value.features.values()} == {"categorical"}
    assert not any(feature.missing or feature.unknown for feature in value.features.values())
    assert value.cost.disk_gib > 0


def test_a_search_over_lessons_from_file_to_finals(run: ExfmProblem) -> None:
    folder = run.folder
    write_lessons(run, run.students[0])
    (folder / "space.yaml").write_text(SPACE)
    file = folder / "tiny.yaml"
    file.write_text(STUDY)
    problem = load_problem(file)
    assert problem.log.negatives_kept == 0.5
    study = automl.search(file, trials=2, workers=1)
    assert {trial.state.value for trial in study.history.trials} == {"complete"}
    assert any(trial.candidate.model.distill for trial in study.history.trials)
    found = study.finals(trials=(1,), workers=1)
    assert [pick.trial for pick in found.picks] == [1]
    assert "lessons lessons/clicks" in study.report().read_text()
    with pytest.raises(InputError, match="must be tables, whose rows a served model could encode, but found lessons"):
        study.export(folder / "student.zip", trial=1)
