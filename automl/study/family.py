"""Families of studies: a ledger beside the studies says which of them was the how-manyth to ask the test window."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import filelock

from automl.files.whole import whole_file
from automl.stats.spending import level_of
from automl.study.facts import Asked, Facts, Place
from automl.study.plain import Codec
from automl.study.problem import Problem
from automl.study.record import Study
from automl.study.results import Family, ledger_name
from search_spaces.errors import InputError, Mistake

VERSION = 1  # of the file
_WITHIN_S = 20.0  # another study's finals hold the ledger for an instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A study of the family. It is known by its name and its first start: a copy of a study is that study."""

    study: str
    started_at: float
    place: int  # from 1, in the order in which finals were first run


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """The members of a family so far."""

    version: int = VERSION
    family: str
    studies: tuple[Member, ...] = ()

    def place(self, study: str, started_at: float) -> int | None:
        """The place of a study; None where it has none yet."""
        return next((m.place for m in self.studies if (m.study, m.started_at) == (study, started_at)), None)


_CODEC = Codec(Ledger)


def ledger_file(folder: Path, family: str) -> Path:
    """Where the ledger of a family stands."""
    return folder / ledger_name(family)


def family_of(problem: Problem, study: Study, tested: Mapping[str, Asked]) -> Family | None:
    """The study's place in the family that its file names, taken and noted in the record before anything of the test
    window is known; None where it names none. `tested`: the models that the test window was asked of before.

    Raises:
        InputError: where the study has a place in another family or its file names none any more, where its test window
            was asked before the family was named, or where the ledger is not as it was left.
    """
    config, known = problem.config.finals, study.facts.family
    if known is not None and config.family != known.name:
        must, hint = f"finals.family must be {known.name}", f"the study has place {known.place} of {known.name}"
        hint = f"{hint}: what was tested in a family stays tested in it"
        raise InputError.of(str(problem.file), must, config.family or "none", hint)
    if config.family is None:
        return None
    if known is None and tested:
        must = "finals.family must be named before the test window is asked"
        models = f"{len(tested)} {'model' if len(tested) == 1 else 'models'} that finals have tested without it"
        hint = "leave `family` out, or name it in a new study (another --out) whose test days no finals have seen"
        raise InputError.of(str(problem.file), must, models, hint)
    folder = ledger_folder(problem)
    family = take_place(folder, config.family, problem.config.name, study.facts, problem.folder)
    ledger = os.path.relpath(folder.resolve(), problem.folder.resolve())
    study.note(replace(study.facts, family=Place(name=family.name, place=family.place, ledger=ledger)))
    return replace(family, ledger=ledger)


def ledger_folder(problem: Problem) -> Path:
    """Where the ledger of the family stands that a study file names; it has one beside the study if it names no folder.

    Raises:
        InputError: where the folder that it names is not there: a family that is made by a slip of the pen has an empty
            ledger, and every study of it is the first. Where it names none although other folders share the record.
    """
    named = problem.config.finals.ledger
    if named is None and problem.config.storage is not None:
        must = "family must come with `ledger` where `storage` is shared: what is beside one folder others may not have"
        hint = "name a folder that all of them see"
        raise InputError([Mistake(problem.document.at("finals", "family"), must, "none", hint)])
    if named is None:
        return problem.folder.parent
    folder = problem.file.parent / named
    if not folder.is_dir():
        must, hint = "ledger must be a folder that is there", "make it first, where the family is new"
        raise InputError([Mistake(problem.document.at("finals", "ledger"), must, f"no {folder}", hint)])
    return folder


def take_place(folder: Path, family: str, study: str, facts: Facts, study_folder: Path) -> Family:
    """The place of a study in a family: the one that it has, or the next one, which is written down before anything is
    tested. Two studies at once take two places.

    Raises:
        InputError: where the ledger cannot be read, is of another family, has places twice or left out, or does not
            hold the place that the record tells.
    """
    file, known = ledger_file(folder, family), facts.family
    with _alone(file):
        ledger = read_ledger(file, family)
        place = ledger.place(study, facts.started_at)
        if known is not None and place != known.place:
            must = f"must hold {study} at place {known.place} of the family {family}"
            was = os.path.normpath(study_folder / known.ledger)
            hint = f"it was in {was} and was moved, removed or changed: put it back, or name its folder by "
            hint += "`finals: {ledger: ...}`"
            raise InputError.of(str(file), must, "no place" if place is None else f"place {place}", hint)
        if place is None:
            place = len(ledger.studies) + 1
            member = Member(study=study, started_at=facts.started_at, place=place)
            with whole_file(file) as part:
                shown = _CODEC.plain(replace(ledger, studies=(*ledger.studies, member)))
                part.write_text(json.dumps(shown, indent=1, allow_nan=False) + "\n")
    return Family(name=family, place=place, level=level_of(place))


def read_ledger(file: Path, family: str) -> Ledger:
    """The ledger of a family; an empty one where there is none.

    Raises:
        InputError: where it is not as documented.
    """
    if not file.exists():
        return Ledger(family=family)
    found = _CODEC.read(file)
    if found.version != VERSION:
        raise InputError.of(str(file), f"must be of version {VERSION}", str(found.version), "another release wrote it")
    if found.family != family:
        raise InputError.of(str(file), f"must be the ledger of the family {family}", found.family)
    places = [member.place for member in found.studies]
    if places != list(range(1, len(places) + 1)):
        must = "places must count from 1, each once and in their order"
        raise InputError.of(
            str(file), must, ", ".join(map(str, places)), "the ledger is written by `automl finals` alone"
        )
    named = {(member.study, member.started_at) for member in found.studies}
    if len(named) < len(places):
        raise InputError.of(str(file), "must hold each study once", "one that has two places")
    return found


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    lock = filelock.FileLock(file.with_name(f"{file.name}.lock"), timeout=_WITHIN_S)
    try:
        with lock:
            yield
    except filelock.Timeout:
        must, found = "must not be in use", f"another `automl finals` that has held it for {_WITHIN_S:.0f} s"
        raise InputError.of(str(file), must, found, "try again") from None
