"""Searches that have nothing to show: when one is given up, and what is told of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from automl.study.history import State, Trial

HOPELESS_AFTER = 16  # trials that failed in a row
_TODO = {
    "timeout": "give trials more time (`trial: {timeout}`), or the space smaller models",
    "memory": "give trials more memory (`trial: {memory}`), or the space smaller models",
    "diverged": "give the space lower learning rates",
    "lost": "see what ends their processes: a plug-in, or the machine's memory (dmesg)",
    "error": "mend what fails: a plug-in, the installation, or the space",
}


def some_hope(trials: Sequence[Trial]) -> bool:
    """Whether any was trained."""
    return any(trial.ended and trial.state is not State.FAILED for trial in trials)


def breaks_limit(trial: Trial) -> bool:
    """It could have been trained, and a predictor knows beforehand which others break it."""
    return trial.failure is not None and trial.failure.kind == "constraint"


def all_failed(trials: Sequence[Trial]) -> str | None:
    """Why a search has nothing to show: the most frequent reason, if every ended trial failed."""
    ended = [trial for trial in trials if trial.ended]
    if not ended or any(trial.state is not State.FAILED for trial in ended):
        return None
    reasons = [_words(trial) for trial in ended]
    most = max(reasons, key=reasons.count)
    return f"every trial failed ({len(ended)}); most often ({reasons.count(most)}): {most}"


@dataclass(slots=True)
class Hope:
    """Of a search, as its trials end. It is lost where the first of them fail one and all, and later where they fail in
    a row by the same error: then something else than models has gone wrong.

    In a space where a quarter of the trials would train, so many fail in a row by chance in one search of a hundred.
    """

    trained: bool  # whether any trial was, in this run or before
    _failed: list[Trial] = field(default_factory=list)  # in a row, in this run

    def end(self, trial: Trial) -> None:
        """One more trial has ended."""
        if some_hope([trial]):
            self.trained = True
            self._failed.clear()
        elif not breaks_limit(trial):
            self._failed.append(trial)

    def lost(self) -> str | None:
        """Why the search goes no further, and what to do; None while there is hope."""
        failed = self._failed[-HOPELESS_AFTER:] if self.trained else self._failed
        if len(failed) < HOPELESS_AFTER or (self.trained and not _by_one_error(failed)):
            return None
        kinds = [trial.failure.kind for trial in failed if trial.failure]
        todo = _TODO.get(max(kinds, key=kinds.count), _TODO["error"])
        told = (
            f"{len(failed)} trials in a row failed alike: {_words(failed[0])}" if self.trained else all_failed(failed)
        )
        return f"{told}. Nothing more is tried: {todo}; the same command goes on"


def _by_one_error(failed: Sequence[Trial]) -> bool:
    """Whether all failed by an error of the same words."""
    kinds = {trial.failure.kind for trial in failed if trial.failure}
    return kinds == {"error"} and len(set(map(_words, failed))) == 1


def _words(trial: Trial) -> str:
    return f"{trial.failure.kind}: {trial.failure.reason}" if trial.failure else "error: not recorded"
