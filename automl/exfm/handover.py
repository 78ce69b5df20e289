"""Models for teacher and students: a model file, or what a search has found.

FILE.yaml        a model file
STUDY#ROLE       a pick of a search: accurate, fast, balanced, unlimited
STUDY#TRIAL      a trial by its number
STUDY#front      students only: every model of the front, a student each
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from search_spaces.errors import InputError, Position
from search_spaces.model import ModelSpec
from search_spaces.space import load_model

if TYPE_CHECKING:
    from automl.api import StudyHandle

FRONT = "front"


def model_of(name: str, base: Path, at: Position) -> ModelSpec:
    """The one model of that name; `base` is the folder that paths are relative to.

    Raises:
        InputError: where there is no such file, study or pick, told at the place that names it.
    """
    path, _, pick = name.partition("#")
    try:
        if pick == FRONT:
            raise InputError.of(name, "must be one model", "a whole front", "it may stand for students only")
        return _single(_picked(base / path, pick) if pick else load_model(base / path), name)
    except InputError as error:
        raise _told_at(error, name, at) from None


def models_of(name: str, base: Path, at: Position) -> Mapping[str, ModelSpec]:
    """Models by what is added to a student's name: nothing for one model, `-TRIAL` for each of a front.

    Raises:
        InputError: as model_of.
    """
    path, _, pick = name.partition("#")
    if pick != FRONT:
        return {"": model_of(name, base, at)}
    try:
        return _front(base / path)
    except InputError as error:
        raise _told_at(error, name, at) from None


def _opened(folder: Path) -> StudyHandle:
    """A study whose models are still made by the code of its record."""
    from automl.api import open_study
    from automl.study.claims import hold_code

    study = open_study(folder)
    hold_code(study.facts, folder)
    return study


def _front(folder: Path) -> Mapping[str, ModelSpec]:
    study = _opened(folder)
    trials = {trial.number: trial.candidate.model for trial in study.history.trials}
    numbers = [int(number) for number in study.pareto()["trial"] if int(number) in trials]
    if not numbers:
        raise InputError.of(str(folder), "must have a front", "no trial on it")
    return {f"-{number}": _single(trials[number], f"{folder}#{number}") for number in numbers}


def _single(model: ModelSpec, name: str) -> ModelSpec:
    """On a stream every model sees the rows in the one order in which they come: members would be alike. A teacher has
    a head for each label of the stream, a student one. A stream has no sequences whose lists could be read, and no
    quantiles of its numbers."""
    if model.members > 1:
        hint = "search with `members: 1` what is to learn from a stream"
        raise InputError.of(name, "must be a model of one member", f"members: {model.members}", hint)
    if model.tasks is not None:
        raise InputError.of(name, "must be a model without `tasks`", model.tasks.sharing, "search for one label")
    if model.history is not None:
        hint = "search without `history` what is to learn from a stream"
        raise InputError.of(
            name, "must be a model without `history`: a stream has no sequences", model.history.name, hint
        )
    if model.dense is not None:
        hint = "search without `dense` what is to learn from a stream"
        must = "must be a model without `dense`: a stream has no quantiles of its numbers"
        raise InputError.of(name, must, model.dense.name, hint)
    return model


def _picked(folder: Path, pick: str) -> ModelSpec:
    study = _opened(folder)
    if not pick.isdigit():
        return study.best(pick)
    found = [trial.candidate.model for trial in study.history.trials if trial.number == int(pick)]
    if not found:
        raise InputError.of(str(folder), f"must hold a trial #{pick}", "none")
    return found[0]


def _told_at(error: InputError, name: str, at: Position) -> InputError:
    """What is wrong with a file or study as a whole is a mistake of the line that names it."""
    return InputError(
        mistake if mistake.position.line else replace(mistake, position=at, must=f"{name} {mistake.must}")
        for mistake in error.mistakes
    )
