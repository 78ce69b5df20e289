"""Every example scored once, every label joined once, whatever ends when; nothing that knows the future."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable
from numpy.typing import NDArray

from automl.exfm.das import system as module
from automl.exfm.das.causality import CausalityError
from automl.exfm.das.reader import NO_SNAPSHOT, DasReader
from automl.exfm.das.scorer import LocalPool, Scores, Snapshot
from automl.exfm.das.system import Das
from automl.exfm.das.tables import augmented_schema
from automl.exfm.das.ticks import Tick, ticks_of
from experiments.das_stream import HOUR_NS, TASKS, DiskStream, load_plain, snapshot_of
from search_spaces.errors import InputError
from tests.worlds.das import VMS, joined_by_loops, make_stream, members_of, windows_of


@pytest.fixture
def stream(tmp_path: Path) -> DiskStream:
    return make_stream(tmp_path / "stream")


@pytest.fixture
def ticks(stream: DiskStream) -> tuple[Tick, ...]:
    return ticks_of(stream.times_N, windows_of(stream), HOUR_NS)


def das_of(folder: Path, stream: DiskStream, **others: Any) -> Das:
    pool = others.pop("pool", LocalPool(stream, load_plain, batch_rows=64))
    members = others.pop("members", members_of(stream))
    vms = others.pop("vms", VMS)
    return Das(folder, stream, members, vms, TASKS, others.pop("policy", "hourly"), pool, **others)


def table_of(folder: Path, name: str) -> pa.Table:
    return DeltaTable(str(folder / "das" / name)).to_pyarrow_table()


def run(folder: Path, stream: DiskStream, ticks: tuple[Tick, ...]) -> Das:
    das = das_of(folder, stream)
    for tick in ticks:
        das.advance(tick, snapshot_of(folder, tick) if tick.index else None)
    return das


def labels_in(folder: Path) -> Counter[tuple[int, int, int]]:
    table = table_of(folder, "augmented")
    found: Counter[tuple[int, int, int]] = Counter()
    for task, name in enumerate(TASKS):
        part = table.filter(pc.is_valid(table[f"label_{name}"]))
        found.update(
            (e, task, t) for e, t in zip(part["example_id"].to_pylist(), part["tick"].to_pylist(), strict=True)
        )
    return found


def test_labels_are_joined_as_loops_would_join_them(
    tmp_path: Path, stream: DiskStream, ticks: tuple[Tick, ...]
) -> None:
    das = run(tmp_path, stream, ticks)
    wanted = joined_by_loops(stream, members_of(stream), ticks)
    assert labels_in(tmp_path) == Counter(wanted)
    assert das.counts.labels == len(wanted)
    assert das.waiting == int(
        sum(
            np.isfinite(stream.labels_NT[row, task]) and 8 * HOUR_NS <= stream.arrivals_NT[row, task] < 2**63 - 1
            for row in table_of(tmp_path, "scored")["row"].to_pylist()
            for task in range(2)
        )
    )


def test_each_example_of_a_student_is_scored_once(tmp_path: Path, stream: DiskStream, ticks: tuple[Tick, ...]) -> None:
    das = run(tmp_path, stream, ticks)
    members = members_of(stream)
    scored = table_of(tmp_path, "scored")
    wanted = set(stream.examples_N[members.any(1)].tolist())
    assert Counter(scored["example_id"].to_pylist()) == Counter(wanted)
    assert das.counts.examples == len(wanted)
    assert das.counts.duplicates == int(members.any(1).sum()) - len(wanted) > 0
    first = len(scored.filter(pc.field("tick") == 0))
    assert das.counts.scored == das.counts.calls == sum(das.counts.ages) == len(wanted) - first
    assert das.counts.coverage == pytest.approx(1 - first / len(wanted))


def test_predictions_are_those_of_the_snapshot(tmp_path: Path, stream: DiskStream, ticks: tuple[Tick, ...]) -> None:
    run(tmp_path, stream, ticks)
    scored = table_of(tmp_path, "scored").sort_by("row")
    told = scored.filter(pc.field("tick") > 0)
    rows, shift = told["row"].to_numpy(), told["tick"].to_numpy()
    np.testing.assert_allclose(told["fm_logit_click"], stream.ids_NF[rows].sum(1) / 50 + shift, rtol=1e-6)
    np.testing.assert_allclose(
        told["fm_prediction_click"], 1 / (1 + np.exp(-told["fm_logit_click"].to_numpy())), rtol=1e-6
    )
    assert told["fm_snapshot"].to_pylist() == [f"snapshot-{k}" for k in shift]
    untold = scored.filter(pc.field("tick") == 0)
    assert all(untold[name].null_count == len(untold) for name in untold.column_names if name.startswith("fm_"))


def test_a_student_reads_its_rows_and_columns(tmp_path: Path, stream: DiskStream, ticks: tuple[Tick, ...]) -> None:
    das = run(tmp_path, stream, ticks)
    small = members_of(stream)[:, 0]
    for window in windows_of(stream):
        every, mine = das.read(window.name), das.read(window.name, "small", ["convert"])
        np.testing.assert_array_equal(mine.rows_N, every.rows_N[small[every.rows_N]])
        np.testing.assert_array_equal(mine.labels_NT[:, 0], every.labels_NT[small[every.rows_N], 1])
        np.testing.assert_array_equal(mine.logits_NT[:, 0], every.logits_NT[small[every.rows_N], 1])
        np.testing.assert_array_equal(every.scored_at_N, stream.times_N[every.rows_N])
    parts = [das.read(tick) for tick in ticks[:4]]
    np.testing.assert_array_equal(
        np.concatenate([part.rows_N for part in parts]), das.read(ticks[0].window_name).rows_N
    )
    assert (parts[0].trained_to_N == NO_SNAPSHOT).all()
    assert np.isnan(parts[0].logits_NT).all()
    for part, tick in zip(parts, ticks, strict=False):
        assert (part.arrived_N < tick.end_ns).all()
        at = np.isfinite(part.labels_NT)
        np.testing.assert_array_equal(part.labels_NT[at], stream.labels_NT[part.rows_N][at])
    with pytest.raises(InputError, match="small, all"):
        das.read(ticks[0], "large")


def test_a_late_prediction_reaches_the_row_that_waited(
    tmp_path: Path, stream: DiskStream, ticks: tuple[Tick, ...]
) -> None:
    """The teacher's word is of the impression, though the label comes hours later."""
    das = run(tmp_path, stream, ticks)
    late = das.read(ticks[5])
    waited = late.scored_at_N < ticks[5].start_ns
    assert waited.any()
    shift = late.scored_at_N // HOUR_NS
    wanted = stream.ids_NF[late.rows_N].sum(1) / 50 + shift
    np.testing.assert_allclose(late.logits_NT[:, 0], np.where(shift > 0, wanted, np.nan), rtol=1e-6)


def test_late_and_never(tmp_path: Path, stream: DiskStream, ticks: tuple[Tick, ...]) -> None:
    das = das_of(tmp_path, stream, horizon_ns=HOUR_NS, pool=None)
    for tick in ticks:
        das.advance(tick, None)
    rows = table_of(tmp_path, "scored")["row"].to_numpy()
    arrivals, defined = stream.arrivals_NT[rows], np.isfinite(stream.labels_NT[rows])
    never = defined & (arrivals == 2**63 - 1)
    late = defined & ~never & (arrivals - stream.times_N[rows][:, None] > HOUR_NS)
    assert (das.counts.never, das.counts.late) == (int(never.sum()), int(late.sum()))
    assert das.counts.never > 0
    assert das.counts.labels + das.waiting == int((defined & ~never & ~late).sum())


def test_a_tick_that_is_done_is_left_alone(tmp_path: Path, stream: DiskStream, ticks: tuple[Tick, ...]) -> None:
    das = run(tmp_path, stream, ticks[:3])
    before = das.counts, DeltaTable(str(tmp_path / "das" / "scored")).version()
    das.advance(ticks[1], snapshot_of(tmp_path, ticks[1]))
    assert (das.counts, DeltaTable(str(tmp_path / "das" / "scored")).version()) == before
    assert das.committed == 3
    with pytest.raises(ValueError, match="tick 3 must be next"):
        das.advance(ticks[4], None)


def test_a_restart_at_every_tick_changes_nothing(tmp_path: Path, stream: DiskStream, ticks: tuple[Tick, ...]) -> None:
    whole = run(tmp_path / "whole", stream, ticks)
    for tick in ticks:
        with das_of(tmp_path / "parts", stream) as das:
            assert das.committed == tick.index
            das.advance(tick, snapshot_of(tmp_path / "parts", tick) if tick.index else None)
            waiting, counts = das.waiting, das.counts
    assert waiting == whole.waiting
    assert replace(counts, seconds=0, core_seconds=0) == replace(whole.counts, seconds=0, core_seconds=0)
    for name in ("scored", "augmented"):
        ours, theirs = (
            table_of(tmp_path / run, name).sort_by([("tick", "ascending"), ("row", "ascending")])
            for run in ("whole", "parts")
        )
        assert ours.equals(theirs)


class EndedError(Exception):
    """The process was ended here."""


@pytest.mark.parametrize("where", ["before the scored commit", "between the commits", "after both"])
def test_a_crash_in_a_tick_is_finished_by_the_next_call(
    tmp_path: Path, stream: DiskStream, ticks: tuple[Tick, ...], where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    das = run(tmp_path, stream, ticks[:3])
    if where != "after both":
        table = das._scored if where.startswith("before") else das._augmented
        monkeypatch.setattr(type(table), "append", end_at(table.folder, type(table).append))
        with pytest.raises(EndedError):
            das.advance(ticks[3], snapshot_of(tmp_path, ticks[3]))
        monkeypatch.undo()
    else:
        das.advance(ticks[3], snapshot_of(tmp_path, ticks[3]))
    das.close()
    calls = Counted(stream)
    with das_of(tmp_path, stream, pool=calls) as again:
        for tick in ticks[3:]:
            again.advance(tick, snapshot_of(tmp_path, tick))
        assert again.committed == len(ticks)
    assert calls.snapshots == [f"snapshot-{k}" for k in range(3 if where.startswith("before") else 4, len(ticks))]
    assert labels_in(tmp_path) == Counter(joined_by_loops(stream, members_of(stream), ticks))
    assert max(Counter(table_of(tmp_path, "scored")["example_id"].to_pylist()).values()) == 1


def end_at(folder: Path, append: Any) -> Any:
    def ended(table: Any, *arguments: Any) -> None:
        if table.folder == folder:
            raise EndedError
        append(table, *arguments)

    return ended


class Counted:
    """A pool that remembers what it was asked."""

    def __init__(self, stream: DiskStream) -> None:
        self._pool, self.snapshots = LocalPool(stream, load_plain), list[str]()

    def score(self, rows_N: NDArray[np.int64], snapshot: Snapshot) -> Scores:
        self.snapshots.append(snapshot.name)
        return self._pool.score(rows_N, snapshot)


def test_what_a_killed_writer_left_is_removed(tmp_path: Path, stream: DiskStream, ticks: tuple[Tick, ...]) -> None:
    run(tmp_path, stream, ticks[:2]).close()
    table = tmp_path / "das" / "scored"
    partition = next(path for path in table.iterdir() if path.name.startswith("window="))
    left = [
        partition / "part-00000-x.snappy.parquet",
        partition / "part-00001-x.snappy.parquet#1",
        table / "_delta_log" / "00000000000000000099.json#1",
    ]
    for path in left:
        path.write_bytes(b"half")
    rows = len(table_of(tmp_path, "scored"))
    with das_of(tmp_path, stream) as das:
        assert not any(path.exists() for path in left)
        assert das.committed == 2
        assert das.counts.examples == rows == len(table_of(tmp_path, "scored"))


@pytest.mark.parametrize("what", ["trained", "published", "own"])
def test_a_snapshot_of_the_future_is_refused(
    tmp_path: Path, stream: DiskStream, ticks: tuple[Tick, ...], what: str
) -> None:
    das = run(tmp_path, stream, ticks[:2])
    snapshot = snapshot_of(tmp_path, ticks[2])
    first = int(das._rows_of(ticks[2])[0])
    if what == "trained":
        snapshot = replace(snapshot, trained_to_ns=int(stream.times_N[first]) + 1)
        words = f"snapshot-2 must have seen no label that arrived after .*row {first} "
    elif what == "own":
        snapshot = replace(snapshot, trained_to_ns=int(stream.times_N[first]))
        words = f"snapshot-2 must not have seen the row's own label.*row {first} "
    else:
        snapshot = replace(snapshot, published_ns=ticks[2].start_ns + 1)
        words = "snapshot-2 must be published when tick 2 starts"
    with pytest.raises(CausalityError, match=words):
        das.advance(ticks[2], snapshot)
    assert das.committed == 2
    assert pc.max(table_of(tmp_path, "scored")["tick"]).as_py() == 1
    das.advance(ticks[2], snapshot_of(tmp_path, ticks[2]))
    assert das.committed == 3


@pytest.mark.parametrize("what", ["future", "unnamed"])
def test_a_prediction_of_the_future_in_the_table_is_refused(
    tmp_path: Path, stream: DiskStream, ticks: tuple[Tick, ...], what: str
) -> None:
    das = run(tmp_path, stream, ticks[:2])
    rows = (
        table_of(tmp_path, "augmented")
        .filter((pc.field("tick") == 1) & pc.is_valid(pc.field("fm_snapshot")))
        .slice(0, 3)
    )
    planted = pa.array(
        rows["time"].to_numpy() + np.array([-1, 5, -1]) if what == "future" else [0, None, 0], pa.int64()
    )
    rows = rows.set_column(rows.schema.get_field_index("fm_trained_to"), "fm_trained_to", planted)
    stamped = rows.set_column(rows.schema.get_field_index("tick"), "tick", pa.array([2] * 3, pa.int32()))
    das._augmented.append(2, 3 * HOUR_NS, stamped.select(augmented_schema(TASKS).names), das.counts)
    words = f"row {rows['row'][1]} of the stream.*1 rows of 3" if what == "future" else "must name its snapshot"
    with pytest.raises(CausalityError, match=words):
        DasReader(tmp_path, stream).read(ticks[2])
    assert len(das.read(ticks[1])) > 0


def test_one_writer_of_one_kind(tmp_path: Path, stream: DiskStream, ticks: tuple[Tick, ...]) -> None:
    das = run(tmp_path, stream, ticks[:1])
    with pytest.raises(InputError, match="must not be in use"):
        das_of(tmp_path, stream)
    das.close()
    for other in ({"policy": "daily"}, {"vms": ("a", "b")}, {"members": ~members_of(stream)}, {"horizon_ns": HOUR_NS}):
        with pytest.raises(InputError, match="must be of the same"):
            das_of(tmp_path, stream, **other)
    with das_of(tmp_path, stream) as again:
        assert again.committed == 1


def test_a_reader_follows_a_writer(tmp_path: Path, stream: DiskStream, ticks: tuple[Tick, ...]) -> None:
    with pytest.raises(InputError, match="must hold an augmented log"):
        DasReader(tmp_path, stream)
    das = run(tmp_path, stream, ticks[:1])
    reader = DasReader(tmp_path, stream)
    assert (reader.committed, reader.vms, reader.tasks, reader.policy) == (1, VMS, TASKS, "hourly")
    das.advance(ticks[1], snapshot_of(tmp_path, ticks[1]))
    assert reader.committed == 2
    np.testing.assert_array_equal(reader.read(ticks[1]).rows_N, das.read(ticks[1]).rows_N)
    with pytest.raises(InputError, match="must be of the stream"):
        DasReader(tmp_path, replace(stream, fingerprint="other"))


def test_commits_tell_what_they_did(tmp_path: Path, stream: DiskStream, ticks: tuple[Tick, ...]) -> None:
    run(tmp_path, stream, ticks[:3])
    table = DeltaTable(str(tmp_path / "das" / "scored"))
    assert table.transaction_version("hourly") == 2
    assert json.loads(table.history(1)[0]["counts"])["examples"] == len(table_of(tmp_path, "scored"))


def test_students_may_be_as_many_as_bits(tmp_path: Path, stream: DiskStream, ticks: tuple[Tick, ...]) -> None:
    rng = np.random.default_rng(0)
    members = rng.random((len(stream.times_N), module.MAX_VMS)) < 0.05
    names = [f"vm{k}" for k in range(module.MAX_VMS)]
    with das_of(tmp_path, stream, members=members, vms=names) as das:
        das.advance(ticks[0], None)
        every = das.read(ticks[0]).rows_N
        for k in (0, 31, 62):
            np.testing.assert_array_equal(das.read(ticks[0], names[k]).rows_N, every[members[every, k]])
    with pytest.raises(ValueError, match="1 to 63 students"):
        das_of(tmp_path, stream, members=np.ones((len(stream.times_N), 64), bool), vms=[*names, "one more"])
