"""A model that reads what earlier rows tell, exported and served: later rows have the features of the whole log."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from filelock import FileLock
from numpy.typing import NDArray

import automl.cli as cli
from automl.commands.advance import advance_past
from automl.commands.checked_encoders import check_past
from automl.commands.export import export_spec
from automl.commands.log_encoders import log_encoders, log_pasts
from automl.data.past.files import past_beside, read_past, write_past
from automl.data.past.rows import PastRows
from automl.data.store.log import EncodedLog
from automl.ranking.features import read
from automl.ranking.served import load_served
from automl.runtime.errors import RunError
from automl.study.problem import FINALS_FIT, Problem, encode, plan_of
from search_spaces.errors import InputError
from tests.docs.pages import ROOT
from tests.worlds.processes import PATIENCE_S
from tests.worlds.serving import problem_of

EQUAL = 1e-14  # of a probability: where a row stands in a batch may move its last bit, as the processor computes it
STUDY = """\
name: small
data:
  path: log/log.parquet
  join:
    - {path: log/users.parquet, on: user_id}
    - {path: log/items.parquet, on: item_id}
  time: {column: time_ms, timezone: Asia/Shanghai}
  label: {column: convert, given: click}
  features:
    categorical: {user_id: {}, tab: {}, "@hour": {}}
    dense: {price: {transform: log}}
    counters:
      - {keys: [item_id, [user_id, category], [tab, "@weekday"]], labels: [click, convert], half_life: 2d, every: 6h,
         delay: 20m}
      - {keys: [device], labels: [click]}
    recent: {keys: [user_id, [user_id, category]], within: 30h}
  split: {train: [2024-03-04, 2024-03-09], validate: [2024-03-10, 2024-03-10], test: [2024-03-11, 2024-03-11]}
space: ctr-small
baseline: baseline.yaml
qps: {clock: analytic, batch_rows: 64}
seed: 5
"""


@pytest.fixture(scope="module")
def problem(tmp_path_factory: pytest.TempPathFactory) -> Problem:
    return problem_of(tmp_path_factory.mktemp("past"), STUDY)


@pytest.fixture(scope="module")
def log(problem: Problem) -> EncodedLog:
    return encode(problem, FINALS_FIT)


@pytest.fixture(scope="module")
def model(problem: Problem) -> Path:
    file = problem.folder / "model.automl"
    export_spec(problem, problem.baseline, file, {"trial": 0})
    return file


@pytest.fixture(scope="module")
def test_ns(log: EncodedLog) -> int:
    assert log.times_N is not None
    return int(log.times_N[log.windows["test"].start])


@pytest.fixture(scope="module")
def before_test(problem: Problem, log: EncodedLog, test_ns: int) -> Path:
    """The past that the model would have had on the evening before the test day."""
    plan = plan_of(problem)
    (past,) = log_pasts(plan, log_encoders(log.folder, plan), log.fingerprint, problem.folder, [test_ns])
    write_past(past, problem.folder / "before.past")
    return problem.folder / "before.past"


def rows_of(problem: Problem, first_ns: int, last_ns: int = 1 << 62) -> pa.Table:
    table = pq.read_table(problem.folder / "log" / "log.parquet")
    times = table["time_ms"].to_numpy() * 10**6
    return table.filter(pa.array((times >= first_ns) & (times < last_ns)))


def joins(problem: Problem) -> list[str]:
    sides = ("user_id=users", "item_id=items")
    paths = [f"{side.split('=')[0]}={problem.folder}/log/{side.split('=')[1]}.parquet" for side in sides]
    return [word for path in paths for word in ("--join", path)]


def call(*words: str | Path) -> Result:
    return CliRunner().invoke(cli.automl, list(map(str, words)), catch_exceptions=False)


def examples(log: EncodedLog, table: pa.Table) -> NDArray[np.bool_]:
    """Rows of a table that are clicked and lie in a window: the log goes on after the last."""
    assert log.times_N is not None
    return np.asarray((table["click"].to_numpy() == 1) & (table["time_ms"].to_numpy() * 10**6 <= log.times_N[-1]))


def expected(model: Path, log: EncodedLog, table: pa.Table) -> NDArray[np.float64]:
    """What the model says of the examples of a table as the encoded log has them, sorted."""
    assert log.times_N is not None
    times = np.sort(table["time_ms"].to_numpy()[examples(log, table)] * 10**6)
    rows = np.flatnonzero((log.times_N >= times[0]) & (log.times_N <= times[-1]))
    np.testing.assert_array_equal(log.times_N[rows], times)
    return np.sort(load_served(model).probabilities(read(log, rows)))


def test_the_rows_of_a_day_are_served_as_they_are_encoded(
    problem: Problem, log: EncodedLog, model: Path, before_test: Path, test_ns: int, tmp_path: Path
) -> None:
    """With labels, in another order than that of time, from files of other formats."""
    day = rows_of(problem, test_ns)
    shuffled = day.take(pa.array(np.random.default_rng(0).permutation(day.num_rows)))
    wanted = expected(model, log, day)
    for name, write in (("day.parquet", pq.write_table), ("day.csv", pacsv.write_csv)):
        write(shuffled, tmp_path / name)
        out = tmp_path / f"{name}.parquet"
        done = call("predict", model, tmp_path / name, *joins(problem), "--past", before_test, "--out", out)
        assert done.exit_code == 0, done.output
        assert "what earlier rows tell: of " in done.stderr
        found = pq.read_table(out)["probability"].to_numpy()[examples(log, shuffled)]
        np.testing.assert_allclose(np.sort(found), wanted, rtol=EQUAL)


def test_it_goes_on_night_by_night(
    problem: Problem, log: EncodedLog, model: Path, before_test: Path, test_ns: int, tmp_path: Path
) -> None:
    """Six hours later, and five: what is served then, and what the past is at the end of the log."""
    state, at = before_test, test_ns
    for k, hours in enumerate((6, 5, 30)):
        end = at + hours * 3600 * 10**9
        table, out = tmp_path / f"{k}.parquet", tmp_path / f"{k}.past"
        part = rows_of(problem, at, end)
        if k < 2:  # none of their labels arrives before a boundary that one of them sees
            pq.write_table(part.drop_columns(["click", "convert"]), table)
            done = call("predict", model, table, *joins(problem), "--past", state, "--out", tmp_path / "p.parquet")
            assert done.exit_code == 0, done.output
            found = pq.read_table(tmp_path / "p.parquet")["probability"].to_numpy()[examples(log, part)]
            np.testing.assert_allclose(np.sort(found), expected(model, log, part), rtol=1e-12)
        pq.write_table(part, table)
        done = call("advance", state, table, *joins(problem), "--to", out)
        assert done.exit_code == 0, done.output
        assert f"{part.num_rows:,} rows counted" in done.output
        state, at = out, end
    one, other = read_past(state), read_past(past_beside(model))
    assert (one.state.last, one.state.rows, one.fingerprint) == (other.state.last, other.state.rows, other.fingerprint)
    for mine, yours in zip(one.state.blocks, other.state.blocks, strict=True):
        np.testing.assert_array_equal(mine.overall_L2, yours.overall_L2)
        for a, b in zip(mine.keys, yours.keys, strict=True):
            np.testing.assert_array_equal(np.sort(a.counts_LS), np.sort(b.counts_LS))
            np.testing.assert_array_equal(np.sort(a.seen_S), np.sort(b.seen_S))


def test_export_tells_of_it(problem: Problem, model: Path) -> None:
    told = load_served(model).facts["past"]
    beside = past_beside(model)
    assert told["file"] == beside.name
    assert told["bytes"] == beside.stat().st_size
    assert told["rows"] == pq.read_metadata(problem.folder / "log" / "log.parquet").num_rows
    assert told["fingerprint"] == read_past(beside).fingerprint


def test_the_same_from_python(problem: Problem, log: EncodedLog, model: Path, before_test: Path, test_ns: int) -> None:
    served = load_served(model, past=before_test)
    day = rows_of(problem, test_ns).to_pandas()
    for name, key in (("users", "user_id"), ("items", "item_id")):
        day = day.merge(pq.read_table(problem.folder / "log" / f"{name}.parquet").to_pandas(), on=key)
    table = pa.Table.from_pandas(day)
    found = served.predict(table)[examples(log, table)]
    np.testing.assert_allclose(np.sort(found), expected(model, log, rows_of(problem, test_ns)), rtol=EQUAL)
    later = served.advance(table)
    assert later.past is not None
    assert served.past is not None
    assert later.past.state.rows == served.past.state.rows + len(day)
    with pytest.raises(InputError, match="must be later than what the past has counted"):
        later.predict(table)


LEAN = """
import sys
for name in {blocked!r}:
    sys.modules[name] = None
{rest}
"""


def test_what_serves_it_loads_no_more_than_before(
    problem: Problem, model: Path, before_test: Path, test_ns: int, tmp_path: Path
) -> None:
    """From Python neither pydantic nor pandas; the night's job no torch."""
    pq.write_table(rows_of(problem, test_ns), tmp_path / "day.parquet")
    words = ["advance", str(before_test), str(tmp_path / "day.parquet"), *joins(problem), "--to", str(tmp_path / "p")]
    job = f"sys.argv[1:] = {words!r}\nfrom automl.cli import main\nmain()"
    heavy = ("torch", "ray", "optuna", "lightgbm", "scipy.stats", "sklearn")
    serve = f"from automl.ranking.served import load_served\nload_served({str(model)!r}, past={str(before_test)!r})"
    for blocked, rest in ((heavy, job), (("pydantic", "pandas", "click", "ray", "optuna", "scipy"), serve)):
        script = LEAN.format(blocked=blocked, rest=rest)
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, timeout=PATIENCE_S, cwd=ROOT
        )
        assert done.returncode == 0, done.stderr
    assert read_past(tmp_path / "p").state.rows > read_past(before_test).state.rows


def test_columns_of_the_table_go_before_the_past(problem: Problem, model: Path, test_ns: int, tmp_path: Path) -> None:
    day = rows_of(problem, test_ns).slice(0, 50)
    for name in load_served(model).past_names:
        day = day.append_column(name, pa.array(np.zeros(50)))
    pq.write_table(day, tmp_path / "day.parquet")
    done = call("predict", model, tmp_path / "day.parquet", *joins(problem))
    assert done.exit_code == 0, done.output
    assert len(done.stdout.splitlines()) == 51


def refused(*words: Any) -> str:
    with pytest.raises(InputError) as caught:
        call(*words)
    return str(caught.value)


def test_what_is_refused(problem: Problem, model: Path, before_test: Path, test_ns: int, tmp_path: Path) -> None:
    day = rows_of(problem, test_ns)
    table = tmp_path / "day.parquet"
    pq.write_table(day, table)
    at = ("--past", before_test)
    told = refused("predict", model, table, *joins(problem))
    assert "day.parquet: time_ms must be later than what the past has counted (up to 2024-03-12 07:5" in told
    assert "but found 2024-03-11 00:01:12.205+08:00 (2135 of 2135 rows)" in told
    assert f"({day.num_rows} of {day.num_rows} rows)" in refused("advance", past_beside(model), table, *joins(problem))

    told = refused("advance", before_test, table, *joins(problem), "--labels", table)
    assert "day.parquet: time_ms must be that of rows that the past has counted (up to 2024-03-11 00:0" in told

    pq.write_table(day.drop_columns(["convert", "item_id"]), tmp_path / "few.parquet")
    told = refused("advance", before_test, tmp_path / "few.parquet", "--join", joins(problem)[1])
    assert "must have a column item_id" in told
    assert "must have a column convert, but found none\n    hint: its labels are counted" in told
    assert "must have a column category, but found none\n    hint: the log had it from a side table: --join" in told

    pq.write_table(day.set_column(day.column_names.index("click"), "click", pa.array([2] * day.num_rows)), table)
    assert "click must be 0 or 1, or missing, but found 2" in refused("predict", model, table, *joins(problem), *at)
    assert "must be the past of a log" in refused("advance", model, table)
    assert "must be the past of a log" in refused("advance", table, table)
    assert "but found nothing there" in refused("advance", tmp_path / "no.past", table)
    told = refused("predict", model, table, *joins(problem), *at, "--out", tmp_path / "no" / "x.csv")
    assert "x.csv: must lie in a folder that exists" in told
    assert "must exist" in refused("advance", before_test, "nothing.parquet")
    assert "must lie in a folder that exists" in refused("advance", before_test, table, "--to", tmp_path / "no" / "p")


def test_one_at_a_time_writes_a_past(problem: Problem, before_test: Path, test_ns: int, tmp_path: Path) -> None:
    pq.write_table(rows_of(problem, test_ns), tmp_path / "day.parquet")
    out = tmp_path / "p.past"
    out.write_bytes(before_test.read_bytes())
    sides = joins(problem)[1::2]
    with (
        FileLock(tmp_path / "p.past.lock"),
        pytest.raises(InputError, match="must not be in use, but found another advance that writes it"),
    ):
        advance_past(out, str(tmp_path / "day.parquet"), sides, out, patience_s=0.0)
    assert out.read_bytes() == before_test.read_bytes()
    assert "rows counted, " in advance_past(out, str(tmp_path / "day.parquet"), sides, out, patience_s=0.0)


def test_labels_come_in_a_night_without_rows(problem: Problem, before_test: Path, test_ns: int, tmp_path: Path) -> None:
    """Of the last rows of the day. The same once more is refused, and where the rows came with their labels."""
    day = rows_of(problem, test_ns)
    pq.write_table(day, tmp_path / "day.parquet")
    pq.write_table(day.slice(0, 0), tmp_path / "none.parquet")
    hidden = pa.array([None] * day.num_rows, pa.int8())
    pq.write_table(day.set_column(day.column_names.index("click"), "click", hidden), tmp_path / "hidden.parquet")
    latest = day.filter(pa.array(day["time_ms"].to_numpy() >= day["time_ms"].to_numpy().max() - 60_000))
    pq.write_table(latest.drop_columns(["convert"]), tmp_path / "late.parquet")
    for name in ("day", "hidden"):
        call("advance", before_test, tmp_path / f"{name}.parquet", *joins(problem), "--to", tmp_path / f"{name}.past")
    late = (tmp_path / "none.parquet", *joins(problem), "--labels", tmp_path / "late.parquet")
    done = call("advance", tmp_path / "hidden.past", *late)
    assert f"0 rows counted, labels of {latest.num_rows} earlier rows, " in done.output
    for name in ("day", "hidden"):
        assert "click must be counted once" in refused("advance", tmp_path / f"{name}.past", *late)


def test_the_past_of_another_model_is_refused(problem: Problem, model: Path, before_test: Path, tmp_path: Path) -> None:
    write_past(replace(read_past(before_test), fingerprint="0" * 16), tmp_path / "other.past")
    pq.write_table(rows_of(problem, 0).slice(0, 5), tmp_path / "t.parquet")
    told = refused("predict", model, tmp_path / "t.parquet", *joins(problem), "--past", tmp_path / "other.past")
    assert "must be the past of this model" in told
    moved = tmp_path / "model.automl"
    moved.write_bytes(model.read_bytes())
    told = refused("predict", moved, tmp_path / "t.parquet", *joins(problem))
    assert "or their past must lie beside the model, but found no" in told


def test_a_past_that_gives_other_features_is_found(problem: Problem, log: EncodedLog, model: Path) -> None:
    plan = plan_of(problem)
    encoders = log_encoders(log.folder, plan)
    assert log.times_N is not None
    assert load_served(model).facts["about"]["past_checked_rows"] >= 2048
    (past,) = log_pasts(plan, encoders, log.fingerprint, problem.folder, [int(log.times_N[-500])])
    assert len(check_past(past, encoders, plan, log)) >= 500
    tail = past.state.tail
    short = replace(past, state=replace(past.state, tail=PastRows.none(len(tail.codes_KN), tail.labels_NL.shape[1])))
    with pytest.raises(RunError, match="must give what the model was trained on"):
        check_past(short, encoders, plan, log)
