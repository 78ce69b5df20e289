"""What is guessed from columns alone: roles, windows, leaks; and that the draft encodes as it is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from automl.data.describe.tables import DataConfig
from automl.data.draft.drafting import draft
from automl.data.encode.log import encode_log
from automl.data.simulated.log import simulate
from search_spaces.errors import InputError
from search_spaces.source import read_text

Write = Callable[..., Path]


def config_of(text: str) -> DataConfig:
    tree = read_text(text, "study.yaml").data
    assert isinstance(tree, dict)
    return DataConfig.model_validate(tree["data"], strict=True)


def test_a_simulated_log_is_drafted_without_its_leaks(tmp_path: Path) -> None:
    done = simulate(tmp_path, rows=20_000, users=500, items=200)
    found = draft(tmp_path / "log.parquet")
    assert (found.label, found.time, found.unit, found.cluster) == ("click", "time_ms", "ms", "user_id")
    assert {name for name, _ in found.categorical} == {"user_id", "item_id", "tab"}
    reason = "only ever set on positive rows: known after the label?"
    assert found.left_out == (("convert", reason), ("dwell_ms", reason))
    assert found.windows == tuple(done.windows.values())
    assert found.lines()[0].startswith("time `time_ms` (ms, UTC), label `click` (")
    log = encode_log(config_of(found.yaml(tmp_path / "log.parquet")), Path("/"), tmp_path / "cache")
    assert log.fields == ("user_id", "item_id", "tab", "@hour")


def test_roles_by_values_and_names(tmp_path: Path, write: Write) -> None:
    rng = np.random.default_rng(0)
    rows = 5000
    label = rng.integers(0, 2, rows)
    days = rng.integers(0, 20, rows)
    write(
        {
            "ts": pa.array(1_700_000_000 + days * 86_400 + rng.integers(0, 86_400, rows)),
            "label": label,
            "price": np.exp(2 * rng.normal(size=rows)),
            "score": rng.normal(size=rows),
            "shop_id": rng.integers(0, 3000, rows),
            "yes": rng.choice(["a", "b"], rows),
            "with: colon": rng.choice(["a", "b"], rows),
            "level": rng.integers(0, 5, rows),
            "event": [f"e{k}" for k in range(rows)],
            "same": np.ones(rows),
            "is_purchase": (label == 1) & (rng.random(rows) < 0.5),
            "echo": label + 0.1 * rng.normal(size=rows),
            "yyyymmdd": 20_240_101 + days,
            "list": pa.array([[1]] * rows),
            "sample_weight": rng.random(rows),
        }
    )
    found = draft("log.parquet", tmp_path)
    assert (found.label, found.time, found.unit, found.weight, found.cluster) == (
        "label",
        "ts",
        "s",
        "sample_weight",
        None,
    )
    assert found.categorical == (("shop_id", 2), ("yes", 1), ("with: colon", 1), ("level", 1))
    assert found.dense == (("price", "log"), ("score", "standardize"))
    left = dict(found.left_out)
    assert set(left) == {"event", "same", "is_purchase", "echo", "yyyymmdd", "list"}
    assert "tells the label almost alone" in left["echo"]
    assert "only ever set on positive rows" in left["is_purchase"]
    assert [(last - first).days for first, last in found.windows[1:]] == [2, 2]
    log = encode_log(config_of(found.yaml()), tmp_path, tmp_path / "cache")
    assert log.dense == ("price", "score")


def test_without_time_the_split_is_random(tmp_path: Path, write: Write) -> None:
    rng = np.random.default_rng(0)
    write({"is_click": rng.integers(0, 2, 500), "user_id": rng.integers(0, 50, 500)})
    found = draft("log.parquet", tmp_path)
    assert found.time is None
    assert found.windows == ()
    config = config_of(found.yaml())
    assert config.split.random is not None
    assert len(encode_log(config, tmp_path, tmp_path / "cache")) == 500


def test_a_label_that_cannot_be_told_is_asked_for(tmp_path: Path, write: Write) -> None:
    rng = np.random.default_rng(0)
    write({"a": rng.integers(0, 2, 100), "b": rng.integers(0, 2, 100), "c": rng.normal(size=100)})
    with pytest.raises(InputError, match="2 of them: a, b"):
        draft("log.parquet", tmp_path)
    with pytest.raises(InputError, match="label c must hold 0 and 1"):
        draft("log.parquet", tmp_path, label="c")
    with pytest.raises(InputError, match="d must be a column of the table"):
        draft("log.parquet", tmp_path, label="d")
    assert draft("log.parquet", tmp_path, label="b").label == "b"
    write({"c": rng.normal(size=100)}, "none.parquet")
    with pytest.raises(InputError, match="must be the label, but found none"):
        draft("none.parquet", tmp_path)


def test_kuairand_is_drafted_without_what_happens_after_the_click(kuairand: Path) -> None:
    found = draft("log.parquet", kuairand, timezone="Asia/Shanghai")
    assert (found.label, found.time, found.unit) == ("is_click", "time_ms", "ms")
    assert [name for name, _ in found.categorical] == ["user_id", "video_id", "hourmin", "tab"]
    assert [name for name, _ in found.dense] == ["duration_ms"]
    assert found.windows[2] == (dt.date(2022, 5, 7), dt.date(2022, 5, 8))


def log_of(**columns: Any) -> dict[str, Any]:
    """A log of 400 rows over ten days with these columns beside a user and a label."""
    rng = np.random.default_rng(4)
    rows = 400
    return {
        "user_id": rng.integers(0, 30, rows),
        "click": rng.integers(0, 2, rows),
        "price": np.exp(rng.normal(size=rows)).round(2),
        **{name: values(rng, rows) if callable(values) else values for name, values in columns.items()},
    }


def stamps(rng: np.random.Generator, rows: int) -> Any:
    return pd.to_datetime("2024-03-01") + pd.to_timedelta(rng.integers(0, 10 * 86_400, rows), unit="s")


@pytest.mark.parametrize(
    ("column", "values", "reason"),
    [
        ("nothing", lambda _, rows: pa.nulls(rows), "constant"),
        ("maker", lambda _, rows: pa.nulls(rows, pa.dictionary(pa.int32(), pa.string())), "constant"),
        ("@version", lambda _, rows: ["1", "2"] * (rows // 2), "@ begins the names"),
        ("day_text", lambda rng, rows: stamps(rng, rows).strftime("%Y-%m-%d"), "a date as text"),
        ("week", lambda rng, rows: stamps(rng, rows).strftime("%G-W%V"), "a date as text"),
        ("parts", lambda _, rows: [{"a": 1}] * rows, "holds structs"),
        ("raw", lambda _, rows: [b"a", b"\xff"] * (rows // 2), "cannot be read"),
        ("signup", lambda rng, rows: stamps(rng, rows).strftime("%d/%m/%Y %H:%M"), "day or month first"),
        ("tags", lambda _, rows: [[1, 2]] * rows, "holds lists"),
        ("took", lambda _, rows: pa.array([5, 6] * (rows // 2), pa.duration("s")), "holds spans of time"),
        ("version", lambda _, rows: 2**60 + np.arange(rows), "one value a row"),
    ],
)
def test_a_column_that_is_no_feature_is_left_out_with_its_reason(
    tmp_path: Path, write: Write, column: str, values: Any, reason: str
) -> None:
    write(log_of(ts=stamps, **{column: values}))
    found = draft("log.parquet", tmp_path)
    assert found.time == "ts"
    assert reason in dict(found.left_out)[column]


def test_lists_of_ids_are_a_sequence_in_comments(tmp_path: Path, write: Write) -> None:
    def past(rng: np.random.Generator, rows: int) -> list[list[int]]:
        return [rng.integers(10**6, 10**6 + 60, k % 5).tolist() for k in range(rows)]

    write(
        log_of(
            ts=lambda _, rows: stamps(np.random.default_rng(7), rows),
            ad_id=lambda rng, rows: 7 * rng.integers(10**6, 10**6 + 50, rows),
            seen=lambda rng, rows: [[7 * k for k in row] for row in past(rng, rows)],
            words=past,
            seen_ts=lambda _, rows: [[time] for time in stamps(np.random.default_rng(7), rows)],
        )
    )
    found = draft("log.parquet", tmp_path)
    assert found.lists == (("seen", "ad_id"),)
    assert dict(found.left_out)["words"] == "holds lists"
    assert dict(found.left_out)["seen_ts"] == "lists of times: those of a sequence's events are its `times`"
    assert "    # sequence:    # where the lists are known before the row\n    #   seen: {of: ad_id}\n" in found.yaml()
    assert "lists of ids, commented: seen (of ad_id)" in found.lines()


def test_large_ids_that_come_and_go_are_no_clock(tmp_path: Path, write: Write) -> None:
    write(log_of(ts=stamps, ad_id=lambda rng, rows: 2**60 + rng.integers(0, 50, rows)))
    assert "ad_id" in dict(draft("log.parquet", tmp_path).categorical)


@pytest.mark.parametrize(("form", "wanted"), [("%Y%m%d", "%Y%m%d"), ("%y%m%d%H", "%y%m%d%H"), ("%Y%m%d%H", "%Y%m%d%H")])
def test_days_and_hours_as_they_are_written_are_times(tmp_path: Path, write: Write, form: str, wanted: str) -> None:
    write(log_of(hour=lambda rng, rows: stamps(rng, rows).strftime(form).astype("int64")))
    found = draft("log.parquet", tmp_path)
    assert (found.time, found.form, found.unit) == ("hour", wanted, None)
    assert found.windows[0][0] == dt.date(2024, 3, 1)
    encode_log(config_of(found.yaml()), tmp_path, tmp_path / "cache")


def test_a_time_finer_than_days_is_taken(tmp_path: Path, write: Write) -> None:
    write(log_of(date=lambda rng, rows: stamps(rng, rows).strftime("%Y%m%d").astype("int64"), ts=stamps))
    assert draft("log.parquet", tmp_path).time == "ts"


@pytest.mark.parametrize("separator", [",", ";", "|", "\t"])
def test_a_text_file_is_drafted_as_its_values_look(tmp_path: Path, separator: str) -> None:
    zips = [f"{k % 40:05d}" for k in range(400)]
    frame = pd.DataFrame(log_of(ts=stamps, zip=zips, item=lambda rng, rows: rng.integers(0, 90, rows)))
    frame["click"] = frame["click"] == 1
    frame.to_csv(tmp_path / "log.csv", index=False, sep=separator)
    found = draft("log.csv", tmp_path)
    assert (found.label, found.time) == ("click", "ts")
    assert {"user_id", "zip"} <= set(dict(found.categorical))
    assert "price" in dict(found.dense)
    log = encode_log(config_of(found.yaml()), tmp_path, tmp_path / "cache")
    assert len(log.inputs.id_counts[log.fields.index("zip")]) == 40


def test_a_file_without_a_header_is_told(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("1,2024,0.5\n0,2024,0.7\n")
    with pytest.raises(InputError, match="must name its columns in its first line, but found 1, 2024"):
        draft("log.csv", tmp_path)


def test_a_table_of_numbers_alone_has_its_coarsest_one_as_categorical(tmp_path: Path, write: Write) -> None:
    rng = np.random.default_rng(5)
    numbers = {"click": rng.integers(0, 2, 900), "x": rng.normal(size=900), "y": rng.normal(size=900)}
    write({**numbers, "wide": rng.integers(0, 500, 900), "narrow": rng.integers(0, 400, 900)})
    found = draft("log.parquet", tmp_path)
    assert found.categorical == (("narrow", 1),)
    assert {name for name, _ in found.dense} == {"x", "y", "wide"}
    write(numbers)
    with pytest.raises(InputError, match=r"at least one column must hold ids.*only fractions: x, y"):
        draft("log.parquet", tmp_path)


def test_of_a_wide_table_only_words_and_ids_are_categorical(tmp_path: Path, write: Write) -> None:
    rng = np.random.default_rng(5)
    counts = {f"n_{k}": rng.integers(0, 3, 400) for k in range(120)}
    write({"click": rng.integers(0, 2, 400), **counts, "site_id": rng.integers(0, 9, 400), "word": ["a", "b"] * 200})
    found = draft("log.parquet", tmp_path)
    assert found.categorical == (("site_id", 1), ("word", 1))
    assert {name for name, _ in found.dense} == set(counts)


def test_whole_numbers_that_may_be_ids_are_read_as_both(tmp_path: Path, write: Write) -> None:
    rng = np.random.default_rng(5)
    seen, cents = rng.permutation(np.arange(6000) % 200), rng.integers(0, 200, 6000) * 101
    write({"click": rng.integers(0, 2, 6000), "d": seen, "cents": cents, "word": ["a", "b"] * 3000})
    found = draft("log.parquet", tmp_path)
    assert found.categorical == (("d", 1), ("word", 1))
    assert {name for name, _ in found.dense} == {"d", "cents"}


def test_ids_that_are_sorted_within_a_day_are_no_clock(tmp_path: Path, write: Write) -> None:
    rng = np.random.default_rng(5)
    days = np.repeat(np.arange(10), 800)
    homes = np.sort(rng.integers(1, 900, (10, 800)), axis=1).ravel()
    upcs = rng.choice(10_000_000_000 + rng.integers(0, 10**9, 300), 8000)
    begun = 1_704_067_200_000 + 86_400_000 * days
    write({"time_ms": begun, "click": rng.integers(0, 2, 8000), "home_id": homes, "campaign_id": days, "item": upcs})
    found = draft("log.parquet", tmp_path)
    assert [name for name, _ in found.categorical] == ["home_id", "item"]
    assert [name for name, _ in found.left_out] == ["campaign_id"]


def test_values_that_are_new_in_the_later_windows_are_left_out(tmp_path: Path, write: Write) -> None:
    rng = np.random.default_rng(5)
    times = 1_704_067_200_000 + np.sort(rng.integers(0, 14 * 86_400_000, 8000))
    day = (times - times[0]) // 86_400_000
    campaign = np.where(day < 10, rng.integers(0, 9, 8000), rng.integers(9, 12, 8000))
    items = rng.integers(0, 90, 8000)
    write({"time_ms": times, "click": rng.integers(0, 2, 8000), "campaign": campaign, "item": items})
    found = draft("log.parquet", tmp_path)
    assert found.categorical == (("item", 1),)
    assert found.left_out == (("campaign", "new in the later windows: its values there are never seen in training"),)


@pytest.mark.parametrize("name", ["Zeit", "t"])
@pytest.mark.parametrize("form", ["text", "ms"])
def test_a_time_of_any_name_is_told_by_its_values(tmp_path: Path, write: Write, name: str, form: str) -> None:
    rng = np.random.default_rng(5)
    ms = 1_704_067_200_000 + np.sort(rng.integers(0, 14 * 86_400_000, 900))
    text = pa.array(ms).cast(pa.timestamp("ms")).cast(pa.string())
    write({name: text if form == "text" else ms, "click": rng.integers(0, 2, 900), "item": rng.integers(0, 9, 900)})
    found = draft("log.parquet", tmp_path)
    assert found.time == name
    assert len(found.windows) == 3


def test_seconds_with_a_fraction_are_a_time(tmp_path: Path, write: Write) -> None:
    rng = np.random.default_rng(5)
    seconds = 1_704_067_200 + np.sort(rng.random(900)) * 14 * 86_400
    write({"timestamp": seconds, "click": rng.integers(0, 2, 900), "item": rng.integers(0, 9, 900)})
    found = draft("log.parquet", tmp_path)
    assert (found.time, found.unit, found.dense) == ("timestamp", "s", ())


def test_a_day_without_hours_has_no_hour(tmp_path: Path, write: Write) -> None:
    rng = np.random.default_rng(5)
    days = pa.array(np.sort(rng.integers(19_723, 19_733, 900)).astype("int32")).cast(pa.date32())
    write({"day": days, "click": rng.integers(0, 2, 900), "item": rng.integers(0, 9, 900)})
    assert "@hour" not in draft("log.parquet", tmp_path).yaml()
    write({"time": days.cast(pa.timestamp("ms")), "click": rng.integers(0, 2, 900), "item": rng.integers(0, 9, 900)})
    assert "@hour" in draft("log.parquet", tmp_path).yaml()
