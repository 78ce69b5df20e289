"""Lists of rows that are served: those of the log, from list columns and from a past."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from automl.commands.checked_encoders import check_encoders, check_past
from automl.commands.log_encoders import log_encoders, log_pasts
from automl.commands.served_tables import tables_as_logged
from automl.data.describe.tables import DataConfig
from automl.data.encode.plan import make_plan
from automl.data.past.files import read_past, write_past
from automl.data.store.history import History
from automl.data.store.served_lists import EncodedLists
from automl.runtime.errors import RunError
from search_spaces.errors import InputError
from tests.automl.data.conftest import DAY_MS
from tests.automl.data.encode.test_histories import JOIN, LISTED, MS, WATCHED, encoded, lists_of, told, with_lists
from tests.automl.data.store.test_encoders import through_a_file

Describe = Callable[..., DataConfig]
Write = Callable[..., Path]


def test_what_is_served_is_encoded_alike(
    tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe
) -> None:
    """Through the file of a model; a list that is wrong is told by its column."""
    with_lists(columns)
    write(columns)
    side = [[("a", "b", "zz")[(n + k) % 3] for k in range(n % 6)] for n in range(300)]
    write({"user": np.arange(1, 301), "liked": side}, "users.parquet")
    sequence = {"before": {**LISTED, "actions": "past_kind"}, "liked": {"of": "word", "max_len": 4}}
    config = describe(features=told(**sequence), join=JOIN)
    log, plan = encoded(tmp_path, config), make_plan(config, tmp_path)
    encoders = through_a_file(log_encoders(log.folder, plan))
    assert {"past", "past_ms", "past_kind", "liked", "time_ms"} <= set(encoders.columns)
    joins = [f"user={tmp_path / 'users.parquet'}"]
    (table,) = [part for part in tables_as_logged(encoders, str(tmp_path / "log.parquet"), joins) if part.num_rows]
    found = encoders.encode(table)
    order = np.argsort(np.asarray(columns["time_ms"]), kind="stable").tolist()
    assert found.times_B is not None
    np.testing.assert_array_equal(found.times_B[order], log.times_N)
    for history, lists in zip(log.histories, found.histories, strict=True):
        served = lists_of(History(history.name, history.actions, history.shape, *_arrays(lists)))
        assert [served[k] for k in order] == lists_of(history)
    assert len(check_encoders(encoders, plan, log)) == 600
    wrong = replace(encoders, sequences=(replace(encoders.sequences[0], most=3), encoders.sequences[1]))
    with pytest.raises(RunError, match="must give what the model was trained on"):
        check_encoders(wrong, plan, log)
    for name, column, words in (
        ("past", pa.array([1] * 600), "past must hold lists, but found int64"),
        ("past", pa.array([[1]] * 600), "past must hold lists of words as the log did, but found list<"),
        (
            "past_ms",
            pa.array([[1]] * 600),
            "past_ms must be as long as the list of ids in every row, but found 1 beside",
        ),
    ):
        with pytest.raises(InputError, match=words):
            encoders.encode(table.set_column(table.column_names.index(name), name, column))
    with pytest.raises(InputError, match=r"must have a column liked(.|\n)*--join user=PATH"):
        encoders.encode(table.drop_columns(["liked"]))
    fewer = encoders.select(["word"], [], ["liked"])
    assert fewer.columns == ("word", "liked")
    assert [len(one.stop_B) for one in fewer.encode(table).histories] == [600]


def test_columns_of_other_types_are_served_alike(
    tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe
) -> None:
    """Whole numbers as doubles, as text, and yes and no; views of lists; what has lost its meaning is refused."""
    lists = with_lists(columns)
    columns["word"] = pa.array(np.arange(600) % 4 + 2**60)
    columns["past"] = pa.array([[2**60 + k % 5 for k in range(len(events))] or None for events in lists])
    columns["past_kind"] = pa.array([[k % 2 for k in range(len(events))] or None for events in lists])
    write(columns)
    config = describe(features=told(before=LISTED))
    log, plan = encoded(tmp_path, config), make_plan(config, tmp_path)
    encoders, table = log_encoders(log.folder, plan), pq.read_table(tmp_path / "log.parquet")
    (wanted,) = encoders.encode(table).histories
    assert encoders.sequences[0].actions == ("0", "1")
    assert wanted.actions_P is not None
    assert set(wanted.actions_P.tolist()) == {1, 2}

    def other(name: str, kind: pa.DataType, values: list[Any]) -> pa.Table:
        return table.set_column(table.column_names.index(name), name, pa.array(values, kind))

    kinds, ids = table["past_kind"].to_pylist(), table["past"].to_pylist()
    for one in (
        other("past_kind", pa.list_(pa.float64()), kinds),
        other("past_kind", pa.list_(pa.bool_()), [row and [kind == 1 for kind in row] for row in kinds]),
        other("past_kind", pa.list_(pa.string()), [row and [f"{kind}.0" for kind in row] for row in kinds]),
        other("past", pa.list_view(pa.int64()), ids),
        other("past", pa.large_list_view(pa.int64()), ids),
    ):
        (found,) = encoders.encode(one).histories
        for mine, theirs in zip(_arrays(found), _arrays(wanted), strict=True):
            np.testing.assert_array_equal(mine, theirs)
    with pytest.raises(
        InputError, match=r"past must hold whole numbers in its lists .* exact up to 2\*\*53, but found"
    ):
        encoders.encode(other("past", pa.list_(pa.float64()), [row and [float(k) for k in row] for row in ids]))
    seconds = [row and [ms // 1000 for ms in row] for row in table["past_ms"].to_pylist()]
    with pytest.raises(InputError, match=r"past_ms must hold times in its lists that lie near .* but found 1970-01-"):
        encoders.encode(other("past_ms", pa.list_(pa.int64()), seconds))


@pytest.mark.parametrize("types", [{}, {"user": "integer"}])
def test_lists_of_a_file_without_types(
    tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe, types: dict[str, str]
) -> None:
    """JSON lines: ids are text there, or numbers where the description says so, in lists as outside of them."""
    rng = np.random.default_rng(0)
    times = np.asarray(columns["time_ms"]).tolist()
    columns["seen"] = [rng.integers(1, 5, k % 4).tolist() for k in range(600)]
    columns["seen_ms"] = [sorted((time - rng.integers(1, DAY_MS, k % 4)).tolist()) for k, time in enumerate(times)]
    write(columns)
    lines = map(json.dumps, pq.read_table(tmp_path / "log.parquet").to_pylist())
    (tmp_path / "log.jsonl").write_text("\n".join(lines))
    features = told(seen={"of": "user", "times": "seen_ms"})
    log = encoded(tmp_path, describe(features=features))
    config = describe(path="log.jsonl", features=features, types=types)
    other, plan = encoded(tmp_path, config), make_plan(config, tmp_path)
    assert lists_of(log.histories[0]) == lists_of(other.histories[0])
    assert len(check_encoders(log_encoders(other.folder, plan), plan, other)) == 600


def _arrays(lists: EncodedLists) -> tuple[Any, ...]:
    return lists.ids_P, lists.times_P, lists.actions_P, lists.stop_B, lists.count_B


def test_a_past_serves_what_the_log_would_give(
    tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe
) -> None:
    """A model that is checked by rows of the log, and a table that brings its lists itself."""
    write(columns)
    config = describe(features=told(watched=WATCHED))
    log, plan = encoded(tmp_path, config), make_plan(config, tmp_path)
    encoders = log_encoders(log.folder, plan)
    assert log.times_N is not None
    cut = int(log.times_N[400])
    (past,) = log_pasts(plan, encoders, log.fingerprint, tmp_path, [cut])
    assert encoders.past_columns == ("@ids(watched)", "@times(watched)", "@actions(watched)")
    assert len(check_past(past, encoders, plan, log)) == 200
    write_past(past, tmp_path / "p")
    table = pq.read_table(tmp_path / "log.parquet")
    later = table.filter(pa.array(table["time_ms"].to_numpy() * MS >= cut))
    made = read_past(tmp_path / "p").with_features(later)
    (lists,) = encoders.encode(made).histories
    pq.write_table(made, tmp_path / "made.parquet")
    (again,) = encoders.encode(pq.read_table(tmp_path / "made.parquet")).histories
    for one, other in zip(_arrays(lists), _arrays(again), strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(InputError, match=r"must have a column @ids\(watched\)(.|\n)*made of earlier rows"):
        encoders.encode(later)
    with pytest.raises(InputError, match=r"must have a column buy(.|\n)*it tells which rows are events of a sequence"):
        past.advanced([later.drop_columns(["buy"])])
    blind = past.with_features(later.drop_columns(["buy", "click"]))
    assert sum(map(len, blind["@ids(watched)"].to_pylist())) < lists.count_B.sum()
    with pytest.raises(InputError, match="click must be 0 or 1, or missing, but found 2"):
        past.with_features(later.set_column(later.column_names.index("click"), "click", pa.array([2] * 200)))
    advanced = past.advanced([later])
    (end,) = log_pasts(plan, encoders, log.fingerprint, tmp_path)
    assert [len(part.state.sequences[0]) for part in (advanced, end)] == [len(end.state.sequences[0])] * 2
    assert log_pasts(plan, encoders.select(encoders.fields, encoders.dense), log.fingerprint, tmp_path) == []
