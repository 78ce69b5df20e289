"""A model that gives numbers a form, exported: edges of buckets and bins go with it, and what is missing is told. And
ids that are hashed: new ones share the rows of rare ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from automl.commands.export import export_spec
from automl.ranking.export import load_served
from automl.ranking.features import read_encoded
from automl.study.problem import Problem
from search_spaces.dense_forms import BucketsForm, DenseForm, PiecewiseForm
from tests.worlds.serving import problem_of

STUDY = """\
name: small
data:
  path: log/log.parquet
  join: [{path: log/items.parquet, on: item_id}]
  time: {column: time_ms, timezone: Asia/Shanghai}
  label: click
  features:
    categorical: {user_id: {min_count: 40, buckets: 16}, item_id: {}}
    dense: {price: {transform: log}, duration_ms: {}}
  split: {train: [2024-03-04, 2024-03-09], validate: [2024-03-10, 2024-03-10], test: [2024-03-11, 2024-03-11]}
space: ctr-small
baseline: baseline.yaml
qps: {clock: analytic, batch_rows: 64}
seed: 5
"""


@pytest.fixture(scope="module")
def problem(tmp_path_factory: pytest.TempPathFactory) -> Problem:
    return problem_of(tmp_path_factory.mktemp("numbers"), STUDY)


def test_quantiles_of_a_log_are_those_of_its_numbers(problem: Problem) -> None:
    inputs = problem.log.inputs
    rows = problem.log.dense_ND[problem.log.windows["train"]]
    assert len(inputs.quantiles) == inputs.plain == 2
    for d, quantiles in enumerate(inputs.quantiles):
        known = rows[rows[:, d] != 0, d]
        assert (quantiles[0], quantiles[-1]) == (known.min(), known.max())


@pytest.mark.parametrize("form", [BucketsForm(bins=8), PiecewiseForm(bins=8)], ids=lambda form: form.name)
def test_raw_rows_give_what_the_model_learned(problem: Problem, tmp_path: Path, form: DenseForm) -> None:
    file = tmp_path / "model.automl"
    written = export_spec(problem, replace(problem.baseline, dense=form), file, {})
    assert written["parity"]["raw_rows"] > 100
    served = load_served(file)
    prices = [1.0, 30.0, 1e9, None]
    row = pq.read_table(problem.folder / "log" / "log.parquet", columns=["user_id", "item_id"]).slice(0, 1)
    table = pa.concat_tables([row] * len(prices)).append_column("price", pa.array(prices))
    table = table.append_column("duration_ms", pa.array([5000.0] * len(prices)))
    found = served.learned(read_encoded(served.encoders.encode(table)))
    assert len(set(found.tolist())) > 2
    strangers = table.slice(1, 1).drop_columns(["user_id"])
    strangers = pa.concat_tables([strangers] * 40).append_column("user_id", pa.array(range(10**9, 10**9 + 40)))
    found = served.learned(read_encoded(served.encoders.encode(strangers)))
    assert 8 < len(set(found.round(9).tolist())) <= 16
