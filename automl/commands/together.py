"""Several drivers of one search: which of them trains the baseline, and who waits for whom."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from automl.commands.proposing import pause
from automl.runtime.errors import RunError
from automl.study.drivers import Claim, others
from automl.study.facts import Facts
from automl.study.problem import Problem
from automl.study.record import Study
from automl.study.shared import Shared
from automl.study.storage import is_lost
from search_spaces.errors import InputError, first_line

_LOOK_S = 1.0  # each look reads the record, and others wait for their turn meanwhile


def have_baseline(study: Study, console: Console, train: Callable[[], None]) -> None:
    """The baseline trained and tuned, by this driver or by another.

    Raises:
        RunError: where it failed here.
    """
    told = False
    while not study.has_baselines():
        if study.drivers.claim(Claim.BASELINE):
            with study.turn():
                missing = not study.has_baselines()
            if missing:
                train()
            study.drivers.release(Claim.BASELINE)
        else:
            told = told or _tell(console, "waiting: another driver trains the baseline")
            pause(_LOOK_S)
            with study.turn():
                pass


def others_ended(study: Study, console: Console, late: Callable[[], bool]) -> bool:
    """Wait until other drivers have ended what they train, or have died, or it is late; whether there may be more to do
    now: what they left, or further trainings that their trials have earned."""
    waited = False
    while not late():
        with study.turn():
            if study.orphans():
                return True
            busy = study.with_others() | study.drivers.claimed(Claim.REPEAT) | study.drivers.claimed(Claim.PROPOSALS)
        if not busy:
            return waited
        waited = waited or _tell(console, "waiting: other drivers train the last of the budget")
        pause(_LOOK_S)
    return False


def joins(study: Study, problem: Problem, facts: Facts) -> Facts:
    """The facts of a search that others drive already: theirs, and the larger budget.

    Raises:
        InputError: where it is not asked for by the same text.
    """
    known = study.facts
    if known.config_text != facts.config_text:
        count = len(others(study.drivers))
        must, found = "must be the text by which other drivers search at this moment", f"another ({count} at work)"
        raise InputError.of(str(problem.file), must, found, "give all of them one study file, or stop them first")
    wanted = max(known.trials_wanted or 0, facts.trials_wanted or 0)
    return replace(known, trials_wanted=wanted)


@contextmanager
def reaching(folder: Path) -> Iterator[None]:
    """A block that needs the record of a folder.

    Raises:
        RunError: where it is in a database that cannot be reached any more.
    """
    try:
        yield
    except Exception as error:
        shared = Shared.of(folder)
        if shared is None or not is_lost(error):
            raise
        way_on = "what had ended is recorded; the same command goes on"
        raise RunError(f"the record of {shared} was lost: {first_line(error)}; {way_on}") from error


def _tell(console: Console, line: str) -> bool:
    console.print(line, highlight=False)
    return True
