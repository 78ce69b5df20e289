"""A model that reads a history that is built from the log, exported: raw rows and the past give what it learned."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from automl.commands.export import export_spec
from automl.commands.predict import predict_lines
from automl.data.past.files import past_beside
from automl.ranking.export import load_served
from automl.study.problem import Problem
from search_spaces.history import DinHistory, HistorySpec, HstuHistory
from search_spaces.model import ModelSpec
from tests.worlds.serving import problem_of

STUDY = """\
name: small
data:
  path: log/log.parquet
  time: {column: time_ms, timezone: Asia/Shanghai}
  label: click
  features:
    categorical: {user_id: {}, item_id: {min_count: 100, buckets: 3}}
    sequence: {clicked: {of: item_id, by: user_id, actions: [click, convert], max_len: 5, delay: 1m}}
  split: {train: [2024-03-04, 2024-03-09], validate: [2024-03-10, 2024-03-10], test: [2024-03-11, 2024-03-11]}
space: ctr-history
baseline: baseline.yaml
qps: {clock: analytic, batch_rows: 64}
seed: 5
"""


@pytest.fixture(scope="module")
def problem(tmp_path_factory: pytest.TempPathFactory) -> Problem:
    return problem_of(tmp_path_factory.mktemp("histories"), STUDY)


def reading(problem: Problem, history: HistorySpec | None) -> ModelSpec:
    return replace(problem.baseline, history=history)


def rows_of_a_user(problem: Problem, file: Path, *, known: bool) -> Path:
    """Twice the same row, of a user who has clicked and who has not, a day behind the log."""
    log = pq.read_table(problem.folder / "log" / "log.parquet").sort_by("time_ms")
    clicks = log.filter(pc.equal(log["click"], 1))
    user = clicks["user_id"][-1].as_py() if known else 10**9
    row = log.slice(log.num_rows - 1).drop_columns(["click", "convert"])
    later = pc.add(row["time_ms"], 86_400_000)
    row = row.set_column(row.column_names.index("time_ms"), "time_ms", later)
    row = row.set_column(row.column_names.index("user_id"), "user_id", pa.array([user], log["user_id"].type))
    pq.write_table(pa.concat_tables([row, row]), file)
    return file


@pytest.mark.parametrize("history", [DinHistory(units=4, action=1), HstuHistory(length=3)], ids=lambda one: one.name)
def test_raw_rows_and_the_past_give_what_the_model_learned(
    problem: Problem, tmp_path: Path, history: HistorySpec
) -> None:
    file = tmp_path / "model.automl"
    written = export_spec(problem, reading(problem, history), file, {})
    assert written["parity"]["raw_rows"] > 100
    served = load_served(file, past_beside(file))
    assert [cut.length for cut in served.cuts] == [history.length]  # type: ignore[attr-defined]
    found = [
        list(predict_lines(file, str(rows_of_a_user(problem, tmp_path / f"{known}.parquet", known=known)), []))
        for known in (True, False)
    ]
    assert [len(lines) for lines in found] == [3, 3]
    assert found[0] != found[1]


def test_a_model_that_reads_no_history_asks_for_no_past(problem: Problem, tmp_path: Path) -> None:
    file = tmp_path / "model.automl"
    export_spec(problem, reading(problem, None), file, {})
    assert not past_beside(file).exists()
    table = rows_of_a_user(problem, tmp_path / "rows.parquet", known=True)
    assert len(list(predict_lines(file, str(table), []))) == 3
