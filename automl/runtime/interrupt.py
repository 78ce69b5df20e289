"""Ctrl-C at a moment of our choosing: in the middle of a write it would look like a broken storage, and in a destructor
it would be lost."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Stop:
    """A handler of signals that remembers the first of them and interrupts: at once; or, where it is held, at the next
    check. The second comes at once in any case."""

    def __init__(self) -> None:
        self.signum: int | None = None
        self._holders, self._called = 0, False
        self._heard = False

    def __call__(self, signum: int, frame: object) -> None:
        again, self._called = self._called, True
        self.note(signum)
        if again or not self._holders:
            self._raise()

    def note(self, signum: int) -> None:
        """Remember a signal, without an interruption."""
        self.signum = signum if self.signum is None else self.signum

    @property
    def asked(self) -> bool:
        """A signal has come."""
        return self.signum is not None

    def check(self) -> None:
        """Raises KeyboardInterrupt where a signal has come."""
        if self.asked:
            self._raise()

    @contextmanager
    def held(self) -> Iterator[None]:
        """A block in which the first signal waits for a check, at the latest the block's end."""
        self._holders += 1
        try:
            yield
        finally:
            self._holders -= 1
        if self.asked and not self._heard and not self._holders:
            self._raise()

    def _raise(self) -> None:
        self._heard = True
        raise KeyboardInterrupt


@contextmanager
def deferred_interrupt() -> Iterator[Stop]:
    """Within the block Ctrl-C waits for a check of what is yielded, which then raises KeyboardInterrupt.

    A second Ctrl-C comes at once. Blocks within blocks are one. What a command has made of other signals is held with
    it. In a thread that is not the main one, where no signal arrives, nothing is deferred.
    """
    if threading.current_thread() is not threading.main_thread():
        yield Stop()
        return
    before = signal.getsignal(signal.SIGINT)
    if isinstance(before, Stop):
        with before.held():
            yield before
        return
    stop = Stop()
    signal.signal(signal.SIGINT, stop)
    try:
        with stop.held():
            yield stop
    finally:
        signal.signal(signal.SIGINT, before)
