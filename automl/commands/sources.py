"""The studies that a search starts warm from, read as they are: nothing is written there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from automl.study.claims import recorded_config, recorded_file
from automl.study.facts import Facts
from automl.study.file import StudyFile
from automl.study.history import State, Trial
from automl.study.places import RECORD, study_folder, told
from automl.study.plugins import digests
from automl.study.precedents import Precedent, Scored, Source, WarmStart
from automl.study.record import Study
from automl.study.scored import cannot_tell, overlap, same_log, tested_on, validated_on
from automl.study.shared import plugins_of, study_file_of
from automl.study.sqlite import reading
from automl.study.storage import load_editions, load_newest
from search_spaces.errors import InputError, Mistake, Position
from search_spaces.nodes import brief

FEWEST = 8  # trials of a study, below which it says nothing
_HINT = "a folder that `automl search` has written"
_SHARED = "where both hold the same rows, it has chosen by those that the finals judge by"
_LATER = "its trials were chosen by rows that the finals judge by: name a study of earlier days, or test on later ones"


def read_sources(study: StudyFile, own: Path, names: Sequence[tuple[int, str]]) -> WarmStart:
    """What the studies in these folders have found, those of each in the order of its trials.

    Raises:
        InputError: with what is wrong with each: it is no study with enough trials, is this study itself or another of
            the list, has plug-ins that this one has not, or was scored on rows that are tested here.
    """
    mistakes: list[Mistake] = []
    found: list[_Read] = []
    notes: list[tuple[Position, str]] = []
    seen: dict[Path, str] = {}
    for k, name in names:
        at = study.document.at("search", "warm_start", k)
        try:
            folder = _folder(study, name)
            if folder in seen:
                must, hint = "must be a study that is named once", "it would count twice"
                raise InputError.of(str(folder), must, f"that of {_said(seen[folder])}", hint)
            seen[folder] = name
            read = _read(folder, name, own.resolve())
            found.append(read)
            notes += ((at, text) for text in _hold_apart(study, read))
        except InputError as error:
            mistakes += (_here(one, name, at) for one in error.mistakes[:1])
    if mistakes:
        raise InputError(mistakes)
    return WarmStart(
        tuple(one for read in found for one in read.precedents), tuple(read.source for read in found), tuple(notes)
    )


@dataclass(frozen=True, slots=True)
class _Read:
    """A study as it was read. `known`: its record tells what those were scored on that it started warm from."""

    folder: Path
    source: Source
    precedents: tuple[Precedent, ...]
    known: bool


def _folder(study: StudyFile, name: str) -> Path:
    if not name.strip():
        raise InputError.of(name, "must name the folder of a study", "", _HINT)
    with reading(Path(name)):
        path = (Path(study.document.file).parent / name).resolve()
        if not path.is_file():
            return path
    place = path.parent if path.name in ("study.yaml", RECORD) else study_folder(path)
    hint = f"name the folder: {Path(name).parent / place.name if place != path.parent else Path(name).parent}"
    raise InputError.of(name, "must be the folder of a study", "a file", hint if place.is_dir() else _HINT)


def _read(folder: Path, name: str, own: Path) -> _Read:
    where = str(folder)
    if folder == own:
        raise InputError.of(where, "must be another study", "this one", "what it has tried it goes on from anyway")
    with reading(folder):
        facts = Facts.of_json(load_newest(folder, only_read=True).user_attrs)
        strange = {} if facts is None else {f: d for f, d in plugins_of(facts, folder).items() if digests().get(f) != d}
        if strange:
            names = ", ".join(Path(file).name for file in strange)
            must = "must use the plug-ins of this study only"
            raise InputError.of(where, must, names, "name them under `plugins`")
        editions = [Study(*edition) for edition in load_editions(folder, only_read=True)]
        facts, baseline = editions[-1].facts, editions[-1].baseline()
        if baseline is None:
            raise InputError.of(where, "must hold a measured baseline", "none yet", "search it first")
        trials = list(_trained(editions))
        if len(trials) < FEWEST:
            must = f"must hold at least {FEWEST} trials that were trained to their end"
            raise InputError.of(where, must, str(len(trials)), "search it further")
        precedents = tuple(
            Precedent(
                study=name,
                trial=trial.number,
                model=trial.candidate.model,
                ne_gain_pct=baseline.mean_gain_pct(trial),
                qps_ratio=trial.measurement.speed.qps_ratio,
                fit=trial.unfit is None,
            )
            for trial in trials
            if trial.measurement is not None
        )
        before = [scored for source in facts.warm_sources for scored in source.scored]
        source = Source(name=name, folder=told(folder, own), scored=(_scored(facts, folder), *before))
        return _Read(folder, source, precedents, known=bool(facts.warm_sources) or not facts.warm_start)


def _trained(editions: Sequence[Study]) -> Iterator[Trial]:
    """The trials of all editions of its space that were trained to their end, by number. What limits the other study
    has says nothing of what a model is worth."""
    newest: dict[int, Trial] = {}
    for study in reversed(editions):
        for trial in study.trials:
            newest.setdefault(trial.number, trial)
    for number in sorted(newest):
        if newest[number].state is State.COMPLETE and newest[number].measured:
            yield newest[number]


def _scored(facts: Facts, folder: Path) -> Scored:
    config = recorded_config(facts)
    try:
        base = recorded_file(facts, folder).parent
    except InputError:  # it was deleted or has moved: where its log lay is known all the same
        base = (folder / study_file_of(facts, folder)).parent
    return validated_on(config.name, config.data, base)


def _hold_apart(study: StudyFile, read: _Read) -> Iterator[str]:
    """Notes on what cannot be told of the rows that a source was scored on.

    Raises:
        InputError: where they are tested here.
    """
    if study.data is None:
        return
    tested = tested_on("", study.data, Path(study.document.file).parent)
    name = _said(read.source.name)
    for k, scored in enumerate(read.source.scored):
        by = f", by {scored.study}, from which it started warm itself" if k else ""
        words = overlap(scored, tested)
        if words is not None and same_log(scored, tested):
            must = "must be scored on other rows than those that are tested here"
            raise InputError.of(str(read.folder), must, f"{words} of the same log{by}", _LATER)
        other = f"another log ({scored.log})"
        if words is not None:
            yield f"{name} was scored on {words}{by}, days that are tested here, of {other}: {_SHARED}"
        elif cannot_tell(scored, tested):
            yield f"{name} was scored on rows of {other}{by}: whether they are tested here cannot be told"
    if not read.known:
        yield f"{name} started warm itself, and its record does not tell on which rows those studies were scored"


def _here(mistake: Mistake, name: str, at: Position) -> Mistake:
    """What is wrong with a source, at the place that names it."""
    if mistake.position.line:  # of a text in its record
        return Mistake(at, f"{_said(name)} must hold a record that can be read", str(mistake), _HINT)
    return Mistake(at, f"{_said(name)} {mistake.must}", mistake.found, mistake.hint or _HINT)


def _said(name: str) -> str:
    """A folder's name as a message shows it, whatever it holds."""
    plain = name.isprintable() and name.strip() == name != ""
    return brief(name) if plain else brief(ascii(name))
