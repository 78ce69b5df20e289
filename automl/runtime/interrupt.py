"""Ctrl-C at a moment of our choosing: in the middle of a write it would look like a broken storage, and in a destructor
it would be lost."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class _Noted:
    """A handler that remembers that it was called; the second time it interrupts at once."""

    def __init__(self) -> None:
        self._asked = threading.Event()

    def __call__(self, signum: int, frame: object) -> None:
        if self._asked.is_set():
            raise KeyboardInterrupt
        self._asked.set()

    def check(self) -> None:
        if self._asked.is_set():
            raise KeyboardInterrupt


@contextmanager
def deferred_interrupt() -> Iterator[Callable[[], None]]:
    """Within the block Ctrl-C waits for the next call of what is yielded, which then raises KeyboardInterrupt.

    A second Ctrl-C comes at once. Blocks within blocks are one. In a thread that is not the main one, where no signal
    arrives, nothing is deferred.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    before = signal.getsignal(signal.SIGINT)
    if isinstance(before, _Noted):
        yield before.check
        return
    noted = _Noted()
    signal.signal(signal.SIGINT, noted)
    try:
        yield noted.check
    finally:
        signal.signal(signal.SIGINT, before)
