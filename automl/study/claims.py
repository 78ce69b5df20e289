"""What the figures of a study are about, and the one question that is asked before anything goes from its folder to its
files: are they still those that the record speaks of?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from automl.data.describe.tables import DataConfig
from automl.study.config import StudyConfig
from automl.study.facts import Facts
from automl.study.file import config_of, part
from automl.study.history import Trial
from automl.study.places import found
from automl.study.plugins import changed
from automl.study.results import Finals, read_finals
from automl.study.scaled import Scaled
from automl.study.shared import Shared, plugins_of, study_file_of
from automl.study.warm_list import folders_of, list_words, listed, plainly, recorded_folders, recorded_list
from search_spaces.errors import InputError, Mistake, Position
from search_spaces.source import Document, read_text


class Conflict(StrEnum):
    """In what the files may not differ from the record."""

    NAME = "name"
    DATA = "data"
    BASELINE = "baseline"
    SCALE = "`--scale`"
    PLUGINS = "content of a plug-in"
    TUNING = "`search: {tune_baseline}`"
    WARM_START = "`search: {warm_start}`"
    TRAINING = "`trial: {training}`"
    OBJECTIVE = "`objectives`"
    QPS = "`qps`"
    SEED = "seed"
    LIMITS = "`constraints`"


# Where each stands in a study file; the others are of the whole.
_AT: Mapping[Conflict, tuple[str, ...]] = {
    Conflict.NAME: ("name",),
    Conflict.DATA: ("data",),
    Conflict.BASELINE: ("baseline",),
    Conflict.TUNING: ("search", "tune_baseline"),
    Conflict.WARM_START: ("search", "warm_start"),
    Conflict.TRAINING: ("trial", "training"),
    Conflict.OBJECTIVE: ("objectives",),
    Conflict.QPS: ("qps",),
    Conflict.SEED: ("seed",),
    Conflict.LIMITS: ("constraints",),
}
TAKEN_OVER = (Conflict.NAME, Conflict.LIMITS)  # by a search: other limits are of the same trials
_ELSEWHERE = "use another --out"
_HINTS = {
    Conflict.NAME: "a study is known by its name: search it first, with this --out",
    Conflict.DATA: f"the log, its windows or features have changed, or another version encoded it: {_ELSEWHERE}",
    Conflict.BASELINE: f"the baseline has changed: {_ELSEWHERE}",
    Conflict.SCALE: f"every gain is against the baseline as it was widened: ask for the same, or {_ELSEWHERE}",
    Conflict.PLUGINS: f"a plug-in file has changed, and its models with it: {_ELSEWHERE}",
    Conflict.TUNING: f"what the baseline was tuned to, every gain is against: leave it as it was, or {_ELSEWHERE}",
    Conflict.WARM_START: f"what the earlier studies said is written down once: leave it as it was, or {_ELSEWHERE}",
    Conflict.TRAINING: f"models that were trained in two ways cannot be compared: leave it as it was, or {_ELSEWHERE}",
    Conflict.OBJECTIVE: f"every NE of the record is that of another label: leave it as it was, or {_ELSEWHERE}",
    Conflict.QPS: f"ratios that were timed in two ways cannot be compared: leave it as it was, or {_ELSEWHERE}",
    Conflict.SEED: f"all trainings that are compared share their orders of the data: leave it, or {_ELSEWHERE}",
    Conflict.LIMITS: "picks are made within the recorded limits: the same `automl search` takes the new ones over",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What figures are about. data, finals_data: fingerprints of the log as the search and the finals read it; the
    second is None where an older record does not have it. baseline: key of the model as brought. plugins: digests by
    file ("": not known). scaled: what its baseline was widened to. warm_folders: of the studies that it starts warm
    from. document: the file, where it is one of today."""

    config: StudyConfig
    data: str
    finals_data: str | None
    baseline: str
    plugins: Mapping[str, str]
    scaled: Scaled | None = None
    warm_folders: tuple[str, ...] = ()
    document: Document | None = field(default=None, compare=False, repr=False)

    @classmethod
    def recorded(cls, facts: Facts, folder: Path) -> Subject:
        """What the record of a folder speaks of.

        Raises:
            InputError: where the recorded study file cannot be read by this version.
        """
        return cls(
            config=recorded_config(facts),
            data=facts.data,
            finals_data=facts.finals_data,
            baseline=facts.baseline_key,
            plugins=plugins_of(facts, folder),
            scaled=facts.scaled,
            warm_folders=recorded_folders(facts, folder),
        )

    def conflicts(self, other: Subject) -> tuple[Conflict, ...]:
        """What makes the two different; of plug-ins only those that both have: one may be named later."""
        both = [file for file in self.plugins.keys() & other.plugins.keys() if self.plugins[file]]
        mine, theirs = self.config, other.config
        pairs: dict[Conflict, tuple[object, object]] = {
            Conflict.NAME: (mine.name, theirs.name),
            Conflict.DATA: (self._of_data(other), other._of_data(self)),
            Conflict.BASELINE: (self.baseline, other.baseline),
            Conflict.SCALE: (self.scaled, other.scaled),
            Conflict.PLUGINS: ([self.plugins[file] for file in both], [other.plugins[file] for file in both]),
            Conflict.TUNING: (mine.search.tune_baseline, theirs.search.tune_baseline),
            Conflict.WARM_START: (self._warm(other), other._warm(self)),
            Conflict.TRAINING: (mine.trial.training, theirs.trial.training),
            Conflict.OBJECTIVE: (_objective(mine), _objective(theirs)),
            Conflict.QPS: ((mine.qps.batch_rows, mine.qps.clock), (theirs.qps.batch_rows, theirs.qps.clock)),
            Conflict.SEED: (mine.seed, theirs.seed),
            Conflict.LIMITS: (_limits(mine), _limits(theirs)),
        }
        return tuple(what for what, (one, another) in pairs.items() if one != another)

    def _of_data(self, other: Subject) -> tuple[str, ...]:
        known = None not in (self.finals_data, other.finals_data)
        return (self.data, str(self.finals_data)) if known else (self.data,)

    def _warm(self, other: Subject) -> tuple[str, ...]:
        """The list, or nothing where the other's means the same folders: one study may have been copied or moved."""
        mine, theirs = self.config.search.warm_start, other.config.search.warm_start
        same = plainly(mine) == plainly(theirs) or sorted(self.warm_folders) == sorted(other.warm_folders)
        return () if same and len(mine) == len(theirs) else mine


def recorded_config(facts: Facts) -> StudyConfig:
    """The study file as it was when the search was last started.

    Raises:
        InputError: where this version cannot read it.
    """
    return config_of(read_text(facts.config_text, "study.yaml"))


def recorded_file(facts: Facts, folder: Path) -> Path:
    """The study file of a folder: its own where it is a copy, and found again where it was moved.

    Raises:
        InputError: where there is none.
    """
    return found(study_file_of(facts, folder), folder, f"automl search FILE --out {folder}")


def is_recorded_log(facts: Facts, folder: Path) -> bool:
    """Whether the log that a study names is still that of its record; not where it cannot be read any more."""
    data = recorded_config(facts).data
    if not isinstance(data, DataConfig):
        return False
    from automl.data.encode.log import plan_fingerprint
    from automl.data.encode.plan import make_plan

    try:
        plan = make_plan(data, recorded_file(facts, folder).parent)
        return plan_fingerprint(plan, folder / "data", ("train",)) == facts.data
    except (InputError, OSError):
        return False


def ask(known: Subject, now: Subject, file: Path, folder: Path, *, taken: tuple[Conflict, ...] = ()) -> None:
    """Ask whether the files are those of the record. `taken`: differences that whoever asks takes over.

    Raises:
        InputError: with every difference.
    """
    conflicts = [what for what in known.conflicts(now) if what not in taken]
    if conflicts:
        must, document = f"must be the study that {Shared.of(folder) or folder} holds", now.document
        raise InputError(
            Mistake(
                document.at(*_AT[what]) if document is not None and what in _AT else Position(str(file)),
                must,
                f"{_other(what)}{_more(what, known, now)}",
                _HINTS[what],
            )
            for what in conflicts
        )


def hold_warm_start(facts: Facts, document: Document, folder: Path) -> None:
    """Ask of the list alone whether it is that of a study which was started; nothing else need be sound.

    Raises:
        InputError: where it is another.
    """
    names, before = [name for _, name in listed(document)], recorded_list(facts)
    here, there = folders_of(names, Path(document.file).parent), recorded_folders(facts, folder)
    if plainly(names) != plainly(before) and sorted(here) != sorted(there):
        what = Conflict.WARM_START
        must = f"must be the study that {Shared.of(folder) or folder} holds"
        raise InputError([Mistake(document.at(*_AT[what]), must, f"{_other(what)}{list_words(before)}", _HINTS[what])])


def hold_code(facts: Facts, folder: Path) -> None:
    """Ask whether the models of a record are still made by the code that it speaks of.

    Raises:
        InputError: for each plug-in whose content has changed.
    """
    others = changed(plugins_of(facts, folder))
    if others:
        must = f"must be the plug-in that the models of {folder} are made by"
        raise InputError(Mistake(Position(file), must, "another content", _HINTS[Conflict.PLUGINS]) for file in others)


def finals_of(folder: Path, facts: Facts, trials: Sequence[Trial]) -> tuple[Finals | None, str | None]:
    """The finals of the record with these trials, None where there are none; and why those that lie in its folder are
    not shown, where they tell that they are of something else.

    Raises:
        InputError: where finals.json cannot be read.
    """
    finals = read_finals(folder)
    of = None if finals is None else finals.of
    if of is None:
        return finals, None
    keys = {trial.number: trial.candidate.key for trial in trials}
    name = part(read_text(facts.config_text, "study.yaml"), "name")
    wrong = {
        "another study": of.name != "" and (of.name, of.started_at) != (name, facts.started_at),
        "other data": of.data != facts.data,
        "another baseline": of.baseline != facts.compared_key,
        "other models": any(keys.get(number) != key for number, key in of.models.items()),
    }
    words = " and ".join(what for what, differs in wrong.items() if differs)
    if not words:
        return finals, None
    return None, f"finals.json is of {words}, and so is not shown. Run `automl finals` again."


def _other(what: Conflict) -> str:
    return f"{'other' if what in (Conflict.DATA, Conflict.OBJECTIVE, Conflict.LIMITS) else 'another'} {what}"


def _objective(config: StudyConfig) -> str | None:
    """Of several labels the one whose NE is the objective, by its name also where it is the first and not named."""
    several = config.data.tasks if isinstance(config.data, DataConfig) and config.data.labels else ()
    return config.task or next((label.name for label in several), None)


def _limits(config: StudyConfig) -> tuple[object, ...]:
    """What is measured by what it says, what is computed by its words: as a search would take them over."""
    return (config.limits, *(" ".join(text.split()) for text in config.cost_limits))


def _more(what: Conflict, known: Subject, now: Subject) -> str:
    """In what the data differ, as far as the two descriptions tell it; another order is another description. Of scales
    which they are."""
    if what is Conflict.SCALE:
        before_it, asked = ("none" if one.scaled is None else str(one.scaled) for one in (known, now))
        return f" ({asked}; the record is of {before_it})"
    if what is Conflict.WARM_START:
        return list_words(known.config.search.warm_start)
    if what is not Conflict.DATA:
        return ""
    before, after = ({**one.config.data.model_dump(mode="json")} for one in (known, now))
    if before.pop("split") != after.pop("split"):
        return " (other windows)"
    return " (other rows)" if str(before) == str(after) else " (another description of it)"
