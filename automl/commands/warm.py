"""Warm starts: what the studies that a file names have found, where this one was not started yet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from automl.study.config import DEAF
from automl.study.file import StudyFile, part
from automl.study.precedents import WarmStart
from automl.study.problem import Problem
from automl.study.warm_list import listed
from search_spaces.errors import Position


def warm_start_of(study: StudyFile, folder: Path) -> WarmStart:
    """What a study of a folder is told at its first start, or was told then: the other studies are not read again, and
    need not be there any more.

    Raises:
        InputError: with what is wrong with each that the file names; where the study was started with others.
    """
    names = listed(study.document)
    if not names:
        return WarmStart()
    from automl.commands.sources import read_sources  # with what reads a record
    from automl.study.claims import hold_warm_start
    from automl.study.storage import started_as

    name = part(study.document, "name")
    url = None if study.config is None else study.config.storage
    known = started_as(folder, name, url) if isinstance(name, str) else None
    if known is not None:
        hold_warm_start(known, study.document, folder)
        return WarmStart(known.warm_start, known.warm_sources, tuple(_deaf(study)))
    read = read_sources(study, folder, names)
    return WarmStart(read.precedents, read.sources, (*_deaf(study), *read.notes))


def told_at_start(problem: Problem) -> WarmStart:
    """The same of a problem that was read without."""
    if problem.warm is not None:
        return problem.warm
    study = StudyFile(problem.document, problem.config, problem.config.data, ())
    return warm_start_of(study, problem.folder)


def _deaf(study: StudyFile) -> Sequence[tuple[Position, str]]:
    strategy = part(study.document, "search", "strategy")
    if strategy not in DEAF:
        return ()
    text = f"{strategy} does not hear what the studies of `warm_start` say: only the controller does"
    return ((study.document.at("search", "strategy"), text),)
