"""Studies in a storage: found by the name in the study file, one Optuna study for each edition of the space.

The storage is the folder's own SQLite file, or a PostgreSQL database that several folders share; such a folder says so
in a file (automl/study/shared.py).
"""

from __future__ import annotations

import itertools
import warnings
import weakref
from collections.abc import Callable, Sequence, Set
from contextlib import closing
from pathlib import Path

import optuna
import sqlalchemy
from optuna.study._frozen import FrozenStudy  # what a storage lists; a StudySummary would read every trial of it

from automl.files.passed import Told, untold
from automl.study.config import is_cost_limit, parse_limit
from automl.study.drivers import ALONE, Claim, Drivers, Together, Waiting, not_for_long, others
from automl.study.facts import Facts
from automl.study.file import part
from automl.study.history import Limit, Trial
from automl.study.places import RECORD
from automl.study.plugins import plug_in_files
from automl.study.record import Study
from automl.study.shared import Shared, plugins_of
from automl.study.sqlite import reading, sqlite_storage
from search_spaces.errors import InputError
from search_spaces.source import read_text
from search_spaces.space import SearchSpace, space_of

# Attributes by which a study is known: its name in the study file, the edition of its space, the space, and which of
# the calls of open_study took it last. An Optuna study that has no space yet is a part of one.
_NAME, _EDITION, _SPACE, _TURN = "name", "edition", "space", "turn"


def open_study(
    folder: Path,
    name: str,
    space: SearchSpace,
    limits: Sequence[Limit] = (),
    *,
    drivers: Drivers = ALONE,
    waiting: Waiting = not_for_long,
    asked: Callable[[Facts], None] = lambda facts: None,
    told: Told = untold,
) -> Study:
    """The study of this name and space, made if it is not there, in the folder's storage.

    `waiting` hears that another process holds the record, now and whenever it is written; `asked` is asked of the facts
    of a study that was started, before anything is written, and raises where it is not to be gone on with; `told` hears
    what an edited space makes of its trials.

    An edited space is a new Optuna study in the same storage (Optuna refuses a domain that changes under one name);
    of all that was tried in any edition, the trials that fit it are copied into it under their numbers.

    Raises:
        InputError: where other drivers search another edition of it at this moment; what `asked` raises.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    folder.mkdir(parents=True, exist_ok=True)
    storage = storage_of(folder, writes=True, waiting=waiting)
    with drivers.turn():
        listed = storage.get_all_studies()
        editions = sorted((one for one in listed if _is_edition(one, name)), key=_edition)
        latest = editions[-1] if editions else None
        facts = None if latest is None else Facts.of_json(latest.user_attrs)
        if facts is not None:
            asked(facts)
            plug_in_files(plugins_of(facts, folder))
        turn = 1 + max((_turn(one) for one in listed), default=0)
        if latest is not None and latest.user_attrs[_SPACE] == space.to_yaml():
            stored = optuna.load_study(study_name=latest.study_name, storage=storage)
            stored.set_user_attr(_TURN, turn)
        elif latest is not None and others(drivers):
            must, hint = "must be the space that other drivers search at this moment", "stop them before it is edited"
            raise InputError.of("space", must, "another", hint)
        elif latest is not None and drivers.claimed(Claim.FINALS):
            must, hint = "must be the space whose finals run at this moment", "wait for them before it is edited"
            raise InputError.of("space", must, "another", hint)
        else:
            stored = _new_edition(storage, name, space, limits, editions, turn, told)
        return Study(stored, space, limits, drivers)


def storage_of(
    folder: Path, *, writes: bool = False, only_read: bool = False, waiting: Waiting = not_for_long
) -> optuna.storages.RDBStorage:
    """Where the record of a folder is. `only_read`: a file of the folder's own stays as it is."""
    shared = Shared.of(folder)
    if shared is None:
        return sqlite_storage(folder, writes=writes, only_read=only_read, waiting=waiting)
    return _database(shared)


def _database(shared: Shared) -> optuna.storages.RDBStorage:
    url = shared.url.replace("postgresql://", "postgresql+psycopg://", 1)
    with closing(Together(shared.url, "", not_for_long)) as first, first.turn():  # of two, one makes the tables
        storage = optuna.storages.RDBStorage(url, {"pool_pre_ping": True})
    weakref.finalize(storage, storage.engine.dispose)
    return storage


def is_lost(error: Exception) -> bool:
    """Whether an error says that the database of a record is not there any more."""
    import psycopg

    return isinstance(error, psycopg.Error | sqlalchemy.exc.DBAPIError | optuna.exceptions.StorageInternalError)


def _new_edition(
    storage: optuna.storages.RDBStorage,
    name: str,
    space: SearchSpace,
    limits: Sequence[Limit],
    editions: Sequence[FrozenStudy],
    turn: int,
    told: Told,
) -> optuna.Study:
    _remove_parts(storage, name)
    free = _free_name(name, set(optuna.get_all_study_names(storage)))
    created = optuna.create_study(study_name=free, storage=storage, directions=["minimize", "maximize"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        created.set_metric_names(["NE", "QPS"])
    for mark, value in ((_NAME, name), (_EDITION, 1 + max(map(_edition, editions), default=0)), (_TURN, turn)):
        created.set_user_attr(mark, value)
    if editions:
        earlier = [optuna.load_study(study_name=one.study_name, storage=storage) for one in reversed(editions)]
        told(_copy_fitting([Study(one, space, limits) for one in earlier], Study(created, space, limits), space))
    created.set_user_attr(_SPACE, space.to_yaml())  # last: a study without it is a part of one
    return created


def load_newest(folder: Path, *, only_read: bool = False) -> optuna.Study:
    """The newest study of a folder, for reading. `only_read`: also where there is none the file stays as it is.

    Raises:
        InputError: where there is none, or none that can be read.
    """
    with reading(folder):
        return _newest(folder, only_read)


def _newest(folder: Path, only_read: bool) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    shared, file = Shared.of(folder), folder / RECORD
    if shared is None and not file.is_file():
        found = "a folder of that name" if file.is_dir() else "none"
        raise InputError.of(str(folder), "must hold a study (study.db)", found, "start one with `automl search`")
    if shared is None and file.stat().st_size == 0:  # as SQLite leaves one in which nothing was written
        raise InputError.of(str(folder), "must hold a study (study.db)", "an empty file")
    storage = storage_of(folder, only_read=only_read)
    listed = storage.get_all_studies()
    whole = [one for one in listed if (_SPACE in one.user_attrs if shared is None else _is_edition(one, shared.name))]
    if not whole:
        raise InputError.of(str(folder), "must hold a study", "an empty storage")
    return optuna.load_study(study_name=max(whole, key=_turn).study_name, storage=storage)


def started_as(folder: Path, name: str, url: str | None = None) -> Facts | None:
    """The facts of the study of this name that was started in a folder, or, where its file names a database, from any
    other; None where there is none. A file of the folder's own stays as it is.

    Raises:
        InputError: where the record cannot be read.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with reading(folder):
        shared = Shared.of(folder) or (None if url is None else Shared(url, name, ""))
        if shared is None and not ((folder / RECORD).exists() and (folder / RECORD).stat().st_size):
            return None
        storage = storage_of(folder, only_read=True) if shared is None else _database(shared)
        editions = [one for one in storage.get_all_studies() if _is_edition(one, name)]
        return Facts.of_json(max(editions, key=_edition).user_attrs) if editions else None


def load_started(folder: Path, *, only_read: bool = False) -> tuple[optuna.Study, SearchSpace, Facts]:
    """The newest study of a folder with its space and its facts, for reading.

    Raises:
        InputError: where there is none that was started, or none that can be read.
    """
    stored = load_newest(folder, only_read=only_read)
    with reading(folder):
        attributes = stored.user_attrs
        facts = Facts.of_json(attributes)
    if facts is None:
        must, found = "must hold a study that was started", "one without a baseline"
        raise InputError.of(str(folder), must, found, "start it with `automl search`")
    plug_in_files(plugins_of(facts, folder))
    return stored, space_of(read_text(attributes[_SPACE], f"{folder.name} (its space)")), facts


def load_editions(folder: Path, *, only_read: bool = False) -> list[tuple[optuna.Study, SearchSpace]]:
    """The newest study of a folder with each space that it was searched in, in their order, for reading.

    Raises:
        InputError: where there is none that was started, or none that can be read.
    """
    newest, _, _ = load_started(folder, only_read=only_read)
    name = newest.user_attrs.get(_NAME, newest.study_name)
    storage = storage_of(folder, only_read=only_read)
    listed = [s for s in storage.get_all_studies() if _is_edition(s, name)]
    found = []
    for one in sorted(listed, key=_edition):
        space = space_of(read_text(one.user_attrs[_SPACE], f"{folder.name} (its space)"))
        found.append((optuna.load_study(study_name=one.study_name, storage=storage), space))
    return found


def limits_of(facts: Facts) -> tuple[Limit, ...]:
    """The limits of a study, as its file had them when the search was last started."""
    listed = part(read_text(facts.config_text, "study.yaml"), "constraints")
    texts = [text for text in listed if isinstance(text, str)] if isinstance(listed, list) else []
    return tuple(parse_limit(text) for text in texts if not is_cost_limit(text))


def _is_edition(one: FrozenStudy, name: str) -> bool:
    return one.user_attrs.get(_NAME, one.study_name) == name and _SPACE in one.user_attrs


def _turn(one: FrozenStudy) -> int:
    """Which of the calls of open_study took this study last."""
    return int(one.user_attrs.get(_TURN, 0))


def _edition(one: FrozenStudy) -> int:
    return int(one.user_attrs.get(_EDITION, 1))


def _free_name(name: str, taken: Set[str]) -> str:
    """`name`, else `name #2` and so on. Only people read it: a study is known by its attributes."""
    numbered = (f"{name} #{number}" for number in itertools.count(2))
    return next(word for word in itertools.chain([name], numbered) if word not in taken)


def _remove_parts(storage: optuna.storages.BaseStorage, name: str) -> None:
    """A driver that died while it copied trials into a new edition has left a part of one."""
    for one in storage.get_all_studies():
        if one.user_attrs.get(_NAME) == name and _SPACE not in one.user_attrs:
            optuna.delete_study(study_name=one.study_name, storage=storage)


def _copy_fitting(editions: Sequence[Study], new: Study, space: SearchSpace) -> str:
    """Copy what fits of all editions, the newest first; how much of it that is, in words. A trial that an edit has left
    behind comes back with the next one that it fits."""
    new.adopt(editions[0])
    ended: dict[int, Trial] = {}
    for trial in (trial for edition in editions for trial in edition.trials if trial.ended):
        ended.setdefault(trial.number, trial)
    fitting = 0
    for trial in (ended[number] for number in sorted(ended)):
        replayed = space.replay(trial.candidate.values)
        if replayed.key == trial.candidate.key and space.allows(replayed):
            new.copy(trial, replayed.values)
            fitting += 1
    edited = "the space was edited, or is another one in this version of the library"
    return f"{edited}: {fitting} of the {len(ended)} trials that ended in any edition of it fit this one"
