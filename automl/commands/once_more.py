"""Which trial of a search is worth one more training now: one on a part of the rows that is promoted to all of them, or
one that would be shipped, again on another order.

It is judged without the jobs that were given last, as many as there are workers, as if they still ran: whether the
engine had to wait for a proposal before it gave the last one must not decide what is trained again.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from automl.strategies.again import again
from automl.strategies.fidelity import next_promoted
from automl.study.config import StudyConfig
from automl.study.drivers import Claim
from automl.study.history import History, State, Trial
from automl.study.parts import before_promotion, is_parked
from automl.study.record import Study

REPEATS_FROM = 2 / 3  # of the candidates: earlier, repeats take more from the search than they give to it
TRIAL, AGAIN = "trial-", "again-"  # before the names of jobs: then the trial, and of one more training the order


@dataclass(frozen=True, slots=True)
class OneMore:
    """A trial by its number, and the order that it is to be trained on: 0 where it is promoted."""

    number: int
    order: int

    @property
    def job(self) -> str:
        """Its name."""
        return f"{AGAIN}{self.number}-{self.order}"


@dataclass(frozen=True, slots=True)
class Moment:
    """Of a search: trainings that ended so far, candidates whose training is to begin, jobs under way; whether nothing
    new is proposed any more."""

    events: int
    queued: int
    running: int
    last: bool


@dataclass(slots=True)
class OnceMore:
    """Answers for one driver, which tells it each job that it gives and each of these that ended."""

    study: Study
    config: StudyConfig
    trials: int  # candidates that the search may try
    workers: int
    given: list[str] = field(default_factory=list)
    under_way: dict[str, OneMore] = field(default_factory=dict)
    _judged: tuple[object, OneMore | None] = (None, None)  # the answer, and as of when

    def claimed(self, now: Moment) -> OneMore | None:
        """The trial to be trained once more now, if any: this driver's alone."""
        found = self.worth_it(now)
        if found is None or self.study.drivers.number is None:
            return found
        with self.study.turn():
            self._judged = (None, None)  # others have ended some since
            found = self.worth_it(now)
            return found if found is not None and self.study.drivers.claim(Claim.REPEAT, found.number) else None

    def worth_it(self, now: Moment) -> OneMore | None:
        """The trial to be trained once more now, if any."""
        if self.study.baseline() is None:
            return None
        at_the_end = now.last and not now.running and not now.queued
        late = frozenset(() if at_the_end else self.given[-self.workers :])
        asked = (now.events, late, tuple(self.under_way), now.last, not now.queued)
        if self._judged[0] != asked:  # the engine asks again and again while it waits
            self._judged = asked, self._best(now, late)
        return self._judged[1]

    def may_follow(self, now: Moment) -> bool:
        """Whether there may be one more once what runs has ended."""
        return any(map(is_parked, self.study.trials)) or self._repeats_left(self.study.history(), now) > 0

    def _best(self, now: Moment, late: frozenset[str]) -> OneMore | None:
        history = self.study.history()
        history = replace(history, trials=tuple(_without(trial, late) for trial in history.trials))
        names = (*late, *self.under_way)
        busy = frozenset(int(name.split("-")[1]) for name in names if name.startswith(AGAIN))
        busy |= self.study.drivers.claimed(Claim.REPEAT)
        number = next_promoted(history, busy, at_the_end=now.last and not now.queued)
        if number is not None:
            return OneMore(number, 0)
        if self._repeats_left(history, now) <= 0:
            return None
        number = again(history, self.config.baseline_seeds - 1, self.config.finals.margin_pct, busy)
        if number is None:
            return None
        repeats = self.study.trial(number).repeats
        return OneMore(number, 1 + max((repeat.order for repeat in repeats), default=0))

    def _repeats_left(self, history: History, now: Moment) -> int:
        """How many repeats the candidates that ended on all rows have earned; none before most of all have ended."""
        ended = sum(trial.ended for trial in history.trials)
        if ended < REPEATS_FROM * self.trials and not (now.last and not now.queued):
            return 0
        parked = {trial.number for trial in self.study.trials if is_parked(trial)}
        claimed = {one.number for one in self.under_way.values()} | self.study.drivers.claimed(Claim.REPEAT)
        begun = sum(len(trial.repeats) for trial in self.study.trials) + len(claimed - parked)
        return int(self.config.search.repeats * (min(ended, self.trials) - len(parked))) - begun


def _without(trial: Trial, late: frozenset[str]) -> Trial:
    """A trial as it stood before those jobs ended."""
    if f"{TRIAL}{trial.number}" in late:
        return replace(trial, state=State.RUNNING, measurement=None, failure=None, curve=(), on_part=None)
    if OneMore(trial.number, 0).job in late:
        trial = before_promotion(trial)
    return replace(trial, repeats=tuple(r for r in trial.repeats if OneMore(trial.number, r.order).job not in late))
