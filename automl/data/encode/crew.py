"""Helpers: processes that do parts of an encoding side by side. Which of them does what makes no difference.

A helper is given its work once, and then a task after the other, over its standard input. With that it ends, at once
and in the middle of a task: a parent that is killed leaves none behind.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from typing import IO, Any, TypeVar

from search_spaces.errors import InputError, Mistake

Task = TypeVar("Task")
Result = TypeVar("Result")
MOST = 2  # more would not be quicker for long: disk and memory are shared
LEAST_CELLS = 80_000_000  # fewer are read before helpers are there


class Crew:
    """Processes that work; where there are none, the work is done here."""

    def __init__(self, helpers: Sequence[subprocess.Popen[bytes]]) -> None:
        self._helpers = helpers

    def each(self, work: Callable[[Task], Result], tasks: Sequence[Task]) -> Iterator[tuple[int, Result]]:
        """Results as they come, each with the number of its task. `work` and tasks are pickled.

        Raises:
            InputError: that of the first task that has one.
            RuntimeError: where a helper fails, with its traceback.
        """
        if not self._helpers:
            for number, task in enumerate(tasks):
                yield number, work(task)
            return
        free: queue.SimpleQueue[subprocess.Popen[bytes]] = queue.SimpleQueue()
        for helper in self._helpers:
            _send(helper, (True, work))
            free.put(helper)
        wrong: dict[int, InputError] = {}

        def done(number: int) -> Any:
            if wrong:
                return None  # those before it are begun
            helper = free.get()
            try:
                _send(helper, (False, tasks[number]))
                return _answer(helper)
            except InputError as error:
                wrong[number] = error
            finally:
                free.put(helper)

        with ThreadPoolExecutor(len(self._helpers)) as threads:
            asked = {threads.submit(done, number): number for number in range(len(tasks))}
            for future in as_completed(asked):
                result = future.result()
                if not wrong:
                    yield asked[future], result
        if wrong:
            raise wrong[min(wrong)]


def hands(rows: int, columns: int) -> int:
    """How many helpers are worth their start for a log of that size."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(MOST, cores) if cores > 1 and rows * columns >= LEAST_CELLS else 0


@contextmanager
def crew(count: int) -> Iterator[Crew]:
    """So many helpers, for the length of the block."""
    started: list[subprocess.Popen[bytes]] = []
    paths = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        for _ in range(count):
            words = [sys.executable, "-m", __name__]
            started.append(subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=paths))  # noqa: S603
        yield Crew(started)
    finally:
        for helper in started:
            helper.kill()
            helper.wait()
            for stream in filter(None, (helper.stdin, helper.stdout)):
                stream.close()


def _send(helper: subprocess.Popen[bytes], what: object) -> None:
    assert helper.stdin is not None
    pickle.dump(what, helper.stdin)
    helper.stdin.flush()


def _answer(helper: subprocess.Popen[bytes]) -> Any:
    assert helper.stdout is not None
    try:
        kind, told = pickle.load(helper.stdout)  # noqa: S301
    except EOFError:
        raise RuntimeError(f"a helper ended with code {helper.wait()}") from None
    if kind == "wrong":
        raise InputError(told)
    if kind == "failed":
        raise RuntimeError(told)
    return told


def main() -> None:
    """Work until there is nothing more to read."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's to take
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    asked: queue.SimpleQueue[tuple[bool, Any]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, asked), daemon=True).start()
    work: Callable[[Any], Any] = _nothing
    while True:
        is_work, what = asked.get()
        if is_work:
            work = what
            continue
        pickle.dump(_done(work, what), answers)
        answers.flush()


def _done(work: Callable[[Any], Any], task: Any) -> tuple[str, Any]:
    try:
        return "done", work(task)
    except InputError as error:
        mistakes: tuple[Mistake, ...] = error.mistakes
        return "wrong", mistakes
    except Exception:
        return "failed", traceback.format_exc()


def _listen(stream: IO[bytes], asked: queue.SimpleQueue[tuple[bool, Any]]) -> None:
    while True:
        try:
            asked.put(pickle.load(stream))  # noqa: S301
        except EOFError:
            os._exit(1)


def _nothing(task: object) -> None:
    raise RuntimeError("no work was given")


if __name__ == "__main__":
    main()
