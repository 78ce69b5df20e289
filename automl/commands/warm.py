"""The studies that a search starts warm from: read once, when it starts first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from automl.study.facts import Facts
from automl.study.plugins import digests
from automl.study.precedents import Precedent
from automl.study.problem import Problem
from automl.study.record import Study
from automl.study.shared import plugins_of
from automl.study.storage import limits_of, load_newest, load_started
from search_spaces.errors import InputError, Mistake

FEWEST = 8  # trials of a study, below which it says nothing


def precedents_of(problem: Problem) -> tuple[Precedent, ...]:
    """What the studies that the file names have found, those of each in the order of its trials.

    Raises:
        InputError: where one is no study with enough trials, is the study itself, or has plug-ins that this one has
            not.
    """
    mistakes, found = [], []
    for number, name in enumerate(problem.config.search.warm_start):
        at = problem.document.at("search", "warm_start", number)
        folder = (problem.file.parent / name).resolve()
        try:
            found += list(_read(folder, problem.folder))
        except InputError as error:
            told = error.mistakes[0]
            hint = told.hint or "a folder that `automl search` has written"
            mistakes.append(Mistake(at, f"{name} {told.must}", told.found, hint))
    if mistakes:
        raise InputError(mistakes)
    return tuple(found)


def _read(folder: Path, own: Path) -> Iterator[Precedent]:
    where = str(folder)
    if folder == own.resolve():
        raise InputError.of(where, "must be another study", "this one", "what it has tried it goes on from anyway")
    facts = Facts.of_json(load_newest(folder).user_attrs)
    strange = {} if facts is None else {f: d for f, d in plugins_of(facts, folder).items() if digests().get(f) != d}
    if strange:
        names = ", ".join(Path(file).name for file in strange)
        raise InputError.of(where, "must use the plug-ins of this study only", names, "name them under `plugins`")
    stored, space, facts = load_started(folder)
    study = Study(stored, space, limits_of(facts))
    if study.baseline() is None:
        raise InputError.of(where, "must hold a measured baseline", "none yet", "search it first")
    history = study.history()
    fit = [trial for trial in history.trials if history.eligible(trial) and trial.measurement is not None]
    if len(fit) < FEWEST:
        must = f"must hold at least {FEWEST} trials that were trained to their end"
        raise InputError.of(where, must, str(len(fit)), "search it further")
    for trial in fit:
        assert trial.measurement is not None
        yield Precedent(
            study=folder.name,
            trial=trial.number,
            model=trial.candidate.model,
            ne_gain_pct=history.baseline.mean_gain_pct(trial),
            qps_ratio=trial.measurement.speed.qps_ratio,
        )
