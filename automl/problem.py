"""A study file and all that it points to, read and checked: what every command starts from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from automl.config import StudyConfig, load_study_file
from automl.data.encode import encode_log
from automl.data.store import EncodedLog
from search_spaces.errors import InputError, Mistake
from search_spaces.extends import is_name
from search_spaces.model import ModelSpec
from search_spaces.source import Document
from search_spaces.space import SearchSpace, load_model, load_space

SEARCH_FIT = ("train",)
FINALS_FIT = ("train", "validate")


@dataclass(frozen=True)
class Problem:
    """What is searched, on which data, against which baseline."""

    file: Path
    folder: Path  # of the study: its record, its data, its report
    document: Document
    config: StudyConfig
    space: SearchSpace  # bound to the log's shape, with the study's limits on cost
    baseline: ModelSpec
    log: EncodedLog


def load_problem(file: Path, folder: Path | None = None) -> Problem:
    """Read a study file, its space and its baseline, and encode its log (once: later calls map it).

    Raises:
        InputError: with every mistake that can be told before the data is read, or those of the data.
    """
    config, document = load_study_file(file)
    folder = folder or study_folder(file)
    space, baseline = _load_models(config, document)
    log = encode(config, document, folder, SEARCH_FIT)
    bound = space.with_inputs(log.inputs).with_where(config.cost_limits)
    return Problem(file.absolute(), folder.absolute(), document, config, bound, baseline, log)


def study_folder(file: Path) -> Path:
    """Where a study lives: beside a file named study.yaml, else in a folder of the file's name."""
    return file.parent if file.name == "study.yaml" else file.parent / file.stem


def encode(config: StudyConfig, document: Document, folder: Path, fit: tuple[str, ...]) -> EncodedLog:
    """The study's log with encoders fitted on the windows `fit`."""
    return encode_log(
        config.data, Path(document.file).parent, folder / "data", fit=fit, where=_within(document, "data")
    )


def resolve(document: Document, path: str) -> Path:
    """A path of the study file: relative to it."""
    return Path(document.file).parent / path


def _within(document: Document, *above: str | int):  # type: ignore[no-untyped-def]
    return lambda *path: document.at(*above, *path)


def _load_models(config: StudyConfig, document: Document) -> tuple[SearchSpace, ModelSpec]:
    mistakes: list[Mistake] = []
    space: SearchSpace | None = None
    baseline: ModelSpec | None = None
    try:
        space = load_space(config.space if is_name(config.space) else resolve(document, config.space))
    except InputError as error:
        mistakes += error.mistakes
    try:
        baseline = load_model(resolve(document, config.baseline))
    except InputError as error:
        mistakes += error.mistakes
    if space is None or baseline is None:
        raise InputError(mistakes)
    return space, baseline
