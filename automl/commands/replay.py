"""A search played again from its record: every batch of proposals is asked for anew, from what was known when it was
asked for. No trial is trained, and nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from automl.commands.proposing import proposed
from automl.data.store.log import EncodedLog
from automl.runtime.errors import RunError
from automl.runtime.host import machine, versions
from automl.strategies import strategy_of
from automl.study.history import Proposal, Trial
from automl.study.known import as_known
from automl.study.plugins import digests
from automl.study.record import Study
from automl.study.records import proposal_json
from automl.study.requests import Request
from automl.study.storage import load_editions
from search_spaces.errors import InputError
from search_spaces.space import SearchSpace


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The first proposal that came out otherwise."""

    trial: int
    round: int
    recorded: str
    now: str
    made_otherwise: tuple[str, ...]  # what else is not as it was then: versions, machine, plug-ins


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What a replay found. `unknown` proposals are of a record that did not hold yet what was known."""

    proposals: int  # that were asked for again
    identical: int
    unknown: int = 0
    first: Difference | None = None

    def lines(self) -> list[str]:
        """In words."""
        lines = [f"identical: {self.identical} proposals"]
        if self.first is not None:
            one = self.first
            lines = [
                f"differs: {self.identical} of {self.proposals} proposals are identical, the first that is not is "
                f"#{one.trial} (batch {one.round})",
                f"recorded   {one.recorded}",
                f"now        {one.now}",
                *(f"since then {words}" for words in one.made_otherwise),
            ]
            if not one.made_otherwise:
                lines.append("nothing that the record tells is otherwise: the strategy draws from more than its seed")
        if self.unknown:
            lines.append(f"not asked again: {self.unknown} proposals, of a version that did not record what was known")
        return lines


def replay(folder: Path, log: EncodedLog | None, told: Callable[[int, int], None] = lambda done, total: None) -> Replay:
    """Ask for every batch of a study anew, in each space that it was searched in; `told` hears how far it is.

    Args:
        log: the study's encoded log, which says what a model costs.

    Raises:
        InputError: where the folder holds no study that was started, no log, or no proposal whose request was recorded;
            where a plug-in does not load.
    """
    if log is None:
        must, found = (
            "must hold the encoded log (data/), by which models cost",
            "none, one of another version, or not what was encoded",
        )
        raise InputError.of(
            str(folder),
            must,
            found,
            "copy the study with its data, replay with that version, or have `automl check` encode it",
        )
    editions = [(Study(stored, space), space.with_inputs(log.inputs)) for stored, space in load_editions(folder)]
    total = sum(len(study.proposed_here) for study, _ in editions)
    asked = [batch for study, space in editions for batch in _asked(study, space)]
    if total and not asked:
        must, found = "must hold what was known when its proposals were asked for", "a record of an earlier version"
        raise InputError.of(str(folder), must, found, "proposals that are made from now on can be replayed")
    done = identical = 0
    first: Difference | None = None
    for batch in asked:
        same, difference = batch.replayed()
        done, identical, first = done + len(batch.recorded), identical + same, first or difference
        told(done, total)
    return Replay(proposals=done, identical=identical, unknown=total - done, first=first)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A batch of the record: what was asked, and what was proposed to it."""

    study: Study
    space: SearchSpace
    round: int
    request: Request
    recorded: tuple[Trial, ...]

    def replayed(self) -> tuple[int, Difference | None]:
        """How many of its proposals come out as they are recorded, and the first that does not."""
        history = as_known(self.study, self.request)
        try:
            found = proposed(self.space, strategy_of(self.request.strategy), history, self.request)
        except (KeyError, RunError) as error:
            words = f"no strategy {error}" if isinstance(error, KeyError) else str(error)
            return 0, self._difference(self.recorded[0], words)
        same, first = 0, None
        for trial, new in zip(self.recorded, [*found, *[None] * len(self.recorded)], strict=False):
            if new is not None and proposal_json(new) == proposal_json(_proposal_of(trial)):
                same += 1
            elif first is None:
                first = self._difference(trial, "none" if new is None else _words(new))
        return same, first

    def _difference(self, trial: Trial, now: str) -> Difference:
        return Difference(
            trial=trial.number,
            round=self.round,
            recorded=_words(_proposal_of(trial)),
            now=now,
            made_otherwise=tuple(made_otherwise(self.request.made_with or {})),
        )


def made_otherwise(then: Mapping[str, str]) -> Iterator[str]:
    """What a batch was made with that is not as it is here: a line each."""
    plugins = {f"plug-in {Path(file).name}": digest for file, digest in digests().items()}
    now = {**versions(), "machine": machine(), **plugins}
    for name, value in then.items():
        if name.startswith("plug-in ") and now.get(name, "") != value:
            yield f"{name} has changed" if name in now else f"{name} is gone"
        elif name in now and now[name] != value:
            yield f"{name}: {value} then, {now[name]} now"


def _asked(study: Study, space: SearchSpace) -> Iterator[_Asked]:
    """The batches of one space whose requests were recorded."""
    trials = {trial.number: trial for trial in study.trials}
    for round_, batch in study.batches.items():
        recorded = tuple(trials[number] for number in batch.numbers if number in trials)
        if batch.request is not None and recorded:
            yield _Asked(study, space, round_, batch.request, recorded)


def _proposal_of(trial: Trial) -> Proposal:
    return Proposal(trial.candidate, trial.origin, trial.forecast)


def _words(proposal: Proposal) -> str:
    """Origin, key and forecast, every digit of it."""
    seen = proposal.forecast
    forecast = "" if seen is None else f", forecast NE {seen.ne!r}, QPS x{seen.qps_ratio!r}"
    return f"{proposal.origin} {proposal.candidate.key}{forecast}"
