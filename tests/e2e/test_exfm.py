"""ExFM runs as a person types them: over the template's stream made small, killed and gone on with, exported."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import time
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from jsonschema import Draft202012Validator
from numpy.typing import NDArray

import automl as toolkit
from automl.commands.init import EXFM_FILES, template_text
from automl.data.simulated.stream import simulate_stream
from automl.data.store.stream import open_stream
from automl.exfm.lock import LOCK
from automl.exfm.problem import load_exfm
from automl.exfm.student.facts import read_run
from automl.ranking.features import Features
from automl.ranking.model import build_model
from automl.ranking.served import load_served
from automl.study.exfm_json import EXFM_JSON, exfm_schema
from search_spaces.errors import InputError
from tests.worlds.commands import automl, automl_here, interrupt, left_behind, start
from tests.worlds.processes import PATIENCE_S

STUDENT = "small_domains"
LAST_DAY = "2024-03-07"
OF_THE_MOMENT = {
    "wall_seconds", "train_seconds", "seconds", "core_seconds", "rows_per_second", "core_seconds_per_student",
    "calls", "calls_per_example",
}  # fmt: skip


def write_run(folder: Path) -> Path:
    """The template over 3,000 rows of four days; its file."""
    simulate_stream(folder / "log", rows=3000, users=150, items=60, days=4, seed=7)
    for name in EXFM_FILES:
        (folder / name).write_text(template_text("exfm", name))
    text = template_text("exfm", "exfm.yaml")
    for much, little in (
        ("score_from: 4", "score_from: 1"),
        ("members: 2", "members: 1"),
        ("every: 6h", "every: 12h"),
        ("seeds: 5", "seeds: 2"),
        ("# compare: [plain-averaged]", "compare: [plain-averaged]"),
    ):
        assert much in text
        text = text.replace(much, little)
    text = "\n".join(line for line in text.splitlines() if not line.startswith("  large_domain:"))
    (folder / "exfm.yaml").write_text(text + "\n")
    return folder / "exfm.yaml"


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("exfm")
    done = automl("exfm", "run", write_run(folder), "--workers", "2")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == [STUDENT, "conversions", "report:"]
    assert "next: automl export" in lines[-1]
    assert left_behind(folder) == []
    return folder


def figures(folder: Path) -> Mapping[str, Any]:
    """exfm.json without what the machine decides."""
    found: Mapping[str, Any] = _kept(json.loads((folder / EXFM_JSON).read_text()))
    return found


def _kept(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _kept(part) for key, part in value.items() if key not in OF_THE_MOMENT}
    return [_kept(part) for part in value] if isinstance(value, list) else value


def test_what_is_written_fits_the_schema(ran: Path) -> None:
    Draft202012Validator(exfm_schema()).validate(json.loads((ran / EXFM_JSON).read_text()))


def test_every_label_is_joined_once(ran: Path) -> None:
    das = json.loads((ran / EXFM_JSON).read_text())["das"]
    stream = open_stream(next((ran / "data").glob("*/facts.json")).parent)
    assert das["examples"] == len(stream), "conversions have no `where`: every row is traffic"
    known_NT = np.isfinite(stream.labels_NT) & (stream.arrivals_NT <= stream.windows[-1].end_ns)
    assert das["labels"] == known_NT.sum()
    assert das["calls_per_example"] == 1.0
    assert das["duplicates"] == 0


def test_killed_and_interrupted_it_goes_on_to_the_same_figures(ran: Path, tmp_path: Path) -> None:
    """In another folder, from another encoding of the log, with another number of workers: so a second run of one seed
    gives the same figures too."""
    out = tmp_path / "killed"
    moments: tuple[tuple[Callable[[], bool], bool], ...] = (
        (lambda: any((out / "snapshots").glob("*/snapshot.json")), False),
        (lambda: (out / "teaching.json").exists(), True),
        (lambda: any((out / "students").glob("*/facts.json")), False),
    )
    for moment, by_hand in moments:
        process = start("exfm", "run", ran / "exfm.yaml", "--workers", "1", "--out", out)
        _wait_for(process, moment)
        if by_hand:
            interrupt(process)
        else:
            os.kill(process.pid, signal.SIGKILL)
        _, errors = process.communicate(timeout=PATIENCE_S)
        if by_hand:
            assert process.returncode == 130, errors
            assert "the same command goes on" in errors
            assert "Traceback" not in errors
            assert left_behind(out) == []
        assert not (out / EXFM_JSON).exists()
    done = automl("exfm", "run", ran / "exfm.yaml", "--workers", "1", "--out", out)
    assert done.returncode == 0, done.stderr
    assert figures(out) == figures(ran)
    assert left_behind(out) == []


def _wait_for(process: subprocess.Popen[str], moment: Callable[[], bool]) -> None:
    while not moment():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def test_an_ended_run_trains_nothing_again(ran: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in ran.rglob("*.npy")}
    done = automl_here("exfm", "run", ran / "exfm.yaml")
    assert done.returncode == 0, done.stderr
    assert {path: path.stat().st_mtime_ns for path in ran.rglob("*.npy")} == before


def test_another_file_in_the_same_folder_is_refused(ran: Path, tmp_path: Path) -> None:
    text = (ran / "exfm.yaml").read_text().replace("seed: 7", "seed: 8")
    (ran / "other.yaml").write_text(text)
    done = automl_here("exfm", "run", ran / "other.yaml", "--out", ran)
    assert done.returncode == 2
    assert "must be the run that" in done.stderr
    assert json.loads((ran / LOCK).read_text())["file"] == "exfm.yaml"


def test_check_and_report(ran: Path, tmp_path: Path) -> None:
    check = automl_here("check", ran / "exfm.yaml")
    assert check.returncode == 0, check.stderr
    kinds = [line.split(":")[0] for line in check.stdout.splitlines() if not line.startswith("note")]
    assert kinds == [
        "stream", "label click", "label convert", "teacher", f"student {STUDENT}", "student conversions", "work"
    ]  # fmt: skip
    (ran / "exfm.html").unlink()
    report = automl_here("report", ran)
    assert report.returncode == 0, report.stderr
    assert "<html" in (ran / "exfm.html").read_text()
    assert automl_here("report", tmp_path).returncode == 2


def test_an_exported_student_predicts_from_raw_rows_as_its_weights_do(ran: Path, tmp_path: Path) -> None:
    file = tmp_path / "student.automl"
    done = automl_here("export", ran, "--student", STUDENT, "--to", file)
    assert done.returncode == 0, done.stderr
    log = pd.read_parquet(ran / "log" / "log.parquet")
    log = log[log["domain"] != 0].sort_values("time_ms", kind="stable")
    last = log[pd.to_datetime(log["time_ms"], unit="ms") >= LAST_DAY]
    (tmp_path / "rows.parquet").write_bytes(last.to_parquet())
    joins = [f"--join={key}={ran}/log/{name}.parquet" for key, name in (("user_id", "users"), ("item_id", "items"))]
    predicted = automl("predict", file, tmp_path / "rows.parquet", *joins, "--out", tmp_path / "out.parquet")
    assert predicted.returncode == 0, predicted.stderr
    found = pd.read_parquet(tmp_path / "out.parquet")["probability"].to_numpy()
    np.testing.assert_allclose(found, _on_the_stream(ran, len(last)), atol=2e-5)


def _on_the_stream(ran: Path, count: int) -> NDArray[np.float64]:
    """Probabilities of the student's last rows from the weights that the run left, by the stream's own encoding."""
    problem = load_exfm(ran / "exfm.yaml", ran)
    student = next(one for one in problem.students if one.name == STUDENT)
    out = ran / "students" / f"{STUDENT}.auto.seed-0"
    model = build_model(read_run(out).spec, student.columns.inputs(problem.stream), seed=0)
    model.load_state_dict(torch.load(out / "model.pt", weights_only=True))
    rows = np.flatnonzero(student.members_N)[-count:]
    with torch.inference_mode():
        logits = model.eval()(student.columns.read(problem.stream, rows))
    return logits.double().sigmoid().numpy()


def test_an_exported_student_is_a_plain_exported_program(ran: Path, tmp_path: Path) -> None:
    file = tmp_path / "student.automl"
    facts = toolkit.open_exfm(ran).export(file, student="conversions", recipe="plain-averaged", seed=1)
    assert facts["parity"]["max_probability_difference"] <= 1e-5
    assert facts["about"]["serving"] == "plain-averaged"
    served = load_served(file)
    assert served.tasks == ("convert",)
    assert not any(name.startswith(("@rate", "@count")) for name in served.encoders.dense), "no counters"
    with zipfile.ZipFile(file) as held:
        program = torch.export.load(io.BytesIO(held.read("model.pt2")))
    ids = np.ones((5, len(served.encoders.fields)), np.int32)
    dense = np.zeros((5, len(served.encoders.dense)), np.float32)
    logits = program.module()(torch.from_numpy(ids), torch.from_numpy(dense))
    np.testing.assert_allclose(
        logits.sigmoid().detach().numpy(), served.probabilities(Features.of(ids, dense)), atol=1e-6
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--pick", "fast"), "must hold a study"),
        (("--recipe", "plain", "--trial", "1"), "must come with --student"),
        (("--student", STUDENT, "--trial", "1"), "must have one of --trial, --pick and --student"),
    ],
)
def test_what_cannot_be_exported_is_said(ran: Path, tmp_path: Path, words: tuple[str, ...], told: str) -> None:
    done = automl_here("export", ran, *words, "--to", tmp_path / "no.automl")
    assert done.returncode == 2
    assert told in done.stderr
    assert not (tmp_path / "no.automl").exists()


@pytest.mark.parametrize(
    ("student", "recipe", "seed", "told"),
    [
        ("small", None, 0, "must have a student small"),
        (STUDENT, "plain", 0, f"{STUDENT} must have run the recipe plain"),
        (STUDENT, None, 2, "must hold seed 2, but found seeds 0 to 1"),
    ],
)
def test_a_student_that_was_not_run_is_not_exported(
    ran: Path, tmp_path: Path, student: str, recipe: str | None, seed: int, told: str
) -> None:
    with pytest.raises(InputError, match=told):
        toolkit.open_exfm(ran).export(tmp_path / "no.automl", student=student, recipe=recipe, seed=seed)
    assert not (tmp_path / "no.automl").exists()
