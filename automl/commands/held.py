"""A record that another process holds: a search waits until it is free, and says so."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from automl.runtime.interrupt import deferred_interrupt

_TOLD_AFTER_S, _TOLD_EVERY_S = 2.0, 60.0


class RecordHeld:
    """Hears that another process holds the record, for how long; Ctrl-C ends the waiting."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._next_s = _TOLD_AFTER_S
        self._given_up = False

    def __call__(self, what: Path | str, seconds: float) -> None:
        """Called again and again while it is held.

        Raises:
            KeyboardInterrupt: where Ctrl-C was heard, or waiting was given up.
        """
        with deferred_interrupt() as stop:
            stop.check()
        if self._given_up:
            raise KeyboardInterrupt
        if seconds < _TOLD_AFTER_S:
            self._next_s = _TOLD_AFTER_S
        elif seconds >= self._next_s:
            self._next_s += _TOLD_EVERY_S
            who = "a shell in a transaction, a backup?"
            told = f"waiting: another process has held {what} for {seconds:.0f} s ({who}); the search goes on after it"
            self._console.print(told, highlight=False, markup=False, soft_wrap=True)

    def give_up(self) -> None:
        """Wait no more: who stops a search does not want to stop it twice."""
        self._given_up = True
