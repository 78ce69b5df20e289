"""What a command makes of Ctrl-C, of SIGTERM and of a closed terminal: a word at once, and the end within seconds.

The word and, if need be, the end come from a thread, since the main one may be in the middle of C code. To be ended
hard is safe at any moment: what a killed run leaves is whole.
"""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

from automl.runtime.interrupt import Stop

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
GRACE_S = 2.5  # for an end in order: Ray is shut down, and the folder given back
WORD = "\nstopping: what runs is ended, the same command goes on (once more: at once)\n"


@contextmanager
def obeyed(stop: Stop) -> Iterator[threading.Event]:
    """Within the block the signals go to `stop`; those that this process was started to ignore stay ignored. What is
    yielded is set when the word has been said."""
    said = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield said
        return
    before = {signum: signal.getsignal(signum) for signum in CODES}
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    woken = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for signum, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(signum, stop)
    threading.Thread(target=_watch, args=(reader, stop, said), daemon=True, name="signals").start()
    try:
        yield said
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
        signal.set_wakeup_fd(woken)
        os.close(writer)


def leave(code: int) -> NoReturn:
    """End this process without waiting for threads that still compute."""
    os._exit(code)


def _watch(reader: int, stop: Stop, said: threading.Event) -> None:
    first = _next(reader, None)
    if first is not None:
        stop.note(first)  # also where a library has put its own handler before ours
        with suppress(OSError):  # a closed terminal
            os.write(2, WORD.encode())
        said.set()
        import automl.runtime.leftovers  # noqa: F401  # while there is time: _end_all needs it

        _next(reader, GRACE_S)
        _end_all()
        leave(CODES[first])
    os.close(reader)


def _next(reader: int, patience: float | None) -> signal.Signals | None:
    """The next of the signals; None where there is none in time, or no more."""
    while select.select([reader], [], [], patience)[0]:
        told = os.read(reader, 1)
        if not told:
            return None
        if told[0] in CODES:
            return signal.Signals(told[0])
    return None


def _end_all() -> None:
    """Kill what this process has started, and what that started while it was killed."""
    import psutil

    from automl.runtime.leftovers import kill

    for _ in range(3):
        started = psutil.Process().children(recursive=True)
        if not started:
            return
        kill(started)
