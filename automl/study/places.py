"""Where the files of a study or a run lie, as its folder tells it: relative to the folder, so that a copy has its own
and one that was moved finds them again. Older records have them absolute: the file beside the folder comes first then.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from search_spaces.errors import InputError
from search_spaces.source import read_text

RECORD = "study.db"  # in a study's folder, where its record is no other's


def study_folder(file: Path) -> Path:
    """Where a study lives: beside a file named study.yaml, else in a folder of the file's name."""
    return file.parent if file.name == "study.yaml" else file.parent / file.stem


def told(file: Path, folder: Path) -> str:
    """A file as a folder's record tells it."""
    return os.path.relpath(file.parent.resolve() / file.name, folder.resolve())


def found(name: str, folder: Path, goes_on: str) -> Path:
    """The file that a record tells of. `goes_on` is the command that notes where it lies now.

    Raises:
        InputError: where there is none.
    """
    places = _places(name, folder)
    there = [place for place in places if place.is_file()]
    if not there:
        must, hint = "must be there: the folder is of this file", f"put it there, or tell where it is: {goes_on}"
        raise InputError.of(str(places[0]), must, "no such file", hint)
    return there[0]


def plugins_found(plugins: Mapping[str, str], folder: Path, file: str, text: str | None) -> dict[str, str]:
    """The plug-ins that a record tells of, each with the digest of its content when it was used ("": not known): where
    they lie now. One that is nowhere is told where it was.

    `file` and `text` are those of the study, which names plug-ins: where it has moved, they may have moved with it.
    """
    return {str(_plugin(name, folder, file, text)): digest for name, digest in plugins.items()}


def _plugin(name: str, folder: Path, file: str, text: str | None) -> Path:
    beside = [
        place.parent / named
        for place in _places(file, folder)
        for named in ([] if text is None else _named(text))
        if Path(named).name == Path(name).name
    ]
    at = folder.resolve() / name
    places = [*beside, at] if Path(name).is_absolute() else [at, *beside]
    return next((place for place in places if place.is_file()), at).resolve()


def _places(name: str, folder: Path) -> list[Path]:
    """Where a file may lie, the likeliest first: in the folder, or beside it where the folder has its name."""
    here, file = folder.resolve(), Path(name)
    at = Path(os.path.normpath(here / file))
    if not file.is_absolute():
        return [at]
    return [here / file.name, *([here.parent / file.name] if here.name == file.stem else []), at]


def _named(text: str) -> Iterable[str]:
    """The plug-ins that a file names, in its own words."""
    data = read_text(text, "the record").data
    names = data.get("plugins") if isinstance(data, dict) else None
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
