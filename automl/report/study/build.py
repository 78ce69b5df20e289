"""From a study's record to what the report shows."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

from automl.data.describe.split import SplitConfig
from automl.data.describe.tables import DataConfig, LabelConfig, LessonsConfig
from automl.data.store.log import EncodedLog
from automl.report.common.formats import combinations, counted
from automl.report.common.words import positive_words
from automl.report.study.data import MOST_FOR_IMPORTANCE, ReportData, StudyFacts
from automl.report.study.notes import predictor_notes
from automl.report.study.warm import warm_notes
from automl.strategies.foretold import track_record
from automl.strategies.picks import Pick, picks, roles
from automl.study.claims import finals_of, is_recorded_log, recorded_file
from automl.study.config import QpsConfig, StudyConfig
from automl.study.facts import Facts
from automl.study.history import History, State
from automl.study.record import Study, measured_history
from automl.study.results import Finals
from automl.study.scale_up import core_seconds
from search_spaces.errors import InputError
from search_spaces.space import SearchSpace

MIN_FOR_IMPORTANCE = 12  # complete trials


def report_data(
    study: Study, space: SearchSpace, log: EncodedLog | None, config: StudyConfig, folder: Path
) -> ReportData:
    """Everything of a report. `log` is the study's encoded log, where it is still there.

    Raises:
        InputError: where the baseline is not measured yet: every figure is against it.
    """
    history = measured_history(study, folder)
    complete = len(history.of_state(State.COMPLETE))
    finals, foreign = finals_of(folder, study.facts, history.trials)
    chosen = chosen_picks(space, history, config, finals)
    return ReportData(
        facts=_facts(study, space, log, config, folder),
        history=history,
        tuning=study.tuning(),
        scale_up=study.scale_up(),
        brought=next((trial.candidate.model for trial in study.baselines.brought), None),
        finals=finals,
        picks=roles(chosen),
        expected={pick.trial: pick.shrunken_gain_pct for pick in chosen},
        importances=study.importances(MOST_FOR_IMPORTANCE) if complete >= MIN_FOR_IMPORTANCE else {},
        rankings=track_record(history),
        notes=(*([foreign] if foreign else []), *warm_notes(space, history, config), *predictor_notes(history)),
    )


def chosen_picks(space: SearchSpace, history: History, config: StudyConfig, finals: Finals | None) -> tuple[Pick, ...]:
    """The picks that the finals tested (they had seen repeats); those of the search alone before the finals, or where
    the search has gone on since."""
    if finals is not None and finals.trials == sum(trial.ended for trial in history.trials):
        return tuple(Pick(pick.trial, pick.role, pick.confirmed_ne_gain_pct) for pick in finals.picks)
    return picks(space, history, seed=config.seed, margin_pct=config.finals.margin_pct)


def _facts(study: Study, space: SearchSpace, log: EncodedLog | None, config: StudyConfig, folder: Path) -> StudyFacts:
    run, size = study.facts, space.size()
    return StudyFacts(
        name=config.name,
        run=run,
        command=run.command or f"automl search {Path(run.study_file).name}",
        data=_data_words(config.data, log, config.task),
        space=f"{config.space}, {counted(size.knobs, 'knob')}",
        space_size=combinations(size.discrete, size.continuous),
        split_days=_windows(config.data.split, log),
        seed=config.seed,
        strategy=config.search.strategy,
        core_seconds=core_seconds(study.trials) + core_seconds(study.baselines.all),
        qps_conditions=_qps_words(config.qps),
        bayes_ne=_recorded_bayes_ne(run, config, folder),
        data_notes=tuple(note.text for note in log.notes) if log else (),
        margin_pct=config.finals.margin_pct,
    )


def _data_words(data: DataConfig | LessonsConfig, log: EncodedLog | None, task: str | None) -> str:
    if isinstance(data, LessonsConfig):
        return f"lessons {data.lessons}" + (f", {_size_words(log)}, label {log.label}" if log else "")
    told = [_label_words(label) for label in data.tasks]
    named = ", ".join(f"{label.name} ({words})" for label, words in zip(data.tasks, told, strict=True))
    labels = f"label {told[0]}" if len(told) == 1 else f"labels {named}; NE is that of {task or data.tasks[0].name}"
    if log is None:
        return f"{data.path}, {labels}"
    return f"{data.path}, {_size_words(log)}, {labels}"


def _label_words(label: LabelConfig) -> str:
    return label.column + (f" given {label.given}" if label.given else "")


def _size_words(log: EncodedLog) -> str:
    dense = f", {len(log.plain_dense)} dense" if log.plain_dense else ""
    vectors = f", {counted(len(log.vectors), 'vector')}" if log.vectors else ""
    lists = f", {counted(len(log.histories), 'sequence')}" if log.histories else ""
    return f"{counted(len(log), 'row')}, {counted(len(log.fields), 'id field')}{dense}{vectors}{lists}"


def _windows(split: SplitConfig, log: EncodedLog | None) -> dict[str, str]:
    """What each window is, and what it holds where that is known."""
    if split.random is not None:
        shares = {"train": split.random.train, "validate": split.random.validate_, "test": split.random.test}
        words = {name: f"{share:.0%} of the rows, at random" for name, share in shares.items()}
    else:
        spans = {"train": split.train, "validate": split.validate_, "test": split.test}
        words = {name: _span(*days) for name, days in spans.items() if days is not None}
    if log is None:
        return words
    return {name: text + _held(log, name) for name, text in words.items()}


def _span(first: date, last: date) -> str:
    return str(first) if first == last else f"{first} to {last}"


def _held(log: EncodedLog, window: str) -> str:
    rows = log.windows[window]
    return f", {counted(rows.stop - rows.start, 'row')}, {positive_words(log, window)}"


def _qps_words(qps: QpsConfig) -> str:
    clock = "CPU time" if qps.clock == "cpu" else "derived from FLOPs and bytes, not timed"
    return f"PyTorch, float32, 1 thread, batches of {counted(qps.batch_rows, 'row')}, {clock}"


def _recorded_bayes_ne(run: Facts, config: StudyConfig, folder: Path) -> dict[str, float]:
    """Of the log of the record: one that was simulated anew in its place is another."""
    try:
        known = bayes_ne(recorded_file(run, folder).parent, config.data, config.task)
    except InputError:
        return {}
    return known if known and is_recorded_log(run, folder) else {}


def bayes_ne(base: Path, data: DataConfig | LessonsConfig, task: str | None = None) -> dict[str, float]:
    """NE of the true probabilities of the objective's label by window, where the log is a simulated one and read as it
    was written: its own windows, labels and weights."""
    if isinstance(data, LessonsConfig):
        return {}
    truth = (base / data.path).parent / "truth.json"
    plain = data.weight is None and data.negatives_kept is None and data.split.random is None
    if not plain or not truth.exists():
        return {}
    known = json.loads(truth.read_text())
    spans = {"train": data.split.train, "validate": data.split.validate_, "test": data.split.test}
    if known.get("windows") != {name: [str(day) for day in days] for name, days in spans.items() if days is not None}:
        return {}
    label = next(label for label in data.tasks if task in (None, label.name))
    if {"click": None, "convert": "click"}.get(label.column, "") != label.given:
        return {}
    return {name: float(ne) for name, ne in known["bayes_ne"].get(label.column, {}).items()}
