"""A log as a stream: order, windows, ids, labels and their arrival, segments; that nothing tells the future."""

from __future__ import annotations

import datetime as dt
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from automl.data.columns.times import NEVER, edges_of, midnight
from automl.data.describe.streams import RowsWindow, StreamDataConfig
from automl.data.encode.segments import segments_of
from automl.data.encode.stream import encode_stream
from automl.data.encode.stream_columns import unique_examples
from automl.data.encode.stream_windows import windows_of
from automl.data.store.log import open_log
from automl.data.store.stream import EncodedStream, open_stream
from experiments.kuairand import DAYS, TABLES
from search_spaces.errors import InputError
from tests.automl.data.conftest import DAY_MS, START_MS

Write = Callable[..., Path]
HOUR_MS = 3_600_000


def describe(**changes: Any) -> StreamDataConfig:
    tree = {
        "path": "log.parquet",
        "time": {"column": "time_ms", "unit": "ms"},
        "labels": {"click": "click", "buy": {"column": "buy", "given": "click", "arrives": "label_ms"}},
        "features": {
            "categorical": {"user": {}, "word": {}},
            "dense": {"price": {}},
            "counters": {"keys": ["word", ["user", "word"]], "labels": ["click", "buy"]},
        },
        "segments": {"user": "user", "item": "word"},
        **changes,
    }
    return StreamDataConfig.model_validate({key: value for key, value in tree.items() if value is not None})


@pytest.fixture
def log(columns: dict[str, Any]) -> dict[str, Any]:
    rng = np.random.default_rng(9)
    rows = len(columns["click"])
    late = columns["time_ms"] + rng.integers(0, 12 * HOUR_MS, rows)
    return {**columns, "label_ms": pa.array(late, mask=rng.random(rows) < 0.1)}


@pytest.fixture
def encode(tmp_path: Path, write: Write) -> Callable[..., EncodedStream]:
    def encoded(log: dict[str, Any], **changes: Any) -> EncodedStream:
        write(log)
        return encode_stream(describe(**changes), tmp_path, tmp_path / "cache")

    return encoded


Encode = Callable[..., EncodedStream]


def frame_of(log: dict[str, Any]) -> pd.DataFrame:
    return pa.table(log).to_pandas().sort_values("time_ms", kind="stable").reset_index(drop=True)


def test_rows_by_time_with_labels_and_their_arrival(log: dict[str, Any], encode: Encode) -> None:
    stream, frame = encode(log), frame_of(log)
    np.testing.assert_array_equal(stream.times_N, frame["time_ms"] * 10**6)
    np.testing.assert_array_equal(stream.labels_NT[:, 0], frame["click"])
    buy = frame["buy"].where(frame["click"] == 1)
    np.testing.assert_array_equal(stream.labels_NT[:, 1], buy)
    np.testing.assert_array_equal(stream.arrivals_NT[:, 0], stream.times_N)
    known = buy.notna() & frame["label_ms"].notna()
    np.testing.assert_array_equal(stream.arrivals_NT[known, 1], frame["label_ms"][known].astype("int64") * 10**6)
    assert (stream.arrivals_NT[~known, 1] == NEVER).all()
    assert stream.tasks == ("click", "buy")
    assert any(note.startswith("buy never arrives in ") for note in stream.notes)


def test_days_as_windows(log: dict[str, Any], encode: Encode) -> None:
    stream, frame = encode(log), frame_of(log)
    day = ((frame["time_ms"] - START_MS) // DAY_MS).to_numpy()
    assert [window.name for window in stream.windows] == [f"2024-01-0{k}" for k in range(1, 7)]
    for k, window in enumerate(stream.windows):
        assert (day[window.rows] == k).all()
        assert (window.start_ns, window.end_ns) == tuple((START_MS + j * DAY_MS) * 10**6 for j in (k, k + 1))
    assert stream.windows[-1].rows.stop == len(stream) == len(frame)


def test_ids_by_first_appearance(log: dict[str, Any], encode: Encode) -> None:
    stream, frame = encode(log), frame_of(log)
    for k, name in enumerate(stream.fields):
        order = {value: number for number, value in enumerate(frame[name].dropna().unique(), 1)}
        np.testing.assert_array_equal(stream.ids_NF[:, k], frame[name].map(order).fillna(0))
        assert stream.id_counts[k] == len(order)
        assert stream.vocabulary(name).to_pylist() == list(order)


def test_a_prefix_of_the_log_is_encoded_as_in_the_whole(log: dict[str, Any], encode: Encode) -> None:
    """Ids, segments and dense features, counters among them, know nothing of later days."""
    whole = encode(log)
    early = encode(log, days=["2024-01-01", "2024-01-04"])
    rows = slice(0, len(early))
    assert 0 < len(early) < len(whole)
    for name in ("ids_NF", "dense_ND", "labels_NT", "arrivals_NT", "times_N", "examples_N"):
        np.testing.assert_array_equal(getattr(early, name), getattr(whole, name)[rows], err_msg=name)
    for name, inside in early.segments.items():
        np.testing.assert_array_equal(inside, whole.segments[name][rows])
    assert any("lie outside of the days" in note for note in early.notes)


def test_later_labels_change_no_earlier_feature(log: dict[str, Any], encode: Encode) -> None:
    before = encode(log)
    late = np.asarray(log["time_ms"]) >= START_MS + 3 * DAY_MS
    after = encode({**log, "click": np.where(late, 1 - log["click"], log["click"])})
    seen = before.times_N < (START_MS + 4 * DAY_MS) * 10**6  # day 4 still sees the labels of days 1 to 3 only
    np.testing.assert_array_equal(after.dense_ND[seen], before.dense_ND[seen])
    assert not np.array_equal(after.dense_ND[~seen], before.dense_ND[~seen])


def test_dense_features_are_standard_over_the_first_window(log: dict[str, Any], encode: Encode) -> None:
    stream, frame = encode(log), frame_of(log)
    first = frame["price"][stream.windows[0].rows]
    expected = ((frame["price"] - first.mean()) / first.std(ddof=0)).fillna(0)
    np.testing.assert_allclose(stream.dense_ND[:, 0], expected, rtol=1e-5, atol=1e-6)
    assert stream.dense[1:3] == ("@rate(click | word)", "@rate(buy | word)")
    first_day = stream.dense_ND[stream.windows[0].rows]
    known = stream.ids_NF[stream.windows[0].rows, 1] > 0
    np.testing.assert_allclose(first_day[known, 3], -np.log1p(20.0) / 2, rtol=1e-6)  # nothing counted
    assert not first_day[~known, 1:].any()


SLOW: dict[str, Any] = {"keys": ["word", ["user", "word"]], "labels": ["click", "buy"], "half_life": "7d"}
FAST: dict[str, Any] = {"keys": ["word"], "labels": ["buy"], "half_life": "6h", "prior": 5.0, "every": "10m"}


def test_counters_that_forget_slowly_and_fast(log: dict[str, Any], encode: Encode) -> None:
    def counted(counters: object) -> EncodedStream:
        return encode(log, features={"categorical": {"user": {}}, "dense": {"price": {}}, "counters": counters})

    both, slow, fast = counted([SLOW, FAST]), counted(SLOW), counted(FAST)
    assert both.dense == (
        "price", "@rate(click | word; 7d)", "@rate(buy | word; 7d)", "@count(word; 7d)",
        "@rate(click | user x word; 7d)", "@rate(buy | user x word; 7d)", "@count(user x word; 7d)",
        "@rate(buy | word; 6h)", "@count(word; 6h)",
    )  # fmt: skip
    np.testing.assert_array_equal(both.dense_ND, np.concatenate([slow.dense_ND, fast.dense_ND[:, 1:]], 1))


def test_every_ten_minutes_a_row_sees_what_came_before(log: dict[str, Any], encode: Encode) -> None:
    """Counts of a word, one row after the other."""
    zone = {"column": "time_ms", "unit": "ms", "timezone": "Asia/Kathmandu"}  # 5:45 ahead: 45 is no multiple of ten
    counters = {"keys": ["word"], "labels": ["click"], "every": "10m"}
    stream = encode(log, time=zone, features={"categorical": {"word": {}}, "counters": counters})
    words, minutes = stream.ids_NF[:, 0], stream.times_N // (60 * 10**9)
    boundary = (minutes + 345) // 10 * 10 - 345
    wanted = [np.log1p(((words == word) & (minutes < edge)).sum()) for word, edge in zip(words, boundary, strict=True)]
    expected = np.where(words > 0, (np.array(wanted) - np.log1p(20.0)) / 2, 0)
    np.testing.assert_allclose(stream.dense_ND[:, 1], expected, atol=1e-6)


def test_mistakes_of_a_later_block_stand_at_their_place(log: dict[str, Any], encode: Encode) -> None:
    wrong = [SLOW, {**FAST, "labels": ["bye"]}]
    with pytest.raises(InputError, match=r"data\.features\.counters\.1\.labels\.0: bye must be a label of the stream"):
        encode(log, features={"categorical": {"user": {}}, "counters": wrong})


def test_copies_are_dropped_or_told_apart(log: dict[str, Any], encode: Encode) -> None:
    twice = {name: pa.concat_arrays([pa.array(v), pa.array(v).slice(0, 50)]) for name, v in log.items()}
    once, kept, dropped = encode(log), encode(twice), encode(twice, drop_duplicates=True)
    assert (len(kept), len(dropped)) == (len(once) + 50, len(once))
    for stream in (once, kept, dropped):
        assert len(np.unique(stream.examples_N)) == len(stream)
    np.testing.assert_array_equal(np.sort(once.examples_N), np.sort(dropped.examples_N))
    assert set(once.examples_N) < set(kept.examples_N)
    assert any("50 rows have the content of an earlier row" in note for note in kept.notes)


def test_example_ids_of_a_column(log: dict[str, Any], encode: Encode) -> None:
    ids = np.arange(len(log["click"])) // 2  # each twice, at different times
    stream = encode({**log, "event": ids}, example_id="event")
    assert len(np.unique(stream.examples_N)) == len(stream)
    other = encode({**log, "event": ids, "price": pa.array(np.zeros(len(ids)))}, example_id="event")
    np.testing.assert_array_equal(stream.examples_N, other.examples_N)  # the id alone decides


def test_segments(log: dict[str, Any], encode: Encode) -> None:
    stream, frame = encode(log), frame_of(log)
    assert list(stream.segments) == ["new user", "heavy user", "new item", "heavy item"]
    day = (frame["time_ms"] - START_MS) // DAY_MS
    first = day.groupby(frame["user"]).transform("min")
    np.testing.assert_array_equal(stream.segments["new user"], first == day)
    for window in stream.windows[1:]:
        counts = frame["user"][: window.rows.start].value_counts()
        heavy = stream.segments["heavy user"][window.rows]
        among = set(frame["user"][window.rows][heavy])
        least = min((counts[user] for user in among), default=np.inf)
        assert (counts >= least).sum() <= 0.1 * len(counts)
        assert not set(frame["user"][window.rows][~heavy]) & set(counts.index[counts >= least])


def test_equal_counts_are_never_heavy() -> None:
    codes = np.tile(np.arange(1, 21, dtype=np.int32), 2)
    found = dict(segments_of("user", codes, [slice(0, 20), slice(20, 40)]))
    assert found["new user"][:20].all()
    assert not found["new user"][20:].any()
    assert not found["heavy user"].any()


def test_columns_and_rows_are_found_by_name(log: dict[str, Any], encode: Encode) -> None:
    stream, frame = encode(log), frame_of(log)
    assert stream.columns(["word"]).tolist() == [1]
    assert stream.dense_columns(["@count(word)", "price"]).tolist() == [3, 0]
    shape = stream.inputs(["word"], ["price"])
    assert (shape.fields, shape.dense, shape.table_rows(50)) == (1, 1, (5,))
    assert stream.inputs().table_rows(2) == tuple(count + 1 for count in stream.id_counts)
    np.testing.assert_array_equal(stream.matches({"word": ["a", "b"]}), frame["word"].isin(["a", "b"]))
    np.testing.assert_array_equal(stream.matches({"word": {"not": "a"}}), frame["word"] != "a")
    np.testing.assert_array_equal(stream.matches({"word": None}), frame["word"].isna())
    both = (frame["word"] == "a") & (frame["user"] == 1)
    np.testing.assert_array_equal(stream.matches({"word": "a", "user": 1}), both)
    with pytest.raises(InputError) as caught:
        stream.matches({"wrd": "a", "word": "z", "user": "one"})
    assert "did you mean `word`?" in str(caught.value)
    assert "where.word: z must be a value of word" in str(caught.value)
    assert "where.user: one must be a value of user" in str(caught.value)
    with pytest.raises(InputError, match="must be an id field of the stream"):
        stream.columns(["price"])


def test_encoded_once_and_opened_again(log: dict[str, Any], encode: Encode, tmp_path: Path) -> None:
    stream = encode(log)
    stamp = (stream.folder / "ids.npy").stat().st_mtime_ns
    again = encode(log)
    assert (again.fingerprint, (again.folder / "ids.npy").stat().st_mtime_ns) == (stream.fingerprint, stamp)
    copy = pickle.loads(pickle.dumps(stream))
    np.testing.assert_array_equal(copy.ids_NF, stream.ids_NF)
    assert len(pickle.dumps(stream)) < 1000
    assert {path.name for path in (tmp_path / "cache").iterdir()} == {
        stream.fingerprint, f"{stream.fingerprint}.lock", "digests.json", "digests.lock"
    }  # fmt: skip
    with pytest.raises(InputError, match="must hold an encoded log, but found an encoded stream"):
        open_log(stream.folder)
    with pytest.raises(InputError, match="must hold an encoded stream"):
        open_stream(tmp_path)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=60))
def test_example_ids_are_unique_and_keep_the_first(hashes: list[int]) -> None:
    examples, again = unique_examples(np.array(hashes, np.int64))
    assert len(set(examples.tolist())) == len(hashes)
    assert again == len(hashes) - len(set(hashes))
    for value in set(hashes):
        assert examples[hashes.index(value)] == value


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 20), min_size=1, max_size=60), st.integers(1, 10))
def test_windows_of_rows_keep_one_time_together(times: list[int], rows: int) -> None:
    ordered = np.sort(np.array(times, np.int64))
    windows = windows_of(RowsWindow(rows=rows), ordered, "UTC")
    assert [w.rows.start for w in windows] == [0, *(w.rows.stop for w in windows[:-1])]
    assert windows[-1].rows.stop == len(times)
    for window in windows:
        inside = ordered[window.rows]
        assert len(inside) >= rows or window is windows[-1]
        assert window.start_ns <= inside[0] <= inside[-1] < window.end_ns


@pytest.mark.parametrize(("every", "edges"), [(86400.0, 2), (3600.0, 23 + 1), (6 * 3600.0, 4 + 1)])
def test_a_short_day_has_fewer_hours(every: float, edges: int) -> None:
    first = midnight(dt.date(2024, 3, 31), "Europe/Berlin")  # 23 hours long
    last = midnight(dt.date(2024, 4, 1), "Europe/Berlin") - 1
    found = edges_of(first, last, every, "Europe/Berlin")
    assert len(found) == edges
    assert found[0] == first
    assert found[-1] == last + 1


def test_hours_that_come_twice_have_names_of_their_own() -> None:
    first = midnight(dt.date(2024, 10, 27), "Europe/Berlin")
    windows = windows_of("hour", first + np.arange(25) * HOUR_MS * 10**6, "Europe/Berlin")
    assert len({window.name for window in windows}) == 25
    assert windows[13].name == "2024-10-27 12:00"


@pytest.mark.parametrize(
    ("change", "must"),
    [
        ({"labels": {}}, "must name at least one label"),
        ({"labels": {"a": {"column": "click", "delay": "1h", "arrives": "label_ms"}}}, "delay or arrives, not both"),
        ({"window": {"rows": 0}}, "must be day, hour, or rows at least 1"),
        ({"window": "week"}, "must be day, hour, or rows at least 1"),
        ({"time": None}, "Field required"),
        ({"days": ["2024-01-03", "2024-01-01"]}, "must start before it ends"),
        (
            {
                "features": {
                    "categorical": {"user": {}},
                    "counters": {"keys": ["user"], "labels": ["click"], "delay": 60},
                }
            },
            "must leave out delay",
        ),
        (
            {
                "features": {
                    "categorical": {"user": {}},
                    "counters": [
                        {"keys": ["user"], "labels": ["click"]},
                        {"keys": ["word"], "labels": ["click"], "delay": 60},
                    ],
                }
            },
            "must leave out delay",
        ),
    ],
)
def test_what_a_stream_cannot_be(change: dict[str, Any], must: str) -> None:
    with pytest.raises(ValidationError, match=must):
        describe(**change)


def test_mistakes_are_told_together(log: dict[str, Any], encode: Encode) -> None:
    with pytest.raises(InputError) as caught:
        encode(
            log,
            labels={"click": "clik", "buy": {"column": "buy", "arrives": "label"}},
            features={"categorical": {"user": {}, "buy": {}}, "counters": {"keys": ["user"], "labels": ["like"]}},
            segments={"user": "usr"},
            example_id="event",
        )
    text = str(caught.value)
    for must in (
        "data.labels.click.column: clik must be a column",
        "data.labels.buy.arrives: label must be a column",
        "buy is a label",
        "data.features.counters.labels.0: like must be a label of the stream",
        "data.segments.user: usr must be",
        "data.example_id: event must be a column",
    ):
        assert must in text


def test_labels_that_arrive_too_early_are_refused(log: dict[str, Any], encode: Encode) -> None:
    early = np.asarray(log["time_ms"]) - 1
    with pytest.raises(InputError, match=r"label_ms must not be before the row's time, but found \d+ \(600 rows\)"):
        encode({**log, "label_ms": early})
    with pytest.raises(InputError, match="click must hold both classes"):
        encode({**log, "click": np.ones(600, int)})


def test_kuairand_is_fourteen_days(kuairand: Path, tmp_path: Path) -> None:
    config = StreamDataConfig.model_validate(
        {
            **{key: TABLES[key] for key in ("path", "join", "time", "drop_duplicates")},
            "days": DAYS,
            "labels": {"click": "is_click", "long_view": {"column": "long_view", "delay": "10m"}},
            "features": {
                "categorical": {"user_id": {}, "video_id": {}, "tab": {}, "tag": {}},
                "counters": {"keys": ["video_id", ["user_id", "tab"]], "labels": ["is_click", "long_view"]},
            },
            "segments": {"user": "user_id", "item": "video_id"},
        }
    )
    stream = encode_stream(config, kuairand, tmp_path / "cache")
    assert [window.name for window in stream.windows[:: len(stream.windows) - 1]] == ["2022-04-25", "2022-05-08"]
    assert len(stream.windows) == 14
    assert len(stream) == 222_869 - 141  # these lie before the first midnight of the data's zone
    assert len(np.unique(stream.examples_N)) == len(stream)
    assert stream.notes[0] == "141 of 228329 rows lie outside of the days"
    day = stream.windows[7].rows
    rate = stream.dense_ND[day, stream.dense.index("@rate(is_click | video_id)")]
    assert np.corrcoef(rate, stream.labels_NT[day, 0])[0, 1] > 0.25
    assert stream.matches({"tab": 1}).sum() > 170_000
