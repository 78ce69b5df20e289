"""One quiet line of progress on a terminal; a line now and then where the output is a file."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

import numpy as np
from rich.console import Console
from rich.live import Live
from rich.text import Text

from automl.stats import pareto
from automl.study.history import History, State
from automl.study.parts import states

_BAR = 24
_LINE_EVERY_S = 20.0


class ProgressLine:
    """Shows how far a run is. `describe` gives (done, total, words)."""

    def __init__(
        self, console: Console, describe: Callable[[], tuple[int, int, str]], clock: Callable[[], float]
    ) -> None:
        self._console, self._describe, self._clock = console, describe, clock
        self._live = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None
        self._start = clock()
        self._first_done: int | None = None
        self._last_line = -math.inf
        self._waiting = ""
        self._unsaid: Text | None = None  # the last line, where it was not printed

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()
        elif self._unsaid is not None:
            self._console.print(self._unsaid, soft_wrap=True)

    def update(self) -> None:
        """Draw anew; cheap enough for every event."""
        done, total, words = self._describe()
        words = self._waiting or words
        if self._first_done is None:
            self._first_done, self._start = done, self._clock()
        line = Text.assemble(
            (f"{done}/{total} ", "bold"), (_bar(done, total), "cyan"), f"  {words}{self._left(done, total)}"
        )
        if self._live:
            self._live.update(line, refresh=True)
        elif self._clock() - self._last_line >= _LINE_EVERY_S or done == total:
            self._last_line, self._unsaid = self._clock(), None
            self._console.print(line, soft_wrap=True)
        else:
            self._unsaid = line

    def wait(self, words: str) -> None:
        """Say at once what is waited for, in place of other words; nothing ("") where it has come."""
        self._waiting = words
        self._last_line = -math.inf if words else self._last_line
        self.update()

    def _left(self, done: int, total: int) -> str:
        fresh = done - (self._first_done or 0)
        if fresh < 2 or done >= total:
            return ""
        seconds = (self._clock() - self._start) / fresh * (total - done)
        return f"  {seconds // 60:.0f}:{seconds % 60:02.0f} left"


def _bar(done: int, total: int) -> str:
    full = min(_BAR, _BAR * done // max(total, 1))
    return "#" * full + "-" * (_BAR - full)


def search_words(history: History) -> str:
    """Of the trials that may be named (History.eligible): lowest NE, highest QPS with NE no worse than the baseline's,
    size of the front. Then repeats, promoted, stopped and failed."""
    trials, baseline = history.trials, history.baseline
    done = [(t, t.measurement) for t in trials if t.measurement is not None and history.eligible(t)]
    parts = []
    if done:
        gains = [baseline.mean_gain_pct(t) for t, _ in done]
        ratios = [measured.speed.qps_ratio for _, measured in done]
        front = int(pareto.front(pareto.objectives(np.array(gains), np.array(ratios))).sum())
        equal = [ratio for gain, ratio in zip(gains, ratios, strict=True) if gain <= 0]
        parts.append(f"best NE {min(gains):+.2f}%")
        parts += [f"best QPS at its NE x{max(equal):.2f}"] if equal else []
        parts.append(f"front {front}")
    elif history.of_state(State.COMPLETE):
        parts.append("none keeps the limits" if history.limits else "none fit to ship")
    repeats = sum(len(t.repeats) for t in trials)
    parts += [f"repeats {repeats}"] if repeats else []
    promoted = sum(t.on_part is not None for t in trials)
    parts += [f"promoted {promoted}"] if promoted else []
    told = (State.RUNNING.value, State.COMPLETE.value)  # by the bar
    parts += [f"{name} {count}" for name, count in states(trials).items() if name not in told]
    return "  ".join(parts) or "first trials"


def now() -> float:
    """The clock of progress lines."""
    return time.monotonic()
