"""Sequences of an encoded log: built from its own rows, from list columns, and from those of a joined table."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow.feather import write_feather

from automl.data.columns.vocabulary import numbering_of
from automl.data.describe.tables import DataConfig
from automl.data.encode import log as encoding
from automl.data.encode import pieces, reading, rows
from automl.data.encode.crew import crew
from automl.data.encode.log import encode_log
from automl.data.store.encoder_files import read_vocabulary
from automl.data.store.history import History
from automl.data.store.log import EncodedLog
from search_spaces.errors import InputError
from tests.automl.data.conftest import DAY_MS, START_MS

Describe = Callable[..., DataConfig]
Write = Callable[..., Path]
MS = 10**6
JOIN = [{"path": "users.parquet", "on": "user"}]
WATCHED = {"of": "word", "by": "user", "actions": ["click", "buy"], "max_len": 3}


def told(**sequence: Any) -> dict[str, Any]:
    return {"categorical": {"user": {}, "word": {}}, "dense": {"price": {}}, "sequence": sequence}


def encoded(folder: Path, config: DataConfig) -> EncodedLog:
    return encode_log(config, folder, folder / "cache")


def lists_of(history: History) -> list[list[tuple[int, ...]]]:
    """Of each row (id, time, actions) of its events."""
    columns = [column for column in (history.ids_P, history.times_P, history.actions_P) if column is not None]
    return [
        list(zip(*(column[stop - count : stop].tolist() for column in columns), strict=True))
        for stop, count in zip(history.stop_N.tolist(), history.count_N.tolist(), strict=True)
    ]


def vocabulary(log: EncodedLog, field: int) -> dict[Any, int]:
    values = pq.read_table(log.folder / "vocabularies" / f"{field:03d}.parquet")["value"].to_pylist()
    return {value: k for k, value in enumerate(values, 1)}


def by_time(columns: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows in the order of time."""
    found: list[dict[str, Any]] = pa.table(columns).to_pylist()
    return sorted(found, key=lambda row: row["time_ms"])


def naive(log: EncodedLog, found: list[dict[str, Any]], most: int, delay_ms: int = 0) -> list[list[tuple[int, ...]]]:
    """What `watched` is, by a loop over the rows that are examples; `found` are all rows."""
    ids, lists = vocabulary(log, 1), []
    for row in found:
        seen = [
            (ids.get(other["word"], 0), other["time_ms"] * MS, other["click"] + 2 * other["buy"])
            for other in found
            if other["user"] == row["user"]
            and other["word"] is not None
            and other["click"] + other["buy"] > 0
            and other["time_ms"] < row["time_ms"] - delay_ms
        ]
        lists.append(seen[-most:])
    return lists


@pytest.mark.parametrize("delay_ms", [0, DAY_MS])
def test_built_lists_are_those_of_a_loop(
    tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe, delay_ms: int
) -> None:
    columns["time_ms"] = columns["time_ms"] // 3_600_000 * 3_600_000  # many rows of one time
    write(columns)
    part = {**WATCHED, "delay": f"{delay_ms // 1000}s"}
    log = encoded(tmp_path, describe(features=told(watched=part)))
    (history,) = log.histories
    assert lists_of(history) == naive(log, by_time(columns), 3, delay_ms)
    assert (history.name, history.actions, history.shape.field) == ("watched", ("click", "buy"), 1)
    assert (history.shape.most, history.shape.timed, log.inputs.histories) == (3, True, (history.shape,))
    train = log.windows["train"]
    counts = np.bincount(history.count_N[train], minlength=4)
    assert history.shape.lengths[0] == tuple(counts.tolist())
    clicks = [sum(bits & 1 for _, _, bits in events) for events in lists_of(history)[train]]
    assert history.shape.lengths[1] == tuple(np.bincount(clicks, minlength=4).tolist())
    feature = log.features[-1]
    assert (feature.name, feature.kind) == ("watched", "sequence")
    assert feature.missing["train"] == pytest.approx(counts[0] / counts.sum())
    assert feature.mean["test"] == pytest.approx(history.count_N[log.windows["test"]].mean())
    again = pickle.loads(pickle.dumps(log)).histories[0]
    assert lists_of(again) == lists_of(history)


def test_rows_that_are_no_examples_are_listed_too(
    tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe
) -> None:
    """Before the windows and where no label is given; a rare id is one that is not known."""
    write(columns)
    features = told(watched={**WATCHED, "by": ["user"], "max_len": 40})
    features["categorical"]["word"] = {"min_count": 30}
    split = {"train": ["2024-01-02", "2024-01-04"], "validate": ["2024-01-05"] * 2, "test": ["2024-01-06"] * 2}
    config = describe(features=features, label={"column": "buy", "given": "click"}, split=split)
    log = encoded(tmp_path, config)
    everything = by_time(columns)
    wanted = [
        events
        for row, events in zip(everything, naive(log, everything, 40), strict=True)
        if row["click"] and row["time_ms"] >= START_MS + DAY_MS
    ]
    found = lists_of(log.histories[0])
    assert found == wanted
    assert any(what == 0 for events in found for what, *_ in events)


def test_every_row_is_an_event_without_actions(
    tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe
) -> None:
    columns["user"] = pa.array(np.asarray(columns["user"]), mask=np.arange(600) % 5 == 0)
    write(columns)
    log = encoded(tmp_path, describe(features=told(seen={"of": "user", "by": ["user", "word"]})))
    (history,) = log.histories
    assert (history.actions, history.actions_P, len(history.shape.lengths)) == ((), None, 1)
    ids = vocabulary(log, 0)
    everything = by_time(columns)
    wanted = [
        [
            (ids[other["user"]], other["time_ms"] * MS)
            for other in everything
            if None not in (row["user"], row["word"])
            and (other["user"], other["word"]) == (row["user"], row["word"])
            and other["time_ms"] < row["time_ms"]
        ][-50:]
        for row in everything
    ]
    assert lists_of(history) == wanted


def with_lists(columns: dict[str, Any], seed: int = 3) -> list[list[tuple[Any, int, str]]]:
    """Lists of words, times and kinds in the log; some rows have none, and none is given. The events of each row."""
    rng = np.random.default_rng(seed)
    lists: list[list[tuple[Any, int, str]]] = []
    for time in np.asarray(columns["time_ms"]).tolist():
        size = int(rng.integers(0, 7))
        times = sorted((time - rng.integers(1, 9 * DAY_MS, size)).tolist())
        words = rng.choice(["a", "b", "c", "zz"], size).tolist()
        lists.append(list(zip(words, times, rng.choice(["like", "click"], size).tolist(), strict=True)))
    for name, place in (("past", 0), ("past_ms", 1), ("past_kind", 2)):
        values = [[event[place] for event in events] or None for events in lists]
        columns[name] = pa.array(values)
    return lists


LISTED = {"of": "word", "column": "past", "times": "past_ms", "actions": "past_kind", "max_len": 4}


def listed(log: EncodedLog, columns: dict[str, Any], lists: list[list[tuple[Any, int, str]]]) -> list[Any]:
    ids = vocabulary(log, 1)
    order = np.argsort(np.asarray(columns["time_ms"]), kind="stable").tolist()
    bits = {"click": 1, "like": 2}
    return [[(ids.get(word, 0), ms * MS, bits[kind]) for word, ms, kind in lists[k][-4:]] for k in order]


def test_list_columns_of_the_log(tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe) -> None:
    lists = with_lists(columns)
    write(columns)
    log = encoded(tmp_path, describe(features=told(before=LISTED)))
    (history,) = log.histories
    assert history.actions == ("click", "like")
    assert lists_of(history) == listed(log, columns, lists)
    assert len(history.ids_P) == history.count_N.sum()
    assert log.features[-1].unknown["train"] > 0.1  # zz
    assert not [note for note in log.notes if note.at[:2] == ("features", "sequence")]


def test_listed_ids_share_the_buckets_of_their_feature(
    tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe
) -> None:
    """Of a column and built from the log: d is rare, zz stands in lists alone."""
    lists = with_lists(columns)
    write(columns)
    of_word = {"min_count": 40, "buckets": 3}
    features = {**told(before=LISTED, watched=WATCHED), "categorical": {"user": {}, "word": of_word}}
    log = encoded(tmp_path, describe(features=features))
    before, watched = log.histories
    known = numbering_of(read_vocabulary(log.folder, 1), 3)
    order = np.argsort(np.asarray(columns["time_ms"]), kind="stable").tolist()
    wanted = [known.find(pa.array([word for word, _, _ in lists[k][-4:]], pa.string())).tolist() for k in order]
    assert [[event[0] for event in events] for events in lists_of(before)] == wanted
    assert {id_ for ids in wanted for id_ in ids} >= {4, 5, 6, int(known.find(pa.array(["zz"]))[0])}
    assert int(known.find(pa.array(["d"]))[0]) <= 3
    assert int(known.find(pa.array(["d"]))[0]) in {event[0] for events in lists_of(watched) for event in events}
    assert all(event[0] > 0 for history in log.histories for events in lists_of(history) for event in events)


def test_who_reads_which_piece_makes_no_difference(
    tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists = with_lists(columns)
    write(columns, row_group_size=100)
    config = describe(features=told(before=LISTED, watched=WATCHED))
    monkeypatch.setattr(reading, "PIECE_ROWS", 150)
    monkeypatch.setattr(pieces, "PIECE_ROWS", 150)
    monkeypatch.setattr(rows, "_LEAST_ROWS", 40)
    monkeypatch.setattr(rows, "_RUN_BYTES", 4000)
    cut = encode_log(config, tmp_path, tmp_path / "cut")
    monkeypatch.setattr(encoding, "hands", lambda *_: 2)
    monkeypatch.setattr(encoding, "crew", lambda count: crew(count))
    helped = encode_log(config, tmp_path, tmp_path / "helped")
    for log in (cut, helped):
        before, watched = log.histories
        assert lists_of(before) == listed(log, columns, lists)
        assert lists_of(watched) == naive(log, by_time(columns), 3)
    names = {path.name for path in cut.folder.glob("history-*.npy")}
    assert {(cut.folder / name).read_bytes() == (helped.folder / name).read_bytes() for name in names} == {True}


@pytest.mark.parametrize(
    "kind", [pa.large_list(pa.large_string()), pa.list_(pa.string(), 2), "view", "null", "numbers"]
)
def test_lists_of_any_type(
    tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe, kind: Any
) -> None:
    """Missing lists are empty, and missing elements are no events."""
    values = [["a", None], None, [None, "zz"], ["b", "a"]] * 150
    wanted = [["a"], [], ["zz"], ["b", "a"]] * 150
    if kind == "null":
        columns["past"], wanted = pa.nulls(600), [[]] * 600
    elif kind == "numbers":  # as pandas writes ids beside missing ones
        columns["word"] = pa.array(np.arange(600) % 3 + 1)
        columns["past"] = pa.array([[2.0, None, 9.0], [float("nan")]] * 300)
        wanted = [[2, 9], []] * 300
    else:
        columns["past"] = pa.array(values, pa.list_view(pa.string()) if kind == "view" else kind)
    if kind == "view":  # no Parquet file holds them
        write_feather(pa.table(columns), str(tmp_path / "log.feather"))
    else:
        write(columns)
    path = "log.feather" if kind == "view" else "log.parquet"
    log = encoded(tmp_path, describe(path=path, features=told(past={"of": "word"})))
    (history,) = log.histories
    assert (history.times_P, history.actions_P, history.shape.timed) == (None, None, False)
    ids = vocabulary(log, 1)
    order = np.argsort(np.asarray(columns["time_ms"]), kind="stable").tolist()
    assert lists_of(history) == [[(ids.get(what, 0),) for what in wanted[k]] for k in order]


def test_lists_of_a_side_table_are_stored_once(
    tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe
) -> None:
    write(columns)
    lists = [list("abcd"), None, list("ba"), []] * 50
    write({"user": np.arange(1, 201), "liked": pa.array(lists, pa.list_(pa.string()))}, "users.parquet")
    log = encoded(tmp_path, describe(features=told(liked={"of": "word", "max_len": 3}), join=JOIN))
    (history,) = log.histories
    assert len(history.ids_P) == 50 * 5
    ids = vocabulary(log, 1)
    wanted = [
        [(ids[word],) for word in ((lists[row["user"] - 1] if row["user"] <= 200 else None) or [])[-3:]]
        for row in by_time(columns)
    ]
    assert lists_of(history) == wanted


def test_events_that_are_not_earlier_are_left_out_and_told(
    tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe
) -> None:
    """Of a side table as of the log itself."""
    times = [START_MS + day * DAY_MS for day in range(6)]
    words = list("abcdab")
    columns["own"], columns["own_ms"] = pa.array([words] * 600), pa.array([times] * 600)
    write(columns)
    write({"user": np.arange(1, 301), "side": [words] * 300, "side_ms": [times] * 300}, "users.parquet")
    part = {"of": "word", "max_len": 3}
    sequence = {"own": {**part, "times": "own_ms"}, "side": {**part, "times": "side_ms"}}
    log = encoded(tmp_path, describe(features=told(**sequence), join=JOIN))
    ids = vocabulary(log, 1)
    wanted = [
        [(ids[word], ms * MS) for word, ms in zip(words, times, strict=True) if ms < row["time_ms"]][-3:]
        for row in by_time(columns)
    ]
    own, side = log.histories
    assert lists_of(own) == lists_of(side) == wanted
    late = sum(row["time_ms"] <= times[-1] for row in by_time(columns))
    notes = [note for note in log.notes if note.at[:2] == ("features", "sequence") and note.kind == "feature"]
    words_of = "holds events that are not earlier than the row in"
    assert [note.text for note in notes] == [
        f"{name} {words_of} {late} rows: they are left out" for name in ("own", "side")
    ]


def test_a_table_that_gets_old_is_told(
    tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe
) -> None:
    """All that it holds was there before the first day; one that goes on is not told of."""
    times = {"old_ms": [START_MS - 3_600_000], "new_ms": [START_MS + hour * 3_600_000 for hour in range(0, 144, 6)]}
    ids = {name[:3]: [["a"] * len(of)] * 300 for name, of in times.items()}
    write(columns)
    write({"user": np.arange(1, 301), **ids, **{name: [of] * 300 for name, of in times.items()}}, "users.parquet")
    sequence = {name: {"of": "word", "times": f"{name}_ms", "max_len": 1} for name in ids}
    log = encoded(tmp_path, describe(features=told(**sequence), join=JOIN))
    drift = [note.text for note in log.notes if note.kind == "drift" and note.at[:2] == ("features", "sequence")]
    assert [text.partition(":")[0] for text in drift] == ["old gets old"] * 2
    assert "days old in test, 2.0 in train" in drift[1]


def test_a_list_that_ends_in_the_rows_own_id_is_told(
    tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe
) -> None:
    items = np.random.default_rng(0).integers(0, 200, (600, 4))
    columns["item"] = items[:, 3]
    columns["honest"], columns["leaky"] = pa.array(items[:, :3].tolist()), pa.array(items.tolist())
    write(columns)
    features = {**told(honest={"of": "item"}, leaky={"of": "item"}), "categorical": {"item": {}}}
    log = encoded(tmp_path, describe(features=features))
    leaks = [note for note in log.notes if note.kind == "leak" and note.at[:2] == ("features", "sequence")]
    assert [note.at[2] for note in leaks] == ["leaky"]
    assert leaks[0].text.startswith("leaky ends in the row's own item in 100% of the lists of train")


def test_ids_and_times_that_are_others_are_told(
    tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe
) -> None:
    """Of another column, and of no time."""
    columns["items"], columns["none_ms"] = pa.array([[10_001, 10_002]] * 600), pa.array([[0, 0]] * 600)
    write(columns)
    part = {"of": "user", "column": "items", "times": "none_ms"}
    log = encoded(tmp_path, describe(features=told(s=part)))
    assert [note.text for note in log.notes if note.at == ("features", "sequence", "s")] == [
        "s: 100% of the ids listed in train are unknown. Are they those of user?",
        "s: its latest events are 54 years older than the rows of train. Are these their times?",
    ]


def test_duplicates_and_an_empty_sequence(
    tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe
) -> None:
    lists = with_lists(columns)
    twice = {name: pa.concat_arrays([pa.array(values)] * 2) for name, values in columns.items()}
    twice["nothing"] = pa.array([[]] * 1200, pa.list_(pa.string()))
    write(twice)
    log = encoded(tmp_path, describe(features=told(before=LISTED, nothing={"of": "word"}), drop_duplicates=True))
    before, nothing = log.histories
    assert len(log) == 600
    assert sorted(lists_of(before)) == sorted(listed(log, columns, lists))
    assert (len(before.ids_P), len(nothing.ids_P)) == (before.count_N.sum(), 0)
    assert "nothing has no event in the fit windows" in [note.text for note in log.notes]


def test_sequences_stand_in_the_order_of_the_description(
    tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe
) -> None:
    with_lists(columns)
    write(columns)
    named = {"before": LISTED, "watched": WATCHED}
    for asked in (named, dict(reversed(named.items()))):
        log = encoded(tmp_path, describe(features=told(**asked)))
        assert [history.name for history in log.histories] == list(asked)


def test_a_log_without_sequences_is_what_it_was(
    tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe
) -> None:
    write(columns)
    log = encoded(tmp_path, describe())
    assert not log.histories
    assert not list(log.folder.glob("history*"))
    assert "histories" not in json.loads((log.folder / "facts.json").read_text())
    other = encoded(tmp_path, describe(features=told(watched=WATCHED)))
    assert other.fingerprint != log.fingerprint
    for name in ("ids_NF", "dense_ND", "labels_N", "times_N", "clusters_N"):
        np.testing.assert_array_equal(getattr(log, name), getattr(other, name))


AT = "data.features.sequence.s"


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ({"of": "wrod", "by": "user"}, f"{AT}.of: wrod must be an id feature with a column, but found none"),
        ({"of": "price", "column": "past"}, f"{AT}.of: price must be an id feature with a column"),
        ({"of": "word", "by": ["usr"]}, f"{AT}.by: usr must be a column of the log or of a joined table"),
        ({"of": "word", "by": "user", "actions": ["clik"]}, f"{AT}.actions: clik must be a column of log.parquet"),
        ({"of": "word", "by": "user", "actions": ["weight"]}, f"{AT}.actions: weight must be 0 or 1, or missing"),
        (
            {"of": "word", "column": "price"},
            f"{AT}.column: price must hold lists, but found double",
        ),
        (
            {"of": "user", "column": "past"},
            f"{AT}.column: past must hold lists of user (int64), but found lists of str",
        ),
        ({"of": "word"}, f"{AT}.column: s must be a column of the log or of a joined table"),
        ({**LISTED, "times": "few_ms"}, f"{AT}.times: few_ms must be as long as the list of ids in every row"),
        ({**LISTED, "times": "fall_ms"}, f"{AT}.times: fall_ms must rise within a list: the latest event stands last"),
        ({**LISTED, "times": "past_kind"}, f"{AT}.times: past_kind must hold times in its lists"),
        ({**LISTED, "times": "side_ms"}, f"{AT}.times: side_ms must stand in one table with past, but found users.par"),
        ({**LISTED, "actions": "many"}, f"{AT}.actions: many must hold at most 8 different values, but found"),
        (
            {**LISTED, "times": "past_s"},
            f"{AT}.times: past_s must hold times in its lists that lie near the log; numbers are read in ms, as the "
            "log's time, but found 1970-01-",
        ),
        (
            {"of": "user", "column": "far"},
            f"{AT}.column: far must hold int64 in its lists; as doubles they are exact up to 2**53, but found 1152",
        ),
        ({"of": "user", "column": "halves"}, f"{AT}.column: halves must hold int64 in its lists, but found 0.5"),
        ({"of": "word", "by": "click"}, f"{AT}.by: a feature must be known before the label is; click is the label"),
    ],
)
def test_what_is_wrong_is_told_at_its_place(
    tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe, part: dict[str, Any], words: str
) -> None:
    lists = with_lists(columns)
    columns["few_ms"] = pa.array([[0] * 3] * 600)
    columns["fall_ms"] = pa.array([[event[1] for event in reversed(events)] for events in lists])
    columns["many"] = pa.array([[f"k{(n + k) % 12}" for k in range(len(events))] for n, events in enumerate(lists)])
    columns["past_s"] = pa.array([[event[1] // 1000 for event in events] for events in lists])
    columns["halves"], columns["far"] = pa.array([[0.5]] * 600), pa.array([[2.0**60]] * 600)
    write(columns)
    write({"user": np.arange(1, 301), "side_ms": [[1]] * 300}, "users.parquet")
    with pytest.raises(InputError) as error:
        encoded(tmp_path, describe(features=told(s=part), join=JOIN))
    assert words in str(error.value)


def test_a_built_sequence_must_have_days_and_a_time(
    tmp_path: Path, columns: dict[str, Any], write: Write, describe: Describe
) -> None:
    write(columns)
    split = {"random": {"train": 0.8, "validate": 0.1, "test": 0.1}}
    with pytest.raises(ValueError, match=r"sequence watched \(by\) must have a split by days"):
        describe(features=told(watched=WATCHED), split=split)
    columns["past"] = pa.array([["a"]] * 600)
    write(columns)
    log = encoded(tmp_path, describe(features=told(past={"of": "word"}), split=split, time=None))
    assert set(log.histories[0].count_N.tolist()) == {1}
    assert replace(log.histories[0].shape, lengths=()).most == 50
