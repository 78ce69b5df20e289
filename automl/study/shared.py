"""A record that several folders share: a database, and the name of the study there; each folder says it in a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from automl.files.whole import whole_file
from automl.study.drivers import Claim, Together, Waiting, not_for_long
from automl.study.facts import Facts
from automl.study.places import RECORD, plugins_found
from search_spaces.errors import InputError

_FILE = "record.json"


@dataclass(frozen=True, slots=True)
class Shared:
    """url: as in the study file. study_file: where that lies for this folder; the record tells of the one that searched
    last."""

    url: str
    name: str
    study_file: str = field(compare=False)

    def __str__(self) -> str:
        return f"{self.name} ({self.url})"

    @classmethod
    def of(cls, folder: Path) -> Shared | None:
        """What a folder says; None where its record is its own.

        Raises:
            InputError: where its file is not one of ours.
        """
        file = folder / _FILE
        if not file.exists():
            return None
        try:
            found: dict[str, Any] = json.loads(file.read_text())
            return cls(**found)
        except (ValueError, TypeError):
            must = "must say where the record is: url, name and study_file"
            raise InputError.of(str(file), must, file.read_text()[:60], "remove it, and search again") from None

    @contextmanager
    def driven(self, waiting: Waiting) -> Iterator[Together]:
        """A driver of the study, one of perhaps several, for the length of the block. `waiting` hears that another one
        has its turn."""
        with closing(Together(self.url, self.name, waiting)) as drivers:
            drivers.join()
            yield drivers


def note_shared(folder: Path, url: str | None, name: str, study_file: str) -> Shared | None:
    """Write down where the record of a folder is, where its study file names a database.

    Raises:
        InputError: where the folder's record is elsewhere.
    """
    asked, known = None if url is None else Shared(url, name, study_file), Shared.of(folder)
    if known is None and asked is not None and (folder / RECORD).exists():
        raise _elsewhere(folder, "its own study.db")
    if known is not None and known != asked:
        raise _elsewhere(folder, str(known))
    if asked is not None and (known is None or known.study_file != study_file):
        with whole_file(folder / _FILE) as part:
            part.write_text(json.dumps(asdict(asked)))
    return asked


def study_file_of(facts: Facts, folder: Path) -> str:
    """The study file as this folder tells it."""
    shared = Shared.of(folder)
    return facts.study_file if shared is None else shared.study_file


def plugins_of(facts: Facts, folder: Path) -> dict[str, str]:
    """The plug-ins that a record tells of, where they lie for this folder: see plugins_found."""
    return plugins_found(facts.plugins, folder, study_file_of(facts, folder), facts.config_text)


@contextmanager
def finals_claimed(folder: Path) -> Iterator[None]:
    """A block in which no other folder's finals ask the test window of the same study.

    Raises:
        InputError: where another's do.
    """
    shared = Shared.of(folder)
    if shared is None:
        yield
        return
    with closing(Together(shared.url, shared.name, not_for_long)) as drivers:
        if not drivers.claim(Claim.FINALS):
            must, found = "must not be asked for its finals twice at once", "finals that run from another folder"
            raise InputError.of(str(shared), must, found, "wait for them")
        yield


def _elsewhere(folder: Path, found: str) -> InputError:
    must = "must have its record where `storage` of the study file says"
    return InputError.of(str(folder), must, found, "use another --out, or name it as it was")
