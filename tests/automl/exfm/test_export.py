"""A student is exported from what its run has kept: whatever has become of the log and the file since."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from numpy.typing import NDArray

from automl.commands.predict import predict_to
from automl.data.past.files import past_beside
from automl.data.simulated.stream import simulate_stream
from automl.exfm.export import export_student
from automl.exfm.kept import SERVING, keep_students, read_kept
from automl.exfm.problem import ExfmProblem, load_exfm
from automl.exfm.said import SAID, note_said
from automl.exfm.student.facts import WEIGHTS, read_run, write_run
from automl.exfm.student.jobs import assignments_of, read_left
from automl.files.parts import digest_of
from automl.ranking.model import build_member
from automl.ranking.scoring import logits_of, probabilities_of
from automl.study.exfm_results import ExfmResult, RunFacts
from search_spaces.distill import Distill
from search_spaces.errors import InputError
from tests.worlds.report_exfm import make_exfm

RUN = """\
name: small
data:
  path: log.parquet
  join: [{path: users.parquet, on: user_id}, {path: items.parquet, on: item_id}]
  time: {column: time_ms, unit: ms, timezone: UTC}
  labels: {click: {column: click, arrives: label_time_ms}}
  cluster: user_id
  features:
    categorical: {user_id: {}, item_id: {}, domain: {}, category: {}, "@hour": {}}
    dense: {price: {transform: log}}
    counters: {keys: [user_id], labels: [click], every: 6h, half_life: 3d}
teacher: {model: model.yaml}
students:
  plain: {model: model.yaml, label: click, where: {domain: {not: 0}}, distill: none}
  counting:
    {model: model.yaml, label: click, features: [user_id, item_id, price, "@rate(click | user_id)"], distill: none}
seeds: 2
"""
MODEL = "embedding: {dim: 4}\ndeep: [{mlp: {width: 8}}]\n"


@dataclass(frozen=True)
class Ran:
    """A run whose students were not trained, but shaken."""

    folder: Path
    result: ExfmResult
    problem: ExfmProblem

    def probabilities(self, student: str, rows_N: NDArray[np.int64]) -> NDArray[np.float64]:
        """By the stream's own encoding, of its first seed."""
        one = next(one for one in assignments_of(self.problem).values() if one.student == student)
        model = build_member(one.spec, one.columns.inputs(self.problem.stream), seed=0)
        model.load_state_dict(torch.load(one.out / WEIGHTS, weights_only=True))
        return probabilities_of(logits_of(model.eval(), one.columns.read(self.problem.stream, rows_N).parts()))


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder = tmp_path_factory.mktemp("ended")
    simulate_stream(folder, rows=3_000, users=100, items=40, days=4, seed=3, delay_hours=3.0, never=0.02)
    (folder / "model.yaml").write_text(MODEL)
    (folder / "exfm.yaml").write_text(RUN)
    problem = load_exfm(folder / "exfm.yaml")
    keep_students(problem)
    assignments = assignments_of(problem)
    result = make_exfm(2, recipes=("none",), seeds=2)
    runs: dict[str, list[RunFacts]] = {"plain": [], "counting": []}
    run = result.students["v1"].runs["none"][0]
    for k, one in enumerate(assignments.values()):
        model = build_member(one.spec, one.columns.inputs(problem.stream), seed=k)
        generator = torch.Generator().manual_seed(k)
        with torch.no_grad():
            for part in model.parameters():
                part.add_(torch.rand(part.shape, generator=generator) * 0.3)
        one.out.mkdir(parents=True)
        torch.save(dict(model.state_dict()), one.out / WEIGHTS)
        left = replace(run, vm=one.student, seed=one.seed, spec=one.spec, weights=digest_of(one.out / WEIGHTS))
        runs[one.student].append(left)
        write_run(one.out, left)
    note_said(problem, assignments)
    students = {
        name: replace(
            result.students[f"v{k + 1}"], name=name, own="none", label="click", runs={"none": tuple(runs[name])}
        )
        for k, name in enumerate(("plain", "counting"))
    }
    return Ran(folder, replace(result, students=students), problem)


@pytest.fixture
def ran(ended: Ran, tmp_path: Path) -> Ran:
    """A copy to change."""
    shutil.copytree(ended.folder, tmp_path / "run")
    return replace(ended, folder=tmp_path / "run")


def grow(folder: Path) -> None:
    """The day after: a row is added at the start of the log, of a user who was not there."""
    log = pq.read_table(folder / "log.parquet")
    first = log.slice(int(np.argmin(log["time_ms"].to_numpy())), 1)
    place = first.schema.get_field_index("user_id")
    first = first.set_column(place, "user_id", pa.array([10**6], first.schema.field("user_id").type))
    pq.write_table(pa.concat_tables([first, log]), folder / "log.parquet")


@pytest.mark.parametrize("change", [grow, lambda folder: (folder / "log.parquet").unlink()])
def test_a_student_is_exported_the_day_after(ran: Ran, tmp_path: Path, change: Callable[[Path], object]) -> None:
    raw = pq.read_table(ran.folder / "log.parquet").sort_by("time_ms")
    change(ran.folder)
    (ran.folder / "exfm.yaml").unlink()
    file = tmp_path / "plain.automl"
    told = export_student(ran.folder, ran.result, file, student="plain")
    assert told["parity"]["raw_rows"] > 1000
    assert told["about"]["data"] == ran.problem.stream.fingerprint
    pq.write_table(raw, tmp_path / "rows.parquet")
    joins = [f"user_id={ran.folder}/users.parquet", f"item_id={ran.folder}/items.parquet"]
    predict_to(file, str(tmp_path / "rows.parquet"), joins, tmp_path / "out.parquet")
    found = pq.read_table(tmp_path / "out.parquet")["probability"].to_numpy()
    expected = ran.probabilities("plain", np.arange(len(ran.problem.stream)))
    np.testing.assert_allclose(np.sort(found), np.sort(expected), atol=2e-5)


def test_a_student_that_counts_has_the_past_of_the_run(ran: Ran, tmp_path: Path) -> None:
    grow(ran.folder)
    told = export_student(ran.folder, ran.result, tmp_path / "m", student="counting", seed=1)
    assert told["parity"]["raw_rows"] > 1000
    assert told["past"]["rows"] == len(ran.problem.stream)
    assert past_beside(tmp_path / "m").exists()


def test_what_is_kept_are_rows_as_they_stood_in_the_log(ended: Ran) -> None:
    kept = read_kept(ended.folder, "plain")
    assert len(kept.rows_K) == kept.rows.num_rows
    assert set(kept.rows.column_names) == {"user_id", "item_id", "domain", "category", "price", "time_ms"}
    assert ended.problem.students[0].members_N[kept.rows_K].all()
    ids = kept.encoders.encode(kept.rows).ids_BF
    columns = list(ended.problem.students[0].columns.fields)
    np.testing.assert_array_equal(ids, ended.problem.stream.ids_NF[kept.rows_K][:, columns])
    before = {path: path.stat().st_mtime_ns for path in (ended.folder / SERVING).rglob("*")}
    keep_students(ended.problem)
    assert {path: path.stat().st_mtime_ns for path in (ended.folder / SERVING).rglob("*")} == before


def swap(one: Path, other: Path) -> None:
    aside = one.with_name("aside")
    one.rename(aside)
    other.rename(one)
    aside.rename(other)


def retrained(run: Path) -> None:
    """Other weights with a digest of their own, under the same name."""
    mine, other = (run / f"students/plain.none.seed-{seed}" for seed in (0, 1))
    shutil.copy(other / WEIGHTS, mine / WEIGHTS)
    write_run(mine, replace(read_run(mine), weights=read_run(other).weights))


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (
            lambda run: swap(run / "students/plain.none.seed-0/model.pt", run / "students/plain.none.seed-1/model.pt"),
            r"model\.pt must be the weights that the run left, but found others",
        ),
        (
            lambda run: swap(run / "students/plain.none.seed-0", run / "students/plain.none.seed-1"),
            r"facts\.json must be of plain, none, seed 0, but found plain, none, seed 1",
        ),
        (
            lambda run: swap(run / "students/plain.none.seed-0", run / "students/counting.none.seed-0"),
            r"facts\.json must be of plain, none, seed 0, but found counting, none, seed 0",
        ),
        (retrained, r"facts\.json must tell of the weights that exfm\.json does"),
        (
            lambda run: swap(run / SERVING / "plain/encoders.zip", run / SERVING / "counting/encoders.zip"),
            r"encoders\.zip must be what the run has kept, but found another file",
        ),
        (lambda run: (run / SERVING / "plain/rows.parquet").unlink(), r"rows\.parquet must be .* but found nothing"),
        (lambda run: shutil.rmtree(run / SERVING / "plain"), "must hold what plain needs to be served"),
        (
            lambda run: shutil.copy(run / f"students/counting.none.seed-0/{SAID}", run / "students/plain.none.seed-0"),
            "must hold what the student said of the rows that are kept, but found that of other rows",
        ),
    ],
)
def test_what_is_not_as_the_run_left_it_is_refused(
    ran: Ran, tmp_path: Path, edit: Callable[[Path], object], told: str
) -> None:
    edit(ran.folder)
    with pytest.raises(InputError) as refused:
        export_student(ran.folder, ran.result, tmp_path / "m", student="plain")
    assert re.search(told, str(refused.value).replace(": must", " must"))
    assert not (tmp_path / "m").exists()


def test_a_log_that_changes_before_it_is_kept_is_refused(ran: Ran) -> None:
    shutil.rmtree(ran.folder / SERVING)
    problem = load_exfm(ran.folder / "exfm.yaml")
    grow(ran.folder)
    with pytest.raises(InputError, match="must stay as it was when the run started"):
        keep_students(problem)
    assert not (ran.folder / SERVING).exists()


def test_an_unknown_student_is_told(ended: Ran, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="must have a student plan"):
        export_student(ended.folder, ended.result, tmp_path / "m", student="plan")


def test_results_of_another_model_are_not_read_as_a_student_s(ran: Ran) -> None:
    one = next(iter(assignments_of(replace(ran.problem, folder=ran.folder)).values()))
    assert read_left(one).spec == one.spec
    for other in (replace(one.spec, members=2), replace(one.spec, deep=())):
        with pytest.raises(InputError, match="must be of the model that the file names for plain, but found another"):
            read_left(replace(one, spec=other))
    taught = replace(read_run(one.out), spec=replace(one.spec, distill=Distill(heads="plain")))
    write_run(one.out, taught)
    with pytest.raises(InputError, match="found another model"):
        read_left(one)
