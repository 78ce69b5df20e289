"""A study file and all that it points to, read and checked: what every command starts from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from automl.data.describe.tables import DataConfig, LessonsConfig
from automl.files.passed import Passed, Told, unheard, untold
from automl.study.claims import Subject
from automl.study.config import StudyConfig, is_cost_limit
from automl.study.drivers import connected
from automl.study.file import StudyFile, gathering, part, read_study
from automl.study.fits import (
    check_actions,
    formed,
    misnamed,
    numberless,
    several,
    unlisted,
    unnamed,
    untasked,
    untaught,
)
from automl.study.places import study_folder
from automl.study.plugins import digests, plug_in
from automl.study.precedents import WarmStart
from automl.study.scaled import Scaled
from automl.study.warm_list import folders_of
from search_spaces.errors import InputError, Mistake, Position
from search_spaces.extends import is_name
from search_spaces.model import ModelSpec
from search_spaces.source import Document, read
from search_spaces.space import TRIES, SearchSpace, load_model, load_space
from search_spaces.tree import Words

if TYPE_CHECKING:
    from automl.data.encode.plan import Plan
    from automl.data.store.log import EncodedLog

Warm = Callable[[StudyFile, Path], WarmStart | None]  # of a study file, for a study in this folder


def nobody_asked(study: StudyFile, folder: Path) -> WarmStart | None:
    """For whoever starts no search."""
    return None


SEARCH_FIT = ("train",)
FINALS_FIT = ("train", "validate")
_DRAWS = 64  # candidates whose cost is told where the limits allow none


@dataclass(frozen=True)
class Problem:
    """What is searched, on which data, against which baseline."""

    file: Path
    folder: Path  # of the study: its record, its data, its report
    document: Document
    config: StudyConfig
    space: SearchSpace  # bound to the log's shape, with the study's limits on cost
    baseline: ModelSpec  # what every gain is against
    log: EncodedLog
    plan: Plan | None = None  # the tables; None where the study has lessons in place of them
    brought: ModelSpec | None = None  # the baseline of the file, where a widened or tuned one stands in its place
    scaled: Scaled | None = None  # the multiple of the baseline's FLOPs that it is about
    finals_data: str | None = None  # fingerprint of the log as the finals read it; None: whatever it is then
    warm: WarmStart | None = None  # what a search starts from; None where nobody asked

    @property
    def subject(self) -> Subject:
        """What its figures are about."""
        return Subject(
            config=self.config,
            data=self.log.fingerprint,
            finals_data=self.finals_data,
            baseline=(self.brought or self.baseline).key,
            plugins=digests(),
            scaled=self.scaled,
            warm_folders=folders_of(self.config.search.warm_start, self.file.parent),
            document=self.document,
        )

    @property
    def name(self) -> str:
        """By which its record is known; in a database, which all scales of a study share, of each another one."""
        alone = self.scaled is None or self.config.storage is None
        return self.config.name if alone else f"{self.config.name} at {self.scaled}"

    def at_scale(self, scaled: Scaled | None, space: SearchSpace | None = None) -> Problem:
        """The problem of a study whose baseline was widened, in its space; the same one where it was not."""
        if scaled is None:
            return self
        brought = self.brought or self.baseline
        return replace(self, baseline=scaled.widened, brought=brought, scaled=scaled, space=space or self.space)

    def against(self, tuned: ModelSpec | None) -> Problem:
        """The problem of a study whose baseline was tuned to this model; the same one where it was not tuned."""
        if tuned is None or tuned == self.baseline:
            return self
        return replace(self, baseline=tuned, brought=self.brought or self.baseline)


def load_problem(
    file: Path,
    folder: Path | None = None,
    passed: Passed = unheard,
    ask: Callable[[Subject], None] = lambda subject: None,
    told: Told = untold,
    space: SearchSpace | None = None,
    warm: Warm = nobody_asked,
) -> Problem:
    """Read a study file, its space and its baseline, and encode its log (once: later calls map it); `passed` hears how
    far that is, `ask` what it is all about, before anything is encoded, `told` what encoding takes and why it is done
    again. `space` stands in the place of the file's, which need not be there then. `warm` reads the studies that the
    search starts warm from, before the log is encoded.

    Raises:
        InputError: with every mistake that can be told before the rows are read, or those of the rows; what `ask`
            raises.
    """
    return problem_of(read(file), folder, told, passed, ask, space, warm)


def problem_of(
    document: Document,
    folder: Path | None = None,
    told: Told = untold,
    passed: Passed = unheard,
    ask: Callable[[Subject], None] = lambda subject: None,
    space: SearchSpace | None = None,
    warm: Warm = nobody_asked,
) -> Problem:
    """`load_problem` of a file that was read; `told` hears what encoding takes, where it is much and before it begins,
    and which file makes it begin anew.

    Raises:
        InputError: as `load_problem`; where a plug-in does not load, of the plug-ins alone.
    """
    plug_in(document)  # before the rest is read, which may name what they add
    study = read_study(document)
    document, config, mistakes = study.document, study.config, list(study.mistakes)
    file = Path(document.file)
    folder = folder or study_folder(file)
    given, baseline, said = space, None, None
    plan: Plan | None = None
    with gathering(mistakes):
        space = _load_space(document) if given is None else given
    with gathering(mistakes):
        baseline = _load_baseline(document)
    with gathering(mistakes):
        plan = _open_tables(study)
    with gathering(mistakes):
        if config is not None and config.storage is not None:
            connected(config.storage, document.at("storage")).close()
        said = warm(study, folder.absolute())
    mistakes += untasked(document, study.data, None if given else space, baseline)
    if part(document, "data", "lessons") is not None:
        mistakes += several(document, None if given else space, baseline)
        mistakes += formed(document, None if given else space, baseline)
    elif part(document, "data") is not None:
        mistakes += untaught(document, None if given else space, baseline)
    if config is not None:
        mistakes += unlisted(document, config, None if given else space, baseline)
        mistakes += unnamed(document, config.data, None if given else space, baseline)
        mistakes += numberless(document, config, None if given else space, baseline)
    if mistakes or config is None or space is None or baseline is None:
        raise InputError(mistakes)
    data, finals_data = (_fingerprint(config, plan, document, folder, fit, passed) for fit in (SEARCH_FIT, FINALS_FIT))
    folders = folders_of(config.search.warm_start, file.parent)
    ask(
        Subject(
            config=config,
            data=data,
            finals_data=finals_data,
            baseline=baseline.key,
            plugins=digests(),
            warm_folders=folders,
            document=document,
        )
    )
    log = _encode(config, plan, document, folder, SEARCH_FIT, told, passed).about(config.task)
    _check_clusters(config, document, log)
    if isinstance(config.data, LessonsConfig):
        wrong = misnamed(document, log.inputs.names, None if given else space, baseline, log.fields)
        if wrong:
            raise InputError(wrong)
    bound = space.with_inputs(log.inputs)
    actions = {history.name: history.shape.actions for history in log.histories}
    check_actions(document, actions, None if given else space, baseline)
    _check_allows_something(bound, document)
    return Problem(
        file.absolute(),
        folder.absolute(),
        document,
        config,
        bound,
        baseline,
        log,
        plan,
        finals_data=finals_data,
        warm=said,
    )


def encode(
    problem: Problem,
    fit: tuple[str, ...],
    passed: Passed = unheard,
    told: Told = untold,
) -> EncodedLog:
    """The study's log with encoders fitted on the windows `fit`; `passed` and `told` as of `load_problem`.

    Raises:
        InputError: where the log is not what it was when the problem was loaded: one that grows would be another.
    """
    parts = (problem.config, problem.plan, problem.document, problem.folder, fit)
    _hold_unchanged(problem, fit, _fingerprint(*parts, passed))
    log = _encode(*parts, told=told, passed=passed).about(problem.config.task)
    _hold_unchanged(problem, fit, log.fingerprint)
    return log


def _hold_unchanged(problem: Problem, fit: tuple[str, ...], fingerprint: str) -> None:
    known = {SEARCH_FIT: problem.log.fingerprint, FINALS_FIT: problem.finals_data}.get(fit)
    if known not in (None, fingerprint):
        must, hint = "must stay as it was when the command started", "leave the study a copy that nobody writes to"
        raise InputError([Mistake(problem.document.at("data"), must, "other rows", hint)])


def plan_of(problem: Problem) -> Plan:
    """The tables of a study, and which of their columns mean what.

    Raises:
        InputError: where the study has lessons in place of tables.
    """
    if problem.plan is None:
        must = "must be tables, whose rows a served model could encode"
        hint = "name the model in an ExFM file (model: STUDY#ROLE): its run exports students"
        raise InputError([Mistake(problem.document.at("data", "lessons"), must, "lessons", hint)])
    return problem.plan


def _open_tables(study: StudyFile) -> Plan | None:
    """The tables, where their description is sound; loads what reads them."""
    if not isinstance(study.data, DataConfig):
        return None
    from automl.data.encode.plan import make_plan

    return make_plan(study.data, Path(study.document.file).parent, _in_data(study.document))


def _encode(
    config: StudyConfig,
    plan: Plan | None,
    document: Document,
    folder: Path,
    fit: tuple[str, ...],
    told: Told = untold,
    passed: Passed = unheard,
) -> EncodedLog:
    cache = folder / "data"
    if isinstance(config.data, LessonsConfig):
        from automl.data.encode.lessons import encode_lessons

        base, where = Path(document.file).parent, _in_data(document)
        return encode_lessons(config.data, base, cache, fit=fit, where=where, told=told, passed=passed)
    from automl.data.encode.log import encode_plan

    assert plan is not None, "tables without a mistake are open"
    return encode_plan(plan, cache, fit=fit, told=told, passed=passed)


def _fingerprint(
    config: StudyConfig, plan: Plan | None, document: Document, folder: Path, fit: tuple[str, ...], passed: Passed
) -> str:
    """Of the log with encoders fitted on the windows `fit`, whether it is encoded or not."""
    if isinstance(config.data, LessonsConfig):
        from automl.data.encode.lessons import lessons_fingerprint

        return lessons_fingerprint(config.data, Path(document.file).parent, fit, _in_data(document))
    from automl.data.encode.log import plan_fingerprint

    assert plan is not None, "tables without a mistake are open"
    return plan_fingerprint(plan, folder / "data", fit, passed)


def _in_data(document: Document) -> Callable[..., Position]:
    return lambda *path: document.at("data", *path)


def _check_clusters(config: StudyConfig, document: Document, log: EncodedLog) -> None:
    """The finals will need them: better told before the search."""
    if isinstance(config.data, LessonsConfig):
        return  # told with their windows
    if config.data.cluster is not None and np.ptp(log.clusters_N[log.windows["test"]]) == 0:
        must = f"cluster {config.data.cluster} must take at least two values in the test window"
        hint = "the finals tell chance from gain by how clusters differ: name a finer one, or test on more days"
        raise InputError([Mistake(document.at("data", "cluster"), must, "one", hint)])


def _load_space(document: Document) -> SearchSpace | None:
    """The space that the file names, with the study's limits on cost; None where it names none."""
    name = part(document, "space")
    if not isinstance(name, str):
        return None
    try:
        space = load_space(name if is_name(name) else Path(document.file).parent / name)
    except InputError as error:
        raise _told_here(error, document, "space", name) from None
    listed = part(document, "constraints")
    texts = enumerate(listed if isinstance(listed, list) else ())
    limits = [(i, text) for i, text in texts if isinstance(text, str) and is_cost_limit(text)]
    return space.with_where([Words(text, *document.at_text("constraints", i)) for i, text in limits])


def _load_baseline(document: Document) -> ModelSpec | None:
    name = part(document, "baseline")
    if not isinstance(name, str):
        return None
    try:
        return load_model(Path(document.file).parent / name)
    except InputError as error:
        raise _told_here(error, document, "baseline", name) from None


def _told_here(error: InputError, document: Document, key: str, name: str) -> InputError:
    """What is wrong with a file as a whole is a mistake of the line that names it."""
    return InputError(
        mistake
        if mistake.position.line
        else replace(mistake, position=document.at(key), must=f"{key} {name} {mistake.must}")
        for mistake in error.mistakes
    )


def _check_allows_something(space: SearchSpace, document: Document) -> None:
    """Limits on cost can only be judged with the log at hand."""
    rng = np.random.default_rng(0)
    try:
        space.random(rng)
    except InputError:
        costs = space.costing.total(space.sample(None, _DRAWS, rng))
        hint = (
            f"of {_DRAWS} draws the smallest has {costs.params.min():,.0f} params, "
            f"{costs.flops.min():,.0f} flops and {costs.bytes.min():,.0f} activation_bytes"
        )
        key = "space" if part(document, "constraints") is None else "constraints"
        must = "limits on cost must leave some candidate of the space"
        raise InputError([Mistake(document.at(key), must, f"none in {TRIES:,} draws", hint)]) from None
