"""A study file read and checked: every mistake of it together, each at its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from enum import Enum
from itertools import pairwise
from pathlib import Path

from automl.data.describe.tables import LABEL_OR_LABELS, ONE_LABEL, DataConfig, SplitConfig
from automl.study.config import StudyConfig
from search_spaces.errors import InputError, Mistake
from search_spaces.nodes import Node, Step
from search_spaces.source import Document, read, validate


class FileKind(Enum):
    """What a YAML file describes, told by its keys."""

    STUDY = "study"
    SPACE = "space"
    EXFM = "exfm"


def kind_of(path: Path | str) -> FileKind:
    """What a file describes; one that is none of them counts as a study, whose reader tells what is missing.

    Raises:
        InputError: where the file cannot be read as plain YAML.
    """
    data = read(path).data
    if not isinstance(data, dict):
        return FileKind.STUDY
    if "teacher" in data or "students" in data:
        return FileKind.EXFM
    return FileKind.STUDY if "data" in data or "baseline" in data else FileKind.SPACE


def load_study_file(path: Path | str) -> tuple[StudyConfig, Document]:
    """Read and check a study file; what it points to is checked by its reader.

    Raises:
        InputError: with every mistake of the file.
    """
    document, mistakes = read_study(path)
    with gathering(mistakes):
        config = validate(StudyConfig, document)
    if mistakes:
        raise InputError(mistakes)
    return config, document


def read_study(path: Path | str) -> tuple[Document, list[Mistake]]:
    """A study file with its one label under `label`, and the mistakes that no single value shows.

    Raises:
        InputError: where the file cannot be read as plain YAML.
    """
    document, mistakes = _with_label(read(path))
    return document, [*mistakes, *_window_mistakes(document)]


@contextmanager
def gathering(mistakes: list[Mistake]) -> Iterator[None]:
    """Keep the mistakes that the block raises, so that those of the next block are told with them."""
    try:
        yield
    except InputError as error:
        mistakes += error.mistakes


def data_of(document: Document) -> DataConfig | None:
    """The description of tables, where it is sound even if other parts of the file are not."""
    if part(document, "data") is None or part(document, "data", "lessons") is not None:
        return None
    try:
        return validate(DataConfig, document, "data")
    except InputError:
        return None


def part(document: Document, *path: str) -> object:
    """The plain data at a path; None where there is none."""
    data: object = document.data
    for step in path:
        data = data.get(step) if isinstance(data, Mapping) else None
    return data


def _with_label(document: Document) -> tuple[Document, list[Mistake]]:
    """`labels: {cvr: X}` as `label: X` of that name, every piece at its place; and what is wrong with the names.

    Where several are given one stands for all, so that the rest of the file can be checked.
    """
    data = (document.root.items or {}).get("data")
    labels = (data.items or {}).get("labels") if data else None
    if data is None or data.items is None or labels is None or labels.items is None or labels.is_list:
        return document, []
    mistakes = []
    items: dict[Step, Node] = {key: node for key, node in data.items.items() if key != "labels"}
    if "label" in items:
        mistakes.append(Mistake(document.at_key("data", "labels"), LABEL_OR_LABELS))
    elif len(labels.items) != 1:
        found = ", ".join(map(str, labels.items)) or "none"
        mistakes.append(Mistake(labels.position, ONE_LABEL, found, "a search has one NE to lower"))
    for name, label in list(labels.items.items())[:1]:
        items.setdefault("label", _named(label, Node((labels.keys or {})[name], name)))
    top: dict[Step, Node] = {**(document.root.items or {}), "data": replace(data, items=items)}
    root = replace(document.root, items=top)
    return replace(document, root=root, data=root.plain()), mistakes


def _named(label: Node, name: Node) -> Node:
    own: Mapping[Step, Node] = {"column": label} if label.items is None else label.items
    return Node(label.position, None, {"name": name, **own}, label.keys)


def _window_mistakes(document: Document) -> list[Mistake]:
    if part(document, "data", "split") is None:
        return []
    try:
        split = validate(SplitConfig, document, "data", "split")
    except InputError:
        return []  # told with the rest of the file
    windows = [("train", split.train), ("validate", split.validate_), ("test", split.test)]
    given = [(name, days) for name, days in windows if days is not None]
    mistakes = [
        Mistake(document.at("data", "split", name), f"{name} must start before it ends", f"{first} to {last}")
        for name, (first, last) in given
        if first > last
    ]
    for (before, (_, end)), (name, (start, _)) in pairwise(given):
        if not mistakes and start <= end:
            must = f"{name} must start after {before} ends ({end})"
            hint = "a model must be scored on days it has not seen"
            return [Mistake(document.at("data", "split", name), must, str(start), hint)]
    return mistakes
