"""A record that several folders share: a database, and the name of the study there; each folder says it in a file."""

from __future__ import annotations

import json
import weakref
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy

from automl.files.whole import whole_file
from automl.study.drivers import Claim, Together, Waiting, connected
from automl.study.sqlite import FILE, not_for_long
from search_spaces.errors import InputError

_FILE = "record.json"


@dataclass(frozen=True, slots=True)
class Shared:
    """url: as in the study file."""

    url: str
    name: str

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
            must = "must say where the record is: url and name"
            raise InputError.of(str(file), must, file.read_text()[:60], "remove it, and search again") from None

    def storage(self) -> optuna.storages.RDBStorage:
        """The record, for Optuna.

        Raises:
            InputError: where the database cannot be reached.
        """
        connected(self.url).close()  # in its words
        url = self.url.replace("postgresql://", "postgresql+psycopg://", 1)
        storage = optuna.storages.RDBStorage(url, {"pool_pre_ping": True})
        weakref.finalize(storage, storage.engine.dispose)
        return storage

    @contextmanager
    def driven(self, waiting: Waiting) -> Iterator[Together]:
        """A driver of the study, one of perhaps several, for the length of the block. `waiting` hears that another one
        has its turn."""
        with closing(Together(self.url, self.name, waiting)) as drivers:
            drivers.join()
            yield drivers


def note_shared(folder: Path, url: str | None, name: str) -> Shared | None:
    """Write down where the record of a folder is, where its study file names a database.

    Raises:
        InputError: where the folder's record is elsewhere.
    """
    asked, known = None if url is None else Shared(url, name), Shared.of(folder)
    if known is None and asked is not None and (folder / FILE).exists():
        raise _elsewhere(folder, "its own study.db")
    if known is not None and known != asked:
        raise _elsewhere(folder, str(known))
    if known is None and asked is not None:
        with whole_file(folder / _FILE) as part:
            part.write_text(json.dumps(asdict(asked)))
    return asked


def is_lost(error: Exception) -> bool:
    """Whether an error says that the database of a record is not there any more."""
    import psycopg

    return isinstance(error, psycopg.Error | sqlalchemy.exc.DBAPIError | optuna.exceptions.StorageInternalError)


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
