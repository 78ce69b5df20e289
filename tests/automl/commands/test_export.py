"""From a trial of a study to a file that predicts: exported, then asked about the raw tables of the log."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

import automl.cli as cli
from automl.api import StudyHandle
from automl.commands.checked_encoders import check_encoders
from automl.commands.export import export_spec
from automl.commands.log_encoders import log_encoders
from automl.commands.predict import predict_lines, predict_to
from automl.commands.repeats import FINAL, RepeatsSource
from automl.data.store.log import EncodedLog
from automl.ranking.export import load_served
from automl.ranking.narrow import Numbers
from automl.runtime.errors import RunError
from automl.runtime.jobs import Job, TrainModel
from automl.runtime.work import train_and_score
from automl.study.config import parse_limit
from automl.study.history import Origin, Proposal
from automl.study.places import RECORD
from automl.study.problem import FINALS_FIT, Problem, encode, plan_of
from automl.study.record import Study
from automl.study.results import Finals, write_finals
from automl.study.sqlite import version_of
from search_spaces.blocks import Mlp
from search_spaces.errors import InputError
from search_spaces.model import ModelSpec
from tests.docs.pages import ROOT
from tests.worlds.processes import PATIENCE_S
from tests.worlds.report_studies import make_finals, rich_history, unfit
from tests.worlds.serving import problem_of
from tests.worlds.studies import begun_study, complete

STUDY = """\
name: small
data:
  path: log/log.parquet
  join:
    - {path: log/users.parquet, on: user_id}
    - {path: log/items.parquet, on: item_id}
  time: {column: time_ms, timezone: Asia/Shanghai}
  label: {column: convert, given: click}
  negatives_kept: 0.5
  features:
    categorical: {user_id: {min_count: 2}, item_id: {}, category: {}, device: {}, tab: {}, "@hour": {}}
    dense: {price: {transform: log}, duration_ms: {}}
  split: {train: [2024-03-04, 2024-03-09], validate: [2024-03-10, 2024-03-10], test: [2024-03-11, 2024-03-11]}
space: ctr-small
baseline: baseline.yaml
qps: {clock: analytic, batch_rows: 64}
seed: 5
"""


@pytest.fixture(scope="module")
def problem(tmp_path_factory: pytest.TempPathFactory) -> Problem:
    return problem_of(tmp_path_factory.mktemp("serving"), STUDY)


@pytest.fixture(scope="module")
def log(problem: Problem) -> EncodedLog:
    return encode(problem, FINALS_FIT)


@pytest.fixture(scope="module")
def served(problem: Problem) -> Path:
    file = problem.folder / "baseline.automl"
    export_spec(problem, problem.baseline, file, {"trial": 0})
    return file


def joins(problem: Problem) -> list[str]:
    return [f"user_id={problem.folder}/log/users.parquet", f"item_id={problem.folder}/log/items.parquet"]


def clicked(problem: Problem, file: Path) -> Path:
    """The examples of the test window, in the order of the encoded log, without anything that is known later."""
    table = pq.read_table(problem.folder / "log" / "log.parquet")
    log = encode(problem, FINALS_FIT)
    assert log.times_N is not None
    first, last = (int(log.times_N[row]) for row in (log.windows["test"].start, log.windows["test"].stop - 1))
    times = table["time_ms"].to_numpy() * 10**6
    order = np.argsort(times, kind="stable")
    rows = order[(times[order] >= first) & (times[order] <= last) & (table["click"].to_numpy()[order] == 1)]
    pq.write_table(table.take(pa.array(rows)).drop_columns(["click", "convert"]), file)
    return file


def test_what_is_exported_is_the_first_model_of_the_finals(
    problem: Problem, log: EncodedLog, served: Path, tmp_path: Path
) -> None:
    source = RepeatsSource(problem, log, {"baseline": problem.baseline}, 1, FINAL)
    job = source.next(0)
    assert isinstance(job, Job)
    assert isinstance(job.payload, TrainModel)
    list(train_and_score(job.payload))
    of_finals = source.whole()["baseline"]
    out = tmp_path / "out.parquet"
    rows = log.windows["test"]
    assert (
        predict_to(served, str(clicked(problem, tmp_path / "rows.parquet")), joins(problem), out)
        == rows.stop - rows.start
    )
    found = pq.read_table(out)["probability"].to_numpy()
    expected = of_finals[0] / (of_finals[0] + (1 - of_finals[0]) / 0.5)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_a_feature_that_is_left_out_is_not_asked_for(problem: Problem, log: EncodedLog, tmp_path: Path) -> None:
    spec = replace(problem.baseline, without=("device", "price", "@hour"))
    told = export_spec(problem, spec, tmp_path / "model.automl", {"trial": 0})
    served = load_served(tmp_path / "model.automl")
    assert served.encoders.columns == ("user_id", "item_id", "category", "tab", "duration_ms")
    assert {side.key: side.columns for side in served.encoders.sides} == {"item_id": ("category", "duration_ms")}
    assert not {"device", "price", "@hour"} & served.facts["about"]["features"].keys()
    assert told["parity"]["raw_rows"] > 500
    rows, out = clicked(problem, tmp_path / "rows.parquet"), tmp_path / "out.parquet"
    items = pq.read_table(problem.folder / "log" / "items.parquet").drop_columns(["price"])
    pq.write_table(items, tmp_path / "items.parquet")
    count = predict_to(tmp_path / "model.automl", str(rows), [f"item_id={tmp_path}/items.parquet"], out)
    window = log.windows["test"]
    assert count == window.stop - window.start


@pytest.mark.parametrize("numbers", ["bf16", "int8"])
def test_wide_products_are_served_in_fewer_bits(problem: Problem, numbers: Numbers, tmp_path: Path) -> None:
    spec = replace(problem.baseline, deep=(Mlp(width=512), Mlp(width=128)))
    file, plain = tmp_path / "model.automl", tmp_path / "plain.automl"
    told = export_spec(problem, spec, file, {"trial": 0}, numbers=numbers)["numbers"]
    export_spec(problem, spec, plain, {"trial": 0})
    assert told["kind"] == numbers
    assert len(told["spans"]) == (1 if numbers == "int8" else 0), "of three maps one is wide"
    assert told["rows"] > 400
    assert abs(told["ne_change"]["convert"]["pct"]) < 0.5
    rows = pq.read_table(clicked(problem, tmp_path / "rows.parquet"))
    table = str(tmp_path / "rows.parquet")
    found, exact = (list(predict_lines(one, table, joins(problem))) for one in (file, plain))
    assert len(found) == len(exact) == rows.num_rows + 1
    assert found != exact
    off = [abs(float(a) - float(b)) for a, b in zip(found[1:], exact[1:], strict=True)]
    assert max(off) < 0.02


def test_facts_tell_what_was_exported(problem: Problem, log: EncodedLog, served: Path) -> None:
    facts = load_served(served).facts
    assert facts["parity"]["max_probability_difference"] <= 1e-6
    assert facts["about"]["key"] == problem.baseline.key
    assert facts["about"]["data"] == log.fingerprint
    assert facts["about"]["study_data"] == problem.log.fingerprint
    assert facts["about"]["baseline"] == problem.baseline.key
    assert facts["parity"]["raw_rows"] == facts["about"]["encoders_checked_rows"] > 500
    assert facts["tasks"] == ["convert"]
    encoders = load_served(served).encoders
    assert encoders.time is not None
    assert (encoders.time.unit, encoders.time.timezone) == ("ms", "Asia/Shanghai")
    assert {side.key: side.columns for side in encoders.sides}["user_id"] == ("device",)


def test_encoders_that_differ_from_the_log_are_found(problem: Problem, log: EncodedLog) -> None:
    plan = plan_of(problem)
    right = log_encoders(log.folder, plan)
    encoders = replace(right, scales=replace(right.scales, mean_D=right.scales.mean_D + 1e-4))
    with pytest.raises(RunError, match="must give what the model was trained on"):
        check_encoders(encoders, plan, log)


@pytest.mark.parametrize("share", [0.2, 0.1])
def test_encoders_of_a_log_without_days_are_checked_too(tmp_path: Path, share: float) -> None:
    text = STUDY.replace("  time: {column: time_ms, timezone: Asia/Shanghai}\n", "").replace(', "@hour": {}', "")
    start, end = text.index("  split:"), text.index("space:")
    split = f"  split: {{random: {{train: 0.6, validate: 0.2, test: {share}}}}}\n"
    drawn = problem_of(tmp_path, text[:start] + split + text[end:])
    plan, log = plan_of(drawn), drawn.log
    right = log_encoders(log.folder, plan)
    found = check_encoders(right, plan, log)
    assert len(found) == 2048 if share == 0.2 else 1500 < len(found) < 2048
    again = right.encode(found.rows)
    ids, dense = again.ids_BF, again.dense_BD
    np.testing.assert_array_equal(ids, log.ids_NF[found.rows_B])
    np.testing.assert_array_equal(dense, log.dense_ND[found.rows_B])
    wrong = replace(right, scales=replace(right.scales, mean_D=right.scales.mean_D + 1e-4))
    with pytest.raises(RunError, match="must give what the model was trained on"):
        check_encoders(wrong, plan, log)


def test_predict_from_the_command_line(problem: Problem, served: Path, tmp_path: Path) -> None:
    rows = clicked(problem, tmp_path / "rows.parquet")
    sides = [word for join in joins(problem) for word in ("--join", join)]
    script = "import sys; from automl.cli import main; main()"
    csv = tmp_path / "out.csv"
    done = subprocess.run(
        [sys.executable, "-c", script, "predict", str(served), str(rows), *sides, "--out", str(csv)],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    written = pacsv.read_csv(csv)["probability"].to_numpy()
    lines = list(predict_lines(served, str(rows), joins(problem)))
    assert lines[0] == "probability"
    np.testing.assert_allclose([float(line) for line in lines[1:]], written, rtol=1e-7)
    assert f"wrote {len(written):,} rows" in done.stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["{rows}"], "the log had it from a side table: --join item_id=PATH"),
        (["{rows}", "--join", "users.parquet"], "must read KEY=PATH"),
        (["{rows}", "--join", "nothing={users}"], "must have a column nothing"),
        (["{rows}", "--join", "user_id={users}", "--join", "user_id={users}"], "device must be a column of one table"),
        (["{rows}", "--out", "out.txt"], "must be a .parquet or a .csv file"),
        (["nothing.parquet"], "nothing.parquet must exist"),
    ],
)
def test_what_does_not_fit_is_told(problem: Problem, served: Path, tmp_path: Path, words: list[str], told: str) -> None:
    names = {"rows": clicked(problem, tmp_path / "rows.parquet"), "users": problem.folder / "log" / "users.parquet"}
    with pytest.raises(InputError, match=told):
        CliRunner().invoke(
            cli.automl, ["predict", str(served), *(w.format(**names) for w in words)], catch_exceptions=False
        )
    assert not (tmp_path / "out.txt").exists()


def test_an_empty_table_gives_the_header_alone(problem: Problem, served: Path, tmp_path: Path) -> None:
    rows = pq.read_table(clicked(problem, tmp_path / "rows.parquet"))
    pq.write_table(rows.slice(0, 0), tmp_path / "empty.parquet")
    assert list(predict_lines(served, str(tmp_path / "empty.parquet"), joins(problem))) == ["probability"]


# ---------------------------------------------------------------- trials and picks


@pytest.fixture
def handle(problem: Problem, log: EncodedLog) -> Iterator[StudyHandle]:
    study: Study = begun_study(problem.folder, space=problem.space)
    recorded = {"data": problem.log.fingerprint, "baseline_key": problem.baseline.key}
    study.note(replace(study.facts, study_file=str(problem.file), config_text=problem.document.text, **recorded))
    near, default = problem.space.nearest(problem.baseline), problem.space.default()  # models that train calmly
    (trial,) = study.begin([Proposal(near, Origin.MUTATION)], 1)
    study.end(complete(trial, ne=0.89, ratio=1.5))
    study.begin([Proposal(default, Origin.DEFAULT)], 1)
    yield StudyHandle(problem.folder, study, problem.space, problem.log, version_of(problem.folder))
    (problem.folder / RECORD).unlink()


def test_a_pick_is_exported(handle: StudyHandle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("automl.api.open_study", lambda folder, console: handle)
    file = tmp_path / "best.automl"
    done = CliRunner().invoke(
        cli.automl, ["export", str(tmp_path), "--pick", "accurate", "--to", str(file)], catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    assert "#1 (accurate; not tested: run automl finals " in done.output
    assert "parity: probabilities differ by at most" in done.output
    facts = load_served(file).facts
    assert facts["about"]["trial"] == 1
    assert facts["about"]["key"] == handle.best("accurate").key
    assert facts["about"]["finals"] is None


def test_a_pick_that_the_finals_found_unfit_is_not_exported(handle: StudyHandle, tmp_path: Path) -> None:
    finals = make_finals(rich_history(), ("better",))
    (pick,) = finals.picks
    write_finals(handle.folder, replace(finals, picks=(unfit(replace(pick, trial=1)),), trials=1))
    try:
        with pytest.raises(InputError, match="the pick accurate must be fit to ship, but found #1, which diverged on"):
            handle.export(tmp_path / "m", pick="accurate")
        with pytest.raises(InputError, match="the pick accurate must be fit to ship"):
            handle.best("accurate")
    finally:
        (handle.folder / "finals.json").unlink()


def finals_of_trial(handle: StudyHandle, number: int) -> Finals:
    """Of an accurate pick, when one trial had ended."""
    finals = make_finals(rich_history(), ("better",))
    found = replace(finals, picks=(replace(finals.picks[0], trial=number, role="accurate"),), trials=1)
    write_finals(handle.folder, found)
    return found


def test_a_pick_of_the_finals_stays_the_pick_when_the_search_goes_on(
    handle: StudyHandle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finals_of_trial(handle, 1)
    told: list[Mapping[str, Any]] = []

    def exported(
        problem: Problem,
        spec: ModelSpec,
        file: Path,
        about: Mapping[str, Any],
        console: object,
        numbers: Numbers = "fp32",
    ) -> Any:
        told.append(about)
        file.write_bytes(b"")
        parity = {"max_probability_difference": 0.0, "rows": 1}
        return {"about": about, "params": 1, "parity": parity, "past": None}

    try:
        running = handle._study.trials[-1]
        handle._study.end(complete(running, ne=0.5, ratio=1.5))
        monkeypatch.setattr("automl.commands.export.export_spec", exported)
        monkeypatch.setattr("automl.api.open_study", lambda folder, console: handle)
        run = CliRunner()
        asked = ["export", str(tmp_path), "--to", str(tmp_path / "m")]
        assert handle.best("accurate").key == handle._study.trials[0].candidate.key
        by_role = run.invoke(cli.automl, [*asked, "--pick", "accurate"], catch_exceptions=False).output
        assert "#1 (accurate; better by the finals): " in by_role
        by_number = run.invoke(cli.automl, [*asked, "--trial", "2"], catch_exceptions=False).output
        assert "#2 (not tested: run automl finals " in by_number
        assert "--trial 2): " in by_number
        assert [about["trial"] for about in told] == [1, 2]
    finally:
        (handle.folder / "finals.json").unlink()


def test_a_pick_that_breaks_a_limit_taken_over_since_is_not_exported(handle: StudyHandle, tmp_path: Path) -> None:
    finals_of_trial(handle, 1)
    handle._study.limits = (parse_limit("ne <= 0.5 * baseline.ne"),)
    try:
        for asked in (lambda: handle.best("accurate"), lambda: handle.export(tmp_path / "m", pick="accurate")):
            with pytest.raises(InputError, match=r"the pick accurate must keep the study's limits.* found #1"):
                asked()
    finally:
        (handle.folder / "finals.json").unlink()


def test_trials_that_cannot_be_exported(handle: StudyHandle, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="in the space as it is now, but found no #2"):
        handle.export(tmp_path / "m", trial=2)
    with pytest.raises(InputError, match="must have a pick 'unlimited'"):
        handle.export(tmp_path / "m", pick="unlimited")
    with pytest.raises(InputError, match="must lie in a folder that exists"):
        handle.export(tmp_path / "no" / "m", trial=1)
    both = ["export", str(tmp_path), "--trial", "1", "--pick", "fast", "--to", "m"]
    for words in (both, ["export", str(tmp_path), "--to", "m"]):
        assert "must have one of --trial, --pick and --student" in CliRunner().invoke(cli.automl, words).output
    with pytest.raises(InputError, match="must be told one of trial and pick"):
        handle.export(tmp_path / "m")
