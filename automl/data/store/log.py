"""An encoded log: columns on disk, memory-mapped by every trial and worker.

Shapes: N examples sorted by time, F id fields, D dense features, T tasks of a teacher.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NotRequired, TypedDict

import numpy as np
from numpy.typing import NDArray

from automl.data.columns.quantiles import quantiles_of
from automl.data.columns.vector_places import plain_among, vectors_among, widths_of
from automl.data.store.folder import ColumnFolder, Kind
from automl.data.store.history import History, HistoryJson, shape_of
from automl.data.store.told import Feature, FeatureJson, Note, NoteJson
from search_spaces.model import InputShape


class LogFacts(TypedDict):
    """What a log says of itself, beside its columns. Windows are spans of rows; `tasks` and `own` are a teacher's.

    `features` of lessons are none: what was missing is not known any more. Of several labels `labels` has the base
    rates of each by window, `given` the place of the one that it is given; `label` and `base_rates` are the first's.
    `buckets` are those of each id field, where any has some.
    """

    fields: list[str]
    dense: list[str]
    windows: dict[str, tuple[int, int]]
    base_rates: dict[str, float]
    fit: list[str]
    label: str
    negatives_kept: float | None
    fingerprint: str
    timed: bool
    timezone: str
    notes: list[NoteJson]
    features: list[FeatureJson]
    tasks: NotRequired[list[str]]
    own: NotRequired[int]
    histories: NotRequired[list[HistoryJson]]
    labels: NotRequired[dict[str, dict[str, float]]]
    given: NotRequired[list[int | None]]
    buckets: NotRequired[list[int]]


LOG: Kind[LogFacts] = Kind("log", "an encoded log", renewed="remove the folder; it is made anew", format=2)


@dataclass(frozen=True, eq=False)
class EncodedLog:
    """A log as arrays: labels, and windows that are fixed. Pickled by its folder: a worker maps the same files.

    ids_NF (int32): 0 is missing or out of vocabulary, k the k-th most frequent id of the fit windows; behind the
    buckets of a field that has some, in which what is out of vocabulary is then.
    dense_ND (float32): standardised over the fit windows, missing is 0. clusters_N: rows that depend share a number.
    A log with a teacher has its logits of each task (teacher_NT, NaN: it says nothing), its age in hours when it said
    so, and the place of the label among the tasks. features: what the windows hold of each, id features first.
    histories: its sequences, in the order of the description.
    Of several labels (labels_NT, NaN: not defined in that row) `label`, its rates and labels_N are those of `primary`.
    """

    folder: Path
    fields: tuple[str, ...]
    dense: tuple[str, ...]
    windows: Mapping[str, slice]
    base_rates: Mapping[str, float]
    fit: tuple[str, ...]
    label: str
    negatives_kept: float | None
    fingerprint: str
    timezone: str  # whose days the windows are made of
    notes: tuple[Note, ...]
    features: tuple[Feature, ...]
    ids_NF: NDArray[np.int32]
    dense_ND: NDArray[np.float32]
    labels_N: NDArray[np.float32]
    weights_N: NDArray[np.float32]
    clusters_N: NDArray[np.int32]
    times_N: NDArray[np.int64] | None
    teacher_NT: NDArray[np.float32] | None = None
    ages_N: NDArray[np.float32] | None = None
    own: int | None = None
    histories: tuple[History, ...] = ()
    labels_NT: NDArray[np.float32] | None = None
    tasks: tuple[str, ...] = ()
    given: tuple[int | None, ...] = (None,)
    primary: int = 0
    buckets: tuple[int, ...] = ()  # of each id field, where any has some

    def __len__(self) -> int:
        return len(self.labels_N)

    @cached_property
    def inputs(self) -> InputShape:
        """What a model is built from: id counts and quantiles of the fit windows."""
        with np.load(self.folder / "id_counts.npz") as counts:
            id_counts = tuple(tuple(counts[f"arr_{k}"].tolist()) for k in range(len(self.fields)))
        rows = sum(self.windows[name].stop - self.windows[name].start for name in self.fit)
        shapes = tuple(history.shape for history in self.histories)
        quantiles = quantiles_of(self.dense_ND, [self.windows[name] for name in self.fit], len(self.plain_dense))
        return InputShape(
            id_counts=id_counts,
            dense=len(self.dense),
            train_rows=rows,
            vectors=widths_of(self.vectors),
            histories=shapes,
            given=self.given,
            quantiles=quantiles,
            names=(*self.fields, *self.plain_dense, *self.vectors, *(history.name for history in self.histories)),
        )

    @property
    def vectors(self) -> Mapping[str, slice]:
        """The places of each vector's numbers in dense_ND."""
        return vectors_among(self.dense)

    @property
    def plain_dense(self) -> tuple[str, ...]:
        """Dense features of one number each, counters among them."""
        return plain_among(self.dense)

    def labelled(self, window: str) -> int:
        """Rows of a window in which the label is defined: of one label all, of several those that the primary has."""
        labels_n = self.labels_N[self.windows[window]]
        return len(labels_n) if self.labels_NT is None else int(np.count_nonzero(~np.isnan(labels_n)))

    def days(self, window: str) -> tuple[tuple[dt.date, slice], ...]:
        """The local days of a window that hold rows, in order, each with its rows; none where the log has no time.

        Where the window is a share of the rows, these are days of its rows and not of the log's.
        """
        rows = self.windows[window]
        if self.times_N is None or rows.start == rows.stop:
            return ()
        from automl.data.columns.times import days_of, midnight  # loads pyarrow: a study is opened without it

        times = self.times_N[rows]
        days = days_of(int(times[0]), int(times[-1]), self.timezone)
        edges = np.searchsorted(times, [midnight(day, self.timezone) for day in days[1:]])
        bounds = [rows.start, *(rows.start + int(edge) for edge in edges), rows.stop]
        spans = zip(days, map(slice, bounds[:-1], bounds[1:]), strict=True)
        return tuple((day, span) for day, span in spans if span.start < span.stop)

    def about(self, task: str | None) -> EncodedLog:
        """The same log, with that one of its labels as the primary."""
        return self if task in (None, self.label) else open_log(self.folder, task)

    def __reduce__(self) -> tuple[Callable[[Path, str], EncodedLog], tuple[Path, str]]:
        return open_log, (self.folder, self.label)


def open_log(folder: Path | str, task: str | None = None) -> EncodedLog:
    """Map an encoded log; `task` is the label that is the primary of several, the first one where it is None.

    Raises:
        InputError: where the folder holds none, or one of another format.
    """
    folder = Path(folder).absolute()
    there = LOG.open(folder)
    facts, taught = there.facts, "own" in there.facts
    several = facts.get("labels", {})
    tasks = tuple(several) or (facts["label"],)
    primary = 0 if task is None else tasks.index(task)
    labels = there.column("labels", np.float32)
    return EncodedLog(
        folder=folder,
        fields=tuple(facts["fields"]),
        dense=tuple(facts["dense"]),
        windows={name: slice(*span) for name, span in facts["windows"].items()},
        base_rates=several.get(tasks[primary], facts["base_rates"]),
        fit=tuple(facts["fit"]),
        label=tasks[primary],
        negatives_kept=facts["negatives_kept"],
        fingerprint=facts["fingerprint"],
        timezone=facts["timezone"],
        notes=tuple(map(Note.of_json, facts["notes"])),
        features=tuple(map(Feature.of_json, facts["features"])),
        ids_NF=there.column("ids", np.int32),
        dense_ND=there.column("dense", np.float32),
        labels_N=labels[:, primary] if several else labels,
        weights_N=there.column("weights", np.float32),
        clusters_N=there.column("clusters", np.int32),
        times_N=there.column("times", np.int64) if facts["timed"] else None,
        teacher_NT=there.column("teacher", np.float32) if taught else None,
        ages_N=there.column("ages", np.float32) if taught else None,
        own=facts.get("own"),
        histories=tuple(_history(there, k, told) for k, told in enumerate(facts.get("histories", ()))),
        labels_NT=labels if several else None,
        tasks=tasks,
        given=tuple(facts.get("given", (None,))),
        primary=primary,
        buckets=tuple(facts.get("buckets", ())),
    )


def _history(there: ColumnFolder[LogFacts], k: int, told: HistoryJson) -> History:
    return History(
        name=told["name"],
        actions=tuple(told["actions"]),
        shape=shape_of(told),
        ids_P=there.column(f"history-{k}-ids", np.int32),
        times_P=there.column(f"history-{k}-times", np.int64) if told["timed"] else None,
        actions_P=there.column(f"history-{k}-actions", np.uint8) if told["actions"] else None,
        stop_N=there.column(f"history-{k}-stop", np.int64),
        count_N=there.column(f"history-{k}-count", np.int32),
    )
