"""Where the files of a study or a run lie, as its folder tells it: relative to the folder, so that a copy has its own
and one that was moved finds them again. Older records have them absolute: the file beside the folder comes first then.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from search_spaces.errors import InputError
from search_spaces.plugins import digest_of
from search_spaces.source import read_text


def told(file: Path, folder: Path) -> str:
    """A file as a folder's record tells it."""
    return os.path.relpath(file.parent.resolve() / file.name, folder.resolve())


def found(name: str, folder: Path, text: str | None, goes_on: str) -> Path:
    """The file that a record tells of. Of several that may be meant it is the one that holds the recorded text.

    `goes_on` is the command that notes where the file lies now.

    Raises:
        InputError: where there is none.
    """
    places = [place for place in _places(name, folder) if place.is_file()]
    if not places:
        must, hint = "must be there: the folder is of this file", f"put it there, or tell where it is: {goes_on}"
        raise InputError.of(str(_places(name, folder)[0]), must, "no such file", hint)
    return next((place for place in places if _reads(place) == text), places[0])


def plugins_found(plugins: Mapping[str, str], folder: Path, file: str, text: str | None) -> dict[str, str]:
    """The plug-ins that a record tells of, each with the digest of its content when it was used ("": not known): where
    they lie now. One of that content comes first; one that is nowhere is told where it was.

    `file` and `text` are those of the study, which names plug-ins: where it has moved, they may have moved with it.
    """
    return {str(_plugin(name, digest, folder, file, text)): digest for name, digest in plugins.items()}


def _plugin(name: str, digest: str, folder: Path, file: str, text: str | None) -> Path:
    beside = [
        place.parent / named
        for place in _places(file, folder)
        for named in ([] if text is None else _named(text))
        if Path(named).name == Path(name).name
    ]
    told_at = folder.resolve() / name
    places = [*beside, told_at] if Path(name).is_absolute() else [told_at, *beside]
    there = [place for place in places if place.is_file()]
    same = (place for place in there if digest_of(place) == digest)
    return next(same, (there or [told_at])[0]).resolve()


def _places(name: str, folder: Path) -> list[Path]:
    """Where a file may lie, the likeliest first."""
    here, file = folder.resolve(), Path(name)
    at = Path(os.path.normpath(here / file))
    return [here / file.name, here.parent / file.name, at] if file.is_absolute() else [at]


def _named(text: str) -> Iterable[str]:
    """The plug-ins that a file names, in its own words."""
    data = read_text(text, "the record").data
    names = data.get("plugins") if isinstance(data, dict) else None
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def _reads(file: Path) -> str | None:
    try:
        return file.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return None
