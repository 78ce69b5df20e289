"""The line of progress where the output is a file."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from automl.runtime.console import ProgressLine


class Clock:
    done, seconds = 0, 0.0

    def __call__(self) -> float:
        return self.seconds


def test_lines_come_now_and_then_and_the_last_one_always() -> None:
    out, clock = StringIO(), Clock()
    with ProgressLine(Console(file=out, width=100), lambda: (clock.done, 9, f"{clock.done} done"), clock) as progress:
        for clock.done, clock.seconds in ((1, 0.0), (2, 1.0), (3, 30.0), (4, 31.0)):
            progress.update()
    assert [line.split("  ")[1] for line in out.getvalue().splitlines()] == ["1 done", "3 done", "4 done"]
