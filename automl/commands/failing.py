"""Searches that have nothing to show: when one is given up, and what is told of it."""

from __future__ import annotations

from collections.abc import Sequence

from automl.study.history import State, Trial

HOPELESS_AFTER = 16  # trials that failed, with none that did not
_TODO = {
    "timeout": "give trials more time (`trial: {timeout}`), or the space smaller models",
    "memory": "give trials more memory (`trial: {memory}`), or the space smaller models",
    "diverged": "give the space lower learning rates",
    "lost": "see what ends their processes: a plug-in, or the machine's memory (dmesg)",
    "error": "mend what fails: a plug-in, or the space",
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
    reasons = [f"{t.failure.kind}: {t.failure.reason}" if t.failure else "error: not recorded" for t in ended]
    most = max(reasons, key=reasons.count)
    return f"every trial failed ({len(ended)}); most often ({reasons.count(most)}): {most}"


def hopeless(failed: Sequence[Trial]) -> str | None:
    """Why a search goes no further, if the first of its trials failed one and all: with the reason, and what to do.

    In a space where a quarter of the trials would train, so many fail in a row by chance in one search of a hundred.
    """
    if len(failed) < HOPELESS_AFTER:
        return None
    kinds = [trial.failure.kind for trial in failed if trial.failure]
    todo = _TODO.get(max(kinds, key=kinds.count), _TODO["error"])
    return f"{all_failed(failed)}. Nothing more is tried: {todo}; the same command goes on"
