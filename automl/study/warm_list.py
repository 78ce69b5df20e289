"""The list `search: {warm_start}`: names of folders, in the words of a file and as what they mean."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from automl.study.facts import Facts
from automl.study.file import part
from automl.study.shared import study_file_of
from search_spaces.source import Document, read_text


def folders_of(names: Iterable[str], base: Path) -> tuple[str, ...]:
    """The folders that names mean, relative to `base`, without links; a name that can be none stays as it is."""
    found = []
    for name in names:
        try:
            found.append(os.path.realpath(base / name))
        except (OSError, ValueError):
            found.append(name)
    return tuple(found)


def listed(document: Document) -> list[tuple[int, str]]:
    """The names in a study file, each with its place in the list; what is no text is told with the file."""
    names = part(document, "search", "warm_start")
    return [(k, name) for k, name in enumerate(names) if isinstance(name, str)] if isinstance(names, list) else []


def recorded_list(facts: Facts) -> tuple[str, ...]:
    """The list of the study file as it was at the last start."""
    return tuple(name for _, name in listed(read_text(facts.config_text, "study.yaml")))


def recorded_folders(facts: Facts, folder: Path) -> tuple[str, ...]:
    """The folders that it meant, for the study in this folder."""
    if facts.warm_sources:
        return folders_of((source.folder for source in facts.warm_sources), folder.resolve())
    return folders_of(recorded_list(facts), (folder.resolve() / study_file_of(facts, folder)).parent)


def plainly(names: Iterable[str]) -> list[str]:
    """Names without what makes no other folder of them: ../a/ and ./../a are ../a."""
    return sorted(map(os.path.normpath, names))


def list_words(names: Sequence[str]) -> str:
    """What a list was, behind what is told of another."""
    return f" (it was [{', '.join(names)}])" if names else " (there was none)"
