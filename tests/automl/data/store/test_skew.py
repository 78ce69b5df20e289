"""Serving skew: shares of missing and unknown values beside the log's."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from automl.commands.log_encoders import log_encoders
from automl.data.describe.tables import DataConfig
from automl.data.encode.log import encode_log
from automl.data.encode.plan import make_plan
from automl.data.store.encoder_files import encoders_of
from automl.data.store.encoders import ServedTime
from automl.data.store.skew import Shares, Skew, log_shares
from tests.automl.data.conftest import DAY_MS, SPLIT, START_MS, columns_of

CONFIG: dict[str, Any] = {
    "path": "log.parquet",
    "time": {"column": "time_ms", "unit": "ms"},
    "label": "click",
    "features": {"categorical": {"user": {}, "word": {}, "@hour": {}}, "dense": ["price"]},
    "split": SPLIT,
}


@pytest.mark.parametrize("buckets", [None, 3])
def test_shares_of_served_rows_are_those_of_the_log_where_they_are_its_rows(
    tmp_path: Path, buckets: int | None
) -> None:
    table = pa.table(columns_of())
    pq.write_table(table, tmp_path / "log.parquet")
    config = copy.deepcopy(CONFIG)
    config["features"]["categorical"]["user"] = {"min_count": 40, "buckets": buckets}
    log = encode_log(DataConfig.model_validate(config), tmp_path, tmp_path / "cache")
    encoders = encoders_of(log.folder, ServedTime("time_ms", "ms", "UTC"))
    days = (np.asarray(table["time_ms"]) - START_MS) // DAY_MS
    rows = table.filter(pa.array(days == 5))
    for table_rows in ((10**6,) * 3, (3, 2, 1)):  # all ids, and a model that leaves rare ones out
        cut, skew = encoders.cut(table_rows), Skew()
        for part in (rows.slice(0, 7), rows.slice(7)):
            skew.add(cut, part, cut.encode(part))
        wanted = log_shares(log, "test", table_rows)
        assert skew.rows == len(rows)
        assert set(skew.shares()) == {"user", "word", "price"}
        for name, found in skew.shares().items():
            np.testing.assert_allclose([found.missing, found.unknown], [wanted[name].missing, wanted[name].unknown])


def test_an_id_in_a_bucket_is_as_unknown_as_it_is_without(tmp_path: Path) -> None:
    columns = columns_of()
    columns["past"] = pa.array([["a", "zz", "d"][: k % 4] for k in range(600)])
    pq.write_table(pa.table(columns), tmp_path / "log.parquet")
    told = []
    for buckets in (None, 5):
        rare = {"min_count": 150, "buckets": buckets}
        features = {"categorical": {"user": {}, "word": rare}, "sequence": {"past": {"of": "word"}}}
        config = DataConfig.model_validate({**CONFIG, "features": features})
        log = encode_log(config, tmp_path, tmp_path / f"cache-{buckets}")
        served = log_shares(log, "test", log.inputs.table_rows(1))
        told.append(([(one.name, one.missing, one.unknown) for one in log.features], log.notes, served))
    assert told[0] == told[1]
    assert 0.1 < told[0][2]["word"].unknown < 1
    assert told[0][2]["past"].unknown > 0.1


def test_what_differs_is_pointed_at(tmp_path: Path) -> None:
    table = pa.table(columns_of())
    pq.write_table(table, tmp_path / "log.parquet")
    log = encode_log(DataConfig.model_validate(CONFIG), tmp_path, tmp_path / "cache")
    encoders, skew = encoders_of(log.folder, ServedTime("time_ms", "ms", "UTC")), Skew()
    served = table.set_column(table.column_names.index("word"), "word", pa.array(["z"] * len(table)))
    nan = pa.array(np.full(len(table), np.nan))
    served = served.set_column(served.column_names.index("price"), "price", nan)
    skew.add(encoders, served, encoders.encode(served))
    lines = skew.lines({"word": Shares(0.1, 0.0), "price": Shares(0.1, 0.0), "user": Shares(0.0, 0.01)})
    assert lines[0].split() == ["of", "600", "rows", "missing", "(log)", "unknown", "(log)"]
    (word,) = [line for line in lines if line.startswith("word")]
    assert word.endswith("100.0% (0.0%)   unlike the log")
    (price,) = [line for line in lines if line.startswith("price")]
    assert price.endswith("100.0% (10.0%)         0.0% (0.0%)   unlike the log")


def test_ids_and_actions_of_lists_that_are_not_known(tmp_path: Path) -> None:
    """Those of the log's own rows are as in the log, also where a model leaves rare ids out; of others it is told."""
    columns = columns_of()
    columns["past"] = pa.array([["a", "zz", "d"][: k % 4] for k in range(600)])
    columns["kinds"] = pa.array([[1, 2, 1][: k % 4] for k in range(600)])
    table = pa.table(columns)
    pq.write_table(table, tmp_path / "log.parquet")
    sequence = {"past": {"of": "word", "actions": "kinds"}}
    config = DataConfig.model_validate({**CONFIG, "features": {"categorical": {"word": {}}, "sequence": sequence}})
    log = encode_log(config, tmp_path, tmp_path / "cache")
    encoders = log_encoders(log.folder, make_plan(config, tmp_path))
    rows = table.filter(pa.array((np.asarray(table["time_ms"]) - START_MS) // DAY_MS == 5))
    for table_rows in ([10**6], [2]):
        cut, skew = encoders.cut(table_rows), Skew()
        skew.add(cut, rows, cut.encode(rows))
        wanted = log_shares(log, "test", table_rows)
        for name in ("past", "past (actions)"):
            found = skew.shares()[name]
            np.testing.assert_allclose([found.missing, found.unknown], [wanted[name].missing, wanted[name].unknown])
        assert 0.2 < wanted["past"].unknown < 1
    skew = Skew()
    others = {"past": [["x"] * len(row) for row in rows["past"].to_pylist()]}
    others["kinds"] = [[7] * len(row) for row in rows["kinds"].to_pylist()]
    for name, values in others.items():
        rows = rows.set_column(rows.column_names.index(name), name, pa.array(values))
    skew.add(encoders, rows, encoders.encode(rows))
    told = [line for line in skew.lines(log_shares(log, "test", [10**6])) if line.startswith("past")]
    assert [line.endswith("unlike the log") and "100.0%" in line for line in told] == [True, True]
