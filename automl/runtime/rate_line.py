"""A line for passes over rows that take longer than one likes to wait: how far, how many a second, how long still."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live

SHORT_S = 5.0  # a pass that takes no longer shows nothing
_SURE_S = 1.0  # before that its rate says little
_LINE_EVERY_S = 20.0  # where the output is no terminal
_BAR = 24


def says(console: Console | None) -> Callable[[str], None]:
    """Tells a line there as it stands; None: nobody hears it."""

    def tell(line: str) -> None:
        if console is not None:
            console.print(line, highlight=False, markup=False, soft_wrap=True)

    return tell


class RateLine:
    """Hears of passes (automl/files/passed.py), and shows those that take over five seconds, from the moment on that
    they look like it. `console` is asked for when there is something to show; None: nowhere."""

    def __init__(self, console: Callable[[], Console | None], clock: Callable[[], float] = time.monotonic) -> None:
        self._console, self._clock = console, clock
        self._live: Live | None = None
        self._what = ""
        self._first = self._start = 0.0
        self._last_line = -math.inf

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def __call__(self, what: str, done: int, total: int) -> None:
        now = self._clock()
        if what != self._what:
            self._stop()
            self._what, self._first, self._start, self._last_line = what, done, now, -math.inf
        seconds, fresh = now - self._start, done - self._first
        left = seconds / fresh * (total - done) if fresh and total else 0.0
        if seconds > SHORT_S or (seconds > _SURE_S and seconds + left > SHORT_S):
            self._show(_words(what, done, total, fresh / seconds, left), now, seconds)
        if total and done == total:
            self._stop()

    def _show(self, words: str, now: float, seconds: float) -> None:
        console = self._console()
        if console is None:
            return
        if console.is_terminal:
            if self._live is None:
                from rich.live import Live

                self._live = Live(console=console, auto_refresh=False, transient=True)
                self._live.start()
            from rich.text import Text

            self._live.update(Text(words), refresh=True)
        elif seconds > SHORT_S and now - self._last_line >= _LINE_EVERY_S:
            self._last_line = now
            console.print(words, soft_wrap=True, highlight=False)

    def _stop(self) -> None:
        self._what = ""
        if self._live is not None:
            self._live.stop()
            self._live = None


def _words(what: str, done: int, total: int, rate: float, left: float) -> str:
    """`rows read  3,200,000/20,000,000 ####----  41,000/s  6:50 left`."""
    if not total:
        return f"{what}  {done:,}  {rate:,.0f}/s"
    full = min(_BAR, _BAR * done // total)
    bar = "#" * full + "-" * (_BAR - full)
    return f"{what}  {done:,}/{total:,} {bar}  {rate:,.0f}/s  {left // 60:.0f}:{left % 60:02.0f} left"
