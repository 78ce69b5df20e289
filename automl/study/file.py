"""A study file read and checked: every mistake of it together, each at its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import Enum
from typing import TypeVar

from automl.data.describe.parts import Part
from automl.data.describe.split import SplitConfig, split_mistakes
from automl.data.describe.tables import DataConfig, LessonsConfig
from automl.study.config import StudyConfig, is_cost_limit, parse_limit
from search_spaces.errors import InputError, Mistake
from search_spaces.nodes import Node, Step
from search_spaces.source import Document, did_you_mean, validate

M = TypeVar("M", bound=Part)


class FileKind(Enum):
    """What a YAML file describes, told by its keys."""

    STUDY = "study"
    SPACE = "space"
    EXFM = "exfm"


def kind_of(document: Document) -> FileKind:
    """What a file describes; one that is none of them counts as a study, whose reader tells what is missing."""
    data = document.data
    if not isinstance(data, dict):
        return FileKind.STUDY
    if "teacher" in data or "students" in data:
        return FileKind.EXFM
    return FileKind.STUDY if "data" in data or "baseline" in data else FileKind.SPACE


@dataclass(frozen=True, slots=True)
class StudyFile:
    """A study file, one label of it under `label`: what of it is sound, and every mistake of it."""

    document: Document
    config: StudyConfig | None
    data: DataConfig | LessonsConfig | None  # sound even where other parts of the file are not
    mistakes: tuple[Mistake, ...]


def read_study(document: Document) -> StudyFile:
    """Check a study file; what it points to is checked by its reader."""
    document, mistakes = _with_label(document)
    config: StudyConfig | None = None
    with gathering(mistakes):
        config = validate(StudyConfig, document)
    if config is not None:
        mistakes += _task_mistakes(config, document)
    data = _sound_data(document) if config is None else config.data
    split = data.split if data is not None else _sound(SplitConfig, document, "data", "split")
    if split is not None:
        mistakes += split_mistakes(split, lambda *path: document.at("data", *path))
    return StudyFile(document, config, data, tuple(mistakes))


def _task_mistakes(config: StudyConfig, document: Document) -> Iterator[Mistake]:
    """Constraints that name a label which the study does not have."""
    several = [label.name for label in config.data.tasks] if isinstance(config.data, DataConfig) else []
    for index, text in enumerate(config.constraints):
        task = None if is_cost_limit(text) else parse_limit(text).task
        if task is not None and (len(several) < 2 or task not in several):
            must = "ne.TASK must name one of several `labels`"
            hint = did_you_mean(task, several) if len(several) > 1 else "of one label it is `ne`"
            yield Mistake(document.at("constraints", index), must, task, hint)


def config_of(document: Document) -> StudyConfig:
    """The values of a study file.

    Raises:
        InputError: with every mistake of the file.
    """
    study = read_study(document)
    if study.mistakes or study.config is None:
        raise InputError(study.mistakes)
    return study.config


@contextmanager
def gathering(mistakes: list[Mistake]) -> Iterator[None]:
    """Keep the mistakes that the block raises, so that those of the next block are told with them."""
    try:
        yield
    except InputError as error:
        mistakes += error.mistakes


def part(document: Document, *path: str) -> object:
    """The plain data at a path; None where there is none."""
    data: object = document.data
    for step in path:
        data = data.get(step) if isinstance(data, Mapping) else None
    return data


def _with_label(document: Document) -> tuple[Document, list[Mistake]]:
    """`labels: {cvr: X}` as `label: X` of that name, every piece at its place; and what is wrong with the names.

    Several labels stay as they are.
    """
    data = (document.root.items or {}).get("data")
    labels = (data.items or {}).get("labels") if data else None
    if data is None or data.items is None or labels is None or labels.items is None or labels.is_list:
        return document, []
    mistakes = []
    items: dict[Step, Node] = {key: node for key, node in data.items.items() if key != "labels"}
    if "label" in items:
        mistakes.append(Mistake(document.at_key("data", "labels"), "must give label or labels, not both"))
    elif len(labels.items) != 1:
        return document, []
    for name, label in list(labels.items.items())[:1]:
        items.setdefault("label", _named(label, Node((labels.keys or {})[name], name)))
    top: dict[Step, Node] = {**(document.root.items or {}), "data": replace(data, items=items)}
    root = replace(document.root, items=top)
    return replace(document, root=root, data=root.plain()), mistakes


def _named(label: Node, name: Node) -> Node:
    own: Mapping[Step, Node] = {"column": label} if label.items is None else label.items
    return Node(label.position, None, {"name": name, **own}, label.keys)


def _sound_data(document: Document) -> DataConfig | LessonsConfig | None:
    if part(document, "data", "lessons") is None:
        return _sound(DataConfig, document, "data")
    return _sound(LessonsConfig, document, "data")


def _sound(model: type[M], document: Document, *path: str) -> M | None:
    """A part of a file, where it is there and has no mistake. (Its mistakes are told with those of the whole.)"""
    if part(document, *path) is None:
        return None
    try:
        return validate(model, document, *path)
    except InputError:
        return None
