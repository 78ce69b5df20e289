"""A log written in any way, cut anywhere: what its head left behind gives its tail the features of the whole log."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from automl.commands.log_encoders import log_encoders, log_pasts
from automl.commands.served_tables import rows_to_count, tables_as_logged
from automl.data.describe.streams import StreamDataConfig
from automl.data.describe.tables import DataConfig
from automl.data.encode.log import encode_plan
from automl.data.encode.plan import make_plan
from automl.data.encode.stream import encode_stream
from automl.data.encode.stream_plan import make_stream_plan
from automl.data.past.files import read_past, write_past
from automl.data.past.past import Past
from automl.data.simulated.stream import simulate_stream
from automl.data.store.encoders import Encoders
from automl.data.store.history import History
from automl.data.store.log import EncodedLog
from automl.data.store.served_lists import EncodedLists, EncodedRows
from search_spaces.errors import InputError
from tests.automl.data.conftest import DAY_MS, SPLIT, START_MS

FEATURES = {
    "categorical": {"user": {}, "@hour": {}},
    "counters": [
        {"keys": ["user", ["user", "code"], ["@hour", "flag"]], "labels": ["click", "buy"], "half_life": "5h",
         "every": "1h", "delay": "30m"},
        {"keys": ["age"], "labels": ["buy"], "prior": 2.0},
    ],
    "recent": {"keys": ["user", ["half", "code"]], "within": "30h"},
    "sequence": {
        "bought": {"of": "user", "by": ["code", "flag"], "actions": ["buy", "click"], "delay": "3h"},
        "late": {"of": "user", "by": "age", "max_len": 4, "delay": "30h"},
    },
}  # fmt: skip


@st.composite
def logs(draw: st.DrawFn) -> pa.Table:
    """Six days, both labels, ties in time, rows that are there twice."""
    rows = draw(st.integers(18, 50))

    def column(values: st.SearchStrategy[Any], kind: pa.DataType) -> pa.Array:
        return pa.array(draw(st.lists(values, min_size=rows, max_size=rows)), kind)

    steps = draw(st.lists(st.integers(0, 11), min_size=rows, max_size=rows))
    table = pa.table(
        {
            "user": pa.concat_arrays([pa.array([1]), column(st.sampled_from([None, 1, 2, 3]), pa.int64())[1:]]),
            "code": column(st.sampled_from(["7", "007", "NA", "b c"]), pa.string()),
            "flag": column(st.sampled_from([None, True, False]), pa.bool_()),
            "half": column(st.sampled_from([None, 0.5, 7.0]), pa.float64()),
            "buy": column(st.sampled_from([None, 0, 1]), pa.int8()),
            "time_ms": [START_MS + DAY_MS * (k % 6) + 7_200_000 * step for k, step in enumerate(steps)],
            "click": [(k // 6) % 2 for k in range(rows)],
        }
    )
    return pa.concat_tables([table, table.slice(0, draw(st.integers(0, 6)))])


def described(folder: Path, name: str, once: bool) -> tuple[EncodedLog, Encoders, Any]:
    config = DataConfig.model_validate(
        {
            "path": name,
            "join": [{"path": "users.parquet", "on": "user"}],
            "time": {"column": "time_ms", "unit": "ms"},
            "label": "click",
            "features": FEATURES,
            "split": SPLIT,
            "drop_duplicates": once,
        }
    )
    plan = make_plan(config, folder)
    log = encode_plan(plan, folder / "cache", fit=("train",))
    return log, log_encoders(log.folder, plan), plan


def written(table: pa.Table, file: Path) -> str:
    if file.suffix == ".csv":
        pacsv.write_csv(table, file)
    else:
        pq.write_table(table, file)
    return str(file)


def served(past: Past, encoders: Encoders, table: str, *joins: str) -> EncodedRows:
    """What a model reads of the rows of a table."""
    with tempfile.TemporaryDirectory() as folder:
        made = past.features(rows_to_count(past, table, joins), Path(folder))
        rows = made.beside(pa.concat_tables(tables_as_logged(encoders, table, joins, ["time_ms"])))
    return encoders.encode(rows)


def lists_of(lists: History | EncodedLists) -> list[list[tuple[int, ...]]]:
    """Of each row the events of its list; those of one time in an order of their own."""
    stops, counts = (lists.stop_N, lists.count_N) if isinstance(lists, History) else (lists.stop_B, lists.count_B)
    columns = [column for column in (lists.times_P, lists.ids_P, lists.actions_P) if column is not None]
    return [
        sorted(zip(*(column[stop - count : stop].tolist() for column in columns), strict=True))
        for stop, count in zip(stops.tolist(), counts.tolist(), strict=True)
    ]


def in_order(times: NDArray[np.int64], rows_ND: NDArray[np.float32]) -> NDArray[np.float32]:
    """By time; rows of one time by what they hold."""
    return rows_ND[np.lexsort((*rows_ND.T, times))]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    logs(),
    st.lists(st.integers(1, 6 * 24 - 1), min_size=1, max_size=3, unique=True).map(sorted),
    st.booleans(),
    st.sampled_from([(".parquet", ".parquet"), (".csv", ".csv"), (".parquet", ".csv")]),
    st.integers(0, 2**32 - 1),
)
def test_rows_after_a_cut_have_the_features_of_the_whole_log(
    table: pa.Table, hours: list[int], once: bool, forms: tuple[str, str], seed: int
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        users = pa.table({"user": [1, 2, 3], "age": ["old", "new", "old"]})
        join = f"user={written(users, folder / 'users.parquet')}"
        written(table, folder / f"log{forms[0]}")
        log, encoders, plan = described(folder, f"log{forms[0]}", once)
        assert log.times_N is not None
        times = table["time_ms"].to_numpy()
        cuts = [START_MS + 3_600_000 * hour for hour in hours]
        if not (times < cuts[0]).any():
            return
        past, end = log_pasts(plan, encoders, log.fingerprint, folder, [cuts[0] * 10**6, None])
        for first, last in zip(cuts, [*cuts[1:], START_MS + 6 * DAY_MS], strict=True):
            part = table.filter(pa.array((times >= first) & (times < last)))
            part = part.take(pa.array(np.random.default_rng(seed).permutation(part.num_rows)))
            path = written(part, folder / f"part{forms[1]}")
            rows, at = served(past, encoders, path, join), part["time_ms"].to_numpy() * 10**6
            kept = list(range(len(at)))
            if once:  # rows that stand there twice are one in the log
                kept = list({str(row): k for k, row in enumerate(part.to_pylist())}.values())
            inside = (log.times_N >= first * 10**6) & (log.times_N < last * 10**6)
            np.testing.assert_array_equal(
                in_order(at[kept], rows.dense_BD[kept]), in_order(log.times_N[inside], np.asarray(log.dense_ND)[inside])
            )
            for history, lists in zip(log.histories, rows.histories, strict=True):
                wanted, found = lists_of(history), lists_of(lists)
                if history.name == "late":  # of events of one time, others may be the last four
                    wanted, found = ([[event[:1] for event in row] for row in of] for of in (wanted, found))
                ours = np.flatnonzero(inside).tolist()
                assert sorted((int(log.times_N[n]), wanted[n]) for n in ours) == sorted(
                    (int(at[k]), found[k]) for k in kept
                )
            past = past.advanced(rows_to_count(past, path, [join]), path)
            write_past(past, folder / "p")
            past = read_past(folder / "p")
        assert (past.state.last, past.state.rows, past.fingerprint) == (end.state.last, end.state.rows, end.fingerprint)
        assert [sorted(map(str, values.to_pylist())) for values in past.encoders.values] == [
            sorted(map(str, values.to_pylist())) for values in end.encoders.values
        ]


def test_rows_are_equal_in_the_columns_of_the_log(tmp_path: Path) -> None:
    """A column more tells no rows apart that the log would count once, even if a side table has it too; a column of
    the log that no feature reads does."""
    base = later(4, note=["a", "a", "b", "b"], time_ms=[START_MS + 7 * DAY_MS] * 4).drop_columns(["age"])
    times = [START_MS + k * DAY_MS // 4 for k in range(24)]
    log_rows = later(24, note=["a"] * 24, time_ms=times, click=[0, 1] * 12).drop_columns(["age"])
    users = pa.table({"user": [1, 2, 3], "age": ["old", "new", "old"], "note": ["x"] * 3, "request": [1, 2, 3]})
    join = f"user={written(users, tmp_path / 'users.parquet')}"
    written(log_rows, tmp_path / "log.parquet")
    log, encoders, plan = described(tmp_path, "log.parquet", True)
    (past,) = log_pasts(plan, encoders, log.fingerprint, tmp_path)
    write_past(past, tmp_path / "p")
    past = read_past(tmp_path / "p")
    assert past.what.equal_by == tuple(sorted(log_rows.column_names))
    more = base.append_column("request", pa.array([1, 2, 3, 4]))
    for name, rows in (("base", base), ("more", more)):
        path = written(rows, tmp_path / f"{name}.parquet")
        assert past.counted(rows_to_count(past, path, [join])).rows == 2
    assert past.counted([more.append_column("age", pa.array(["old"] * 4))]).rows == 2


@pytest.fixture
def past(tmp_path: Path) -> Past:
    rng = np.random.default_rng(0)
    rows = 200
    table = pa.table(
        {
            "user": rng.integers(1, 4, rows),
            "code": rng.choice(["a", "b"], rows),
            "flag": rng.random(rows) < 0.5,
            "half": rng.random(rows).round(1),
            "buy": rng.integers(0, 2, rows),
            "time_ms": START_MS + rng.integers(0, 6 * DAY_MS, rows),
            "click": rng.integers(0, 2, rows),
        }
    )
    written(pa.table({"user": [1, 2, 3], "age": ["old", "new", "old"]}), tmp_path / "users.parquet")
    written(table, tmp_path / "log.parquet")
    log, encoders, plan = described(tmp_path, "log.parquet", False)
    (found,) = log_pasts(plan, encoders, log.fingerprint, tmp_path)
    return found


def later(rows: int = 3, **changes: object) -> pa.Table:
    return pa.table(
        {
            "user": [1] * rows,
            "code": ["c"] * rows,
            "flag": [True] * rows,
            "half": [0.5] * rows,
            "age": ["old"] * rows,
            "click": [1] * rows,
            "buy": [1] * rows,
            "time_ms": [START_MS + 7 * DAY_MS + k * 3_600_000 for k in range(rows)],
            **changes,
        }
    )


def test_no_rows_change_nothing(past: Past) -> None:
    same = past.advanced([later(0)])
    assert (same.state.last, same.state.rows) == (past.state.last, past.state.rows)
    assert past.with_features(later(0)).num_rows == 0


def test_rows_of_a_table_are_each_others_past(past: Past) -> None:
    """The third row is two hours after the first: its label arrived half an hour after it."""
    found = past.with_features(later())
    seen = found["@seen(user)"].to_numpy()
    np.testing.assert_allclose(np.exp(seen) - np.exp(seen[0]), [0, 1, 2], rtol=1e-6)
    np.testing.assert_allclose(np.exp(found["@since(user)"].to_numpy()[1:]) - 1, 3600, rtol=1e-6)
    rate = "@rate(click | user; 5h)"
    assert found[rate].to_numpy()[2] > past.with_features(later().drop_columns(["click"]))[rate].to_numpy()[2]
    count = "@count(user; 5h)"
    np.testing.assert_array_equal(found[count], past.with_features(later().drop_columns(["click", "buy"]))[count])


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (later().drop_columns(["code", "time_ms"]), "must have a column code(.|\n)*must have a column time_ms"),
        (later(code=[1.5] * 3), "code must hold words as the log did, but found double"),
        (later(flag=["yes"] * 3), "flag must hold numbers as the log did, but found string"),
        (later(user=[1.5] * 3), "user must hold int64 as the log did, but found 1.5"),
        (later(time_ms=[1, 2, 3]), r"time_ms must lie near the log \(2024-01-01 to 2024-01-0"),
        (later(click=[1, 2, None]), "click must be 0 or 1, or missing, but found 2"),
        (later(click=["0", "x", "1"]), "click must be 0 or 1, or missing, but found 'x'"),
        (later(time_ms=[START_MS] * 3), r"must be later than .* but found 2024-01-01 .* \(3 of 3 rows\)"),
    ],
)
def test_what_does_not_fit_is_told(past: Past, table: pa.Table, words: str) -> None:
    for count in (past.with_features, lambda rows: past.advanced([rows])):
        with pytest.raises(InputError, match=words):
            count(table)


def test_a_label_may_come_once_it_is_known(past: Past) -> None:
    """In the night after that of its row, half an hour after it: what is known then is what would have been."""
    rows, evening = later(48), START_MS + 8 * DAY_MS
    is_first = rows["time_ms"].to_numpy() < evening
    first, second = rows.filter(pa.array(is_first)), rows.filter(pa.array(~is_first))
    unknown = first["time_ms"].to_numpy() >= evening - 1_800_000 * 2
    blank = pa.array([1] * len(unknown), pa.int64(), mask=unknown)
    hidden = first.set_column(first.column_names.index("buy"), "buy", blank)
    told = past.advanced([hidden]).advanced([second], "rows", [first.filter(pa.array(unknown)).drop_columns(["click"])])
    whole = past.advanced([first]).advanced([second])
    for one, other in zip(told.state.blocks, whole.state.blocks, strict=True):
        np.testing.assert_array_equal(one.overall_L2, other.overall_L2)
        for a, b in zip(one.keys, other.keys, strict=True):
            np.testing.assert_array_equal(np.sort(a.counts_LS), np.sort(b.counts_LS))
    assert told.state.rows == whole.state.rows


def night(past: Past) -> tuple[Past, pa.Table, Past, pa.Table]:
    """A past that has counted a day of which the last row's purchase is not known yet, and that row; one that has
    counted it with its purchase, and the day after."""
    rows = later(48)
    day = rows.slice(0, 24)
    buy = pa.array([1] * 23 + [None], pa.int64())
    hidden = day.set_column(day.column_names.index("buy"), "buy", buy)
    return past.advanced([hidden]), day.slice(23).drop_columns(["click"]), past.advanced([day]), rows.slice(24)


def test_a_night_without_rows_keeps_its_labels(past: Past, tmp_path: Path) -> None:
    waiting, late, whole, next_day = night(past)
    found = waiting.counted([later(0)], late=[late])
    assert (found.rows, found.late, found.past.state.rows) == (0, 1, waiting.state.rows)
    write_past(found.past, tmp_path / "p")
    told, whole = read_past(tmp_path / "p").advanced([next_day]), whole.advanced([next_day])
    for one, other in zip(told.state.blocks, whole.state.blocks, strict=True):
        np.testing.assert_array_equal(one.overall_L2, other.overall_L2)


def test_a_label_is_counted_once(past: Past, tmp_path: Path) -> None:
    """Late twice, in the same night or the next one; or with its row, and late again."""
    waiting, late, whole, next_day = night(past)
    words = r"labels: buy must be counted once, but found 1 of \d rows whose label was, the first of 2024-01-08 23:00"
    with pytest.raises(InputError, match=words):
        whole.advanced([next_day], late=[late])
    for rows in (later(0), next_day.slice(0, 0)):
        once = waiting.advanced([rows], late=[late])
        write_past(once, tmp_path / "p")
        for again in (once, read_past(tmp_path / "p")):
            with pytest.raises(InputError, match=words):
                again.advanced([next_day], late=[late])
    with pytest.raises(InputError, match="that the past has counted, but found 2 of 2 rows that it has not"):
        waiting.advanced([next_day], late=[pa.concat_tables([late, late])])


@pytest.mark.parametrize(("column", "value"), [("user", 9), ("user", 2), ("half", 0.25), ("time_ms", None)])
def test_a_label_is_of_a_row_that_was_counted(past: Past, column: str, value: float | None) -> None:
    """A user that is in no log, one that was not there then, another value of a key, a second before the row."""
    waiting, late, _, next_day = night(past)
    value = late["time_ms"][0].as_py() - 1000 if value is None else value
    wrong = late.set_column(late.column_names.index(column), column, pa.array([value]))
    with pytest.raises(
        InputError, match="labels: buy must be that of rows that the past has counted, but found 1 of 1"
    ):
        waiting.advanced([next_day], late=[wrong])


@pytest.mark.parametrize(
    ("rows", "late", "words"),
    [
        (later(), later(), r"labels: time_ms must be that of rows that the past has counted \(up to 2024-01-0"),
        (
            later(),
            later(time_ms=[START_MS] * 3),
            r"click must be known at 2024-01-0\d .* but found 2024-01-01 00:30:00.000",
        ),
        (
            later(),
            later().drop_columns(["click", "buy"]),
            "labels: must have a column buy(.|\n)*must have a column click",
        ),
    ],
)
def test_labels_that_cannot_be_late_are_refused(past: Past, rows: pa.Table, late: pa.Table, words: str) -> None:
    with pytest.raises(InputError, match=words):
        past.advanced([rows], late=[late])


def test_labels_must_be_there_to_be_counted(past: Past) -> None:
    with pytest.raises(InputError, match="must have a column buy, but found none\n    hint: its labels are counted"):
        past.advanced([later().drop_columns(["buy"])])


def test_files_that_hold_none_are_refused(past: Past, tmp_path: Path) -> None:
    write_past(past, tmp_path / "p")
    whole = (tmp_path / "p").read_bytes()
    (tmp_path / "cut").write_bytes(whole[: len(whole) // 2])
    for name in ("cut", "log.parquet", "nowhere"):
        with pytest.raises(InputError, match=f"{name}: must be the past of a log, as automl export writes it"):
            read_past(tmp_path / name)


def test_a_part_that_is_another_is_told(past: Past, tmp_path: Path) -> None:
    """Two columns' encoders exchanged, or a part that is missing; a file of an older release tells no digests."""
    write_past(past, tmp_path / "p")
    with ZipFile(tmp_path / "p") as held:
        parts = {name: held.read(name) for name in held.namelist()}
    first, second = "encoders/000.arrow", "encoders/001.arrow"
    facts = {**json.loads(parts["facts.json"]), "format": 2}
    for changed, told in (
        ({**parts, first: parts[second], second: parts[first]}, f"another {first} than was written with it"),
        ({name: part for name, part in parts.items() if name != "tail.arrow"}, "no tail.arrow in it"),
        ({**parts, "facts.json": json.dumps(facts).encode()}, None),
    ):
        with ZipFile(tmp_path / "q", "w") as out:
            for name, part in changed.items():
                out.writestr(name, part)
        if told is None:
            assert read_past(tmp_path / "q").until == past.until
        else:
            with pytest.raises(InputError, match=f"must be the past of a log.*, but found {told}$"):
                read_past(tmp_path / "q")


def test_a_stream_leaves_its_labels_behind(tmp_path: Path) -> None:
    """Labels that arrive when a column says, or never, or are given another; counters over domains and tabs."""
    simulate_stream(tmp_path / "log", rows=3_000, users=80, items=40, days=6, seed=2, delay_hours=9.0, never=0.1)
    config = StreamDataConfig.model_validate(
        {
            "path": "log/log.parquet",
            "join": [{"path": "log/users.parquet", "on": "user_id"}, {"path": "log/items.parquet", "on": "item_id"}],
            "time": {"column": "time_ms", "timezone": "UTC"},
            "labels": {
                "click": {"column": "click", "arrives": "label_time_ms"},
                "convert": {"column": "convert", "given": "click", "delay": "3h"},
            },
            "features": {
                "categorical": {"user_id": {}},
                "counters": [
                    {"keys": ["item_id", ["tab", "category"]], "labels": ["click", "convert"], "every": "hour",
                     "half_life": "2d"},
                    {"keys": [["user_id", "domain"]], "labels": ["convert"]},
                ],
            },
        }
    )  # fmt: skip
    plan = make_stream_plan(config, tmp_path)
    stream = encode_stream(config, tmp_path, tmp_path / "cache")
    encoders = log_encoders(stream.folder, plan)
    names = [name for name in stream.dense if "convert" not in name or "user_id" in name]  # of a model that reads some
    encoders = encoders.select(stream.fields, names)
    table = pq.read_table(tmp_path / "log" / "log.parquet").sort_by([("time_ms", "ascending")])
    joins = [f"{key}={tmp_path}/log/{name}.parquet" for key, name in (("user_id", "users"), ("item_id", "items"))]
    times = table["time_ms"].to_numpy()
    first, last = int(times[0]) + 2 * DAY_MS + 1, int(times[0]) + 3 * DAY_MS
    (past,) = log_pasts(plan, encoders, stream.fingerprint, tmp_path, [first * 10**6])
    at_D = [stream.dense.index(name) for name in names]
    for begin, end in ((first, last), (last, int(times[-1]) + 1)):
        inside = (times >= begin) & (times < end)
        path = written(table.filter(pa.array(inside)), tmp_path / "part.parquet")
        found = served(past, encoders, path, *joins).dense_BD
        expected = np.asarray(stream.dense_ND)[(stream.times_N >= begin * 10**6) & (stream.times_N < end * 10**6)]
        np.testing.assert_array_equal(in_order(times[inside], found), in_order(times[inside], expected[:, at_D]))
        past = past.advanced(rows_to_count(past, path, joins))
    place = table.column_names.index("time_ms")
    known = table.filter(table["label_time_ms"].is_valid()).slice(0, 1)
    wrong = known.set_column(place, "time_ms", pa.array([int(times[-1]) + DAY_MS]))
    with pytest.raises(InputError, match="label_time_ms must not be before the row's time"):
        past.advanced(rows_to_count(past, written(wrong, tmp_path / "wrong.parquet"), joins))
