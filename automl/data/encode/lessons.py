"""Lessons as the log of a study: the windows that it lays over them, and ids by their frequency there.

N rows in the order of time, F id fields, D dense features, T tasks of the teacher.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from automl.data.describe.split import split_mistakes
from automl.data.describe.tables import LessonsConfig
from automl.data.encode.common import made_once, spans_of
from automl.data.store.folder import write_columns
from automl.data.store.lessons import LessonLog, open_lessons
from automl.data.store.log import LOG, EncodedLog, open_log
from automl.data.store.told import Note
from automl.data.tables.sources import at_nothing
from automl.data.tables.windows import WINDOWS, DaySplit, Locate, split_of
from automl.files.passed import Passed, Told, unheard, untold
from search_spaces.errors import InputError, Mistake

BLOCK_ROWS = 1 << 18


def encode_lessons(
    config: LessonsConfig,
    base: Path,
    cache: Path,
    *,
    fit: tuple[str, ...] = ("train",),
    where: Locate = at_nothing,
    told: Told = untold,
    passed: Passed = unheard,
) -> EncodedLog:
    """Lessons as the log of a study, made once for each of their contents, windows and `fit`.

    Ids are numbered anew by their frequency in the windows `fit`, so that min_count means what it means for any log.
    Rows outside of the windows are left out. Arguments as of `encode_log` and `encode_plan`.

    Raises:
        InputError: where there are no such lessons, or the windows do not fit them.
    """
    lessons = _opened(config, base, where)
    wrong = split_mistakes(config.split, where)
    if wrong:
        raise InputError(wrong)
    split = split_of(config.split, lessons.facts["timezone"])
    assert isinstance(split, DaySplit)
    windows = _windows(lessons, split)
    _check(lessons, windows, where)
    fingerprint = _fingerprint(lessons, config, fit)
    cache.mkdir(parents=True, exist_ok=True)

    def make(folder: Path) -> None:
        _bind(lessons, windows, folder, fit, fingerprint)

    return open_log(made_once(cache, fingerprint, make, told, passed))


def lessons_fingerprint(config: LessonsConfig, base: Path, fit: tuple[str, ...], where: Locate = at_nothing) -> str:
    """The name that the encoded log would have. Nothing is encoded.

    Raises:
        InputError: where there are no such lessons.
    """
    return _fingerprint(_opened(config, base, where), config, fit)


def _opened(config: LessonsConfig, base: Path, where: Locate) -> LessonLog:
    try:
        return open_lessons(base / config.lessons)
    except InputError as error:
        raise InputError(
            Mistake(where("lessons"), f"lessons {m.must}", m.found, m.hint) for m in error.mistakes
        ) from None


def _fingerprint(lessons: LessonLog, config: LessonsConfig, fit: tuple[str, ...]) -> str:
    what = [LOG.format, lessons.facts["fingerprint"], config.split.model_dump(mode="json"), sorted(fit)]
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()[:16]


def _windows(lessons: LessonLog, split: DaySplit) -> dict[str, slice]:
    """Rows of the lessons by window."""
    starts, ends = (np.searchsorted(lessons.times_N, edges) for edges in (split.starts, split.ends))
    return {name: slice(int(a), int(b)) for name, a, b in zip(WINDOWS, starts, ends, strict=True)}


def _check(lessons: LessonLog, windows: Mapping[str, slice], where: Locate) -> None:
    mistakes = []
    label, cluster = lessons.facts["label"], lessons.facts["cluster"]
    for name, rows in windows.items():
        labels = lessons.labels_N[rows]
        if not len(labels):
            mistakes.append(Mistake(where("split", name), f"the {name} window must hold rows of the lessons", "none"))
        elif np.ptp(labels) == 0:
            found = f"only {labels[0]:g} in {len(labels)} rows"
            must = f"the {name} window must hold both classes of {label}"
            mistakes.append(Mistake(where("split", name), must, found, "NE is not defined for one class"))
    if not mistakes and cluster is not None and np.ptp(lessons.clusters_N[windows["test"]]) == 0:
        must = f"cluster {cluster} must take at least two values in the test window"
        hint = "the finals tell chance from gain by how clusters differ: test on more days"
        mistakes.append(Mistake(where("split", "test"), must, "one", hint))
    if mistakes:
        raise InputError(mistakes)


def _bind(
    lessons: LessonLog, windows: Mapping[str, slice], folder: Path, fit: tuple[str, ...], fingerprint: str
) -> None:
    recodes, counts = _numbering(lessons, [windows[name] for name in fit])
    count = sum(rows.stop - rows.start for rows in windows.values())
    write_columns(folder, count, _blocks(lessons, windows, recodes))
    np.savez(folder / "id_counts.npz", *counts)
    facts = lessons.facts
    LOG.write(
        folder,
        {
            "fields": facts["fields"],
            "dense": facts["dense"],
            "label": facts["label"],
            "negatives_kept": facts["negatives_kept"],
            "timezone": facts["timezone"],
            "tasks": facts["tasks"],
            "own": facts["own"],
            "windows": spans_of({name: rows.stop - rows.start for name, rows in windows.items()}),
            "base_rates": {name: float(lessons.labels_N[rows].mean()) for name, rows in windows.items()},
            "fit": list(fit),
            "fingerprint": fingerprint,
            "timed": True,
            "notes": [note.to_json() for note in _notes(lessons, windows, counts)],
            "features": [],
        },
    )


def _numbering(lessons: LessonLog, fit: list[slice]) -> tuple[list[NDArray[np.int32]], list[NDArray[np.int64]]]:
    """Of each field: new ids by old ones, and how often each new one is seen in the fit windows."""
    recodes, counts = [], []
    for k in range(lessons.ids_NF.shape[1]):
        size = int(lessons.ids_NF[:, k].max(initial=0)) + 1
        seen = sum((np.bincount(lessons.ids_NF[rows, k], minlength=size) for rows in fit), np.zeros(size, np.int64))
        seen[0] = 0  # missing stays missing
        order = np.argsort(-seen, kind="stable")[: np.count_nonzero(seen)]
        recode = np.zeros(size, np.int32)
        recode[order] = np.arange(1, len(order) + 1)
        recodes.append(recode)
        counts.append(seen[order])
    return recodes, counts


def _blocks(
    lessons: LessonLog, windows: Mapping[str, slice], recodes: list[NDArray[np.int32]]
) -> Iterator[dict[str, NDArray[np.generic]]]:
    for window in windows.values():
        for start in range(window.start, window.stop, BLOCK_ROWS):
            rows = slice(start, min(start + BLOCK_ROWS, window.stop))
            ids = lessons.ids_NF[rows]
            yield {
                "ids": np.stack([recode[ids[:, k]] for k, recode in enumerate(recodes)], 1),
                "dense": lessons.dense_ND[rows],
                "labels": lessons.labels_N[rows],
                "weights": np.ones(len(ids), np.float32),
                "clusters": lessons.clusters_N[rows],
                "times": lessons.times_N[rows],
                "teacher": lessons.teacher_NT[rows],
                "ages": lessons.ages_N[rows],
            }


def _notes(lessons: LessonLog, windows: Mapping[str, slice], counts: list[NDArray[np.int64]]) -> list[Note]:
    own, train = lessons.facts["own"], windows["train"]
    share = np.isfinite(lessons.teacher_NT[train, own]).mean()
    outside = len(lessons) - sum(rows.stop - rows.start for rows in windows.values())
    notes = [*map(Note, lessons.facts["notes"]), Note(f"the teacher spoke of {share:.1%} of the training rows")]
    if outside:
        notes.append(Note(f"{outside} of {len(lessons)} rows lie outside of the windows"))
    empty = [field for field, seen in zip(lessons.facts["fields"], counts, strict=True) if not len(seen)]
    return [*notes, *(Note(f"{field} has no value in the fit windows", "feature") for field in empty)]
