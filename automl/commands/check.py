"""`automl check`: everything that can be known of a study or a space before the search starts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np

from automl.commands.warm import warm_start_of
from automl.files.passed import Passed, Told, unheard, untold
from automl.report.common.formats import counted, number
from automl.report.common.words import positive_words, scale_words
from automl.study.checked import Checked, CheckedFeature, CheckedNote, CheckedWindow
from automl.study.precedents import WarmStart
from automl.study.problem import Problem, problem_of
from automl.study.scaled import loaded_at
from search_spaces.extends import resolve
from search_spaces.source import Document
from search_spaces.space import SearchSpace, space_of

if TYPE_CHECKING:
    from rich.console import Console

    from automl.commands.cost import Floats, Prediction
    from automl.data.store.history import History
    from automl.data.store.log import EncodedLog
    from automl.runtime.host import Room


def space_lines(document: Document) -> list[str]:
    """What a space file means.

    Raises:
        InputError: with every mistake.
    """
    return [_space_line(space_of(resolve(document)))]


@dataclass(frozen=True, slots=True)
class StudyCheck:
    """A study without a mistake: what it means, and what a search of it costs on so many workers."""

    problem: Problem
    answers_ND: Floats  # candidates that stand for its space
    prediction: Prediction
    workers: int

    def lines(self) -> list[str]:
        """For a person."""
        problem, told = self.problem, self.prediction
        return [
            _data_line(problem.log),
            *(_sequence_line(problem.log, history) for history in problem.log.histories),
            *(f"note: {note.text}" for note in problem.log.notes),
            *_warm_lines(problem.warm or WarmStart()),
            *([f"scale {scale_words(problem.scaled)}"] if problem.scaled is not None else []),
            _space_line(problem.space) + _params_words(problem, self.answers_ND),
            *_cost_lines(problem, told, self.workers),
            *(f"note: {note.text}" for note in told.notes),
        ]

    def value(self) -> Checked:
        """For a program."""
        problem, log = self.problem, self.problem.log
        of_log = (
            CheckedNote(at=str(problem.document.at("data", *note.at)), text=note.text, kind=note.kind)
            for note in log.notes
        )
        return Checked(
            windows={name: _window(log, name) for name in log.windows},
            features=dict(_features(log)),
            notes=(*of_log, *_warm_notes(problem.warm or WarmStart()), *self.prediction.notes),
            cost=self.prediction.cost,
        )


def check_study(
    document: Document,
    *,
    workers: int,
    folder: Path | None,
    scale: float | None = None,
    told: Told = untold,
    passed: Passed = unheard,
    room: Room | None = None,
    busy: Callable[[], float] | None = None,
) -> StudyCheck:
    """Read a study, encode its log, train for seconds. What trains is loaded where the file has no mistake.

    `told` hears what takes much of the disk or the memory, before it does, and `passed` how far encoding is. `room` is
    what the machine has, `busy` the CPU seconds of this thread. With `scale` it is about the search at so many times
    the baseline's FLOPs.

    Raises:
        InputError: with every mistake.
    """

    def load(at: Path | None) -> Problem:
        return problem_of(document, at, told, passed, warm=warm_start_of)

    problem = loaded_at(scale, Path(document.file), folder, load)
    from automl.commands.cost import drawn, predicted
    from automl.ranking.place import busy_seconds
    from automl.runtime.host import room as room_of

    answers_ND = drawn(problem)
    there = room_of(problem.folder) if room is None else room
    prediction = predicted(problem, answers_ND, workers, there, busy_seconds if busy is None else busy, told)
    return StudyCheck(problem, answers_ND, prediction, workers)


def pilot_lines(found: StudyCheck, console: Console) -> list[str]:
    """What training the baseline with its seeds tells; progress goes to the console."""
    from automl.commands.pilot import pilot_line

    return [pilot_line(found.problem, found.workers, console)]


def _window(log: EncodedLog, name: str) -> CheckedWindow:
    rows = log.windows[name]
    first, last = (None, None) if log.times_N is None else (log.times_N[rows.start], log.times_N[rows.stop - 1])
    return CheckedWindow(
        rows=rows.stop - rows.start,
        positive=log.base_rates[name],
        first=_moment(first, log.timezone),
        last=_moment(last, log.timezone),
    )


def _moment(nanoseconds: np.int64 | None, timezone: str) -> str | None:
    """ISO 8601 with its offset, to the millisecond."""
    if nanoseconds is None:
        return None
    seconds, rest = divmod(int(nanoseconds), 10**9)
    moment = dt.datetime.fromtimestamp(seconds, ZoneInfo(timezone)).replace(microsecond=rest // 1000)
    return moment.isoformat(timespec="milliseconds")


def _features(log: EncodedLog) -> Iterator[tuple[str, CheckedFeature]]:
    """By name; the second of one name has its kind in brackets."""
    sizes = dict(zip(log.fields, map(len, log.inputs.id_counts), strict=True))
    told = {(feature.name, feature.kind == "categorical"): feature for feature in log.features}
    lists = (history.name for history in log.histories)
    for names, of_ids in ((log.fields, True), ((*log.plain_dense, *log.vectors, *lists), False)):
        for name in names:
            feature = told.get((name, of_ids))
            kind = feature.kind if feature else "categorical" if of_ids else "dense"
            yield (
                f"{name} ({kind})" if not of_ids and name in sizes else name,
                CheckedFeature(
                    kind=kind,
                    vocabulary=sizes[name] if of_ids else None,
                    missing=feature.missing if feature else {},
                    unknown=feature.unknown if feature else {},
                ),
            )


def _data_line(log: EncodedLog) -> str:
    windows = ", ".join(
        f"{name} {rows.stop - rows.start:,} rows ({positive_words(log, name)})" for name, rows in log.windows.items()
    )
    vectors = f", {counted(len(log.vectors), 'vector')}" if log.vectors else ""
    lists = f", {counted(len(log.histories), 'sequence')}" if log.histories else ""
    features = f"{len(log.fields)} id fields, {len(log.plain_dense)} dense{vectors}{lists}"
    return f"data: {windows}; {features}, {_labels(log)}"


def _warm_lines(warm: WarmStart) -> list[str]:
    """What each study says that the search starts warm from."""
    told = ", ".join(f"{counted(count, 'trial')} of {name}" for name, count in warm.counts.items())
    return [*([f"warm start: {told}"] if told else []), *(f"note: {text}" for _, text in warm.notes)]


def _warm_notes(warm: WarmStart) -> Iterator[CheckedNote]:
    return (CheckedNote(at=str(at), text=text, kind="warm") for at, text in warm.notes)


def _labels(log: EncodedLog) -> str:
    if len(log.tasks) == 1:
        return f"label `{log.label}`"
    rates = [positive_words(log.about(task), "train") for task in log.tasks]
    return f"labels {', '.join(f'`{task}`' for task in log.tasks)} (train: {'; '.join(rates)})"


def _sequence_line(log: EncodedLog, history: History) -> str:
    """What the lists of a sequence hold, over all windows and in train."""
    told = next(feature for feature in log.features if (feature.name, feature.kind) == (history.name, "sequence"))
    lengths = ", ".join(f"{told.mean[name] or 0.0:.1f} in {name}" for name in log.windows)
    kinds = zip(history.actions, range(1, history.shape.actions + 1), strict=True)
    actions = "".join(f", {history.shape.mean_length(history.shape.most, k):.1f} {name}" for name, k in kinds)
    of = log.fields[history.shape.field]
    return (
        f"sequence {history.name}: up to {history.shape.most} ids of {of}, {'' if history.shape.timed else 'un'}timed; "
        f"{lengths} on average{f' (train:{actions[1:]})' if actions else ''}; "
        f"{told.missing['train']:.1%} of train are empty, {told.unknown['test']:.1%} of the ids in test are unknown"
    )


def _space_line(space: SearchSpace) -> str:
    size = space.size()
    return f"space: {size.knobs} knobs, {number(size.discrete)} discrete combinations x {size.continuous} continuous"


def _params_words(problem: Problem, answers_ND: Floats) -> str:
    params = problem.space.costing.total(answers_ND).params
    inside = "" if problem.space.locate(problem.baseline) else "; the baseline lies outside"
    return f", {params.min() / 1e6:.2g}M to {params.max() / 1e6:.2g}M parameters{inside}"


def _cost_lines(problem: Problem, told: Prediction, workers: int) -> list[str]:
    from automl.commands.cost import GIB, TRIALS, gib

    cost, config = told.cost, problem.config
    seconds = cost.trial_seconds
    beside = [f"{config.baseline_seeds} trainings of the baseline"]
    if config.search.tune_baseline:
        beside.append(f"{config.search.tune_baseline} that tune it")
    if config.search.repeats:
        beside.append(f"up to {config.search.repeats * TRIALS:.0f} repeats")
    return [
        f"cost: a trial takes {_seconds(seconds.baseline)} CPU seconds (the baseline's), {_seconds(seconds.low)} or "
        f"less in the fastest tenth of the space, {_seconds(seconds.high)} or more in the slowest; {TRIALS} trials "
        f"about {max(cost.search_minutes, 1):.0f} min on {workers} workers, with {', '.join(beside)}",
        f"room: memory up to {gib(told.worker_bytes / GIB)} a worker, {gib(cost.memory_gib)} in all; disk up to "
        f"{gib(cost.disk_gib)}",
    ]


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f}" if seconds < 10 else f"{seconds:.0f}"
