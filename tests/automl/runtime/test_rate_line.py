"""Long passes are shown, short ones are not."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from automl.runtime.rate_line import RateLine


class Clock:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def shown(terminal: bool, seconds: float, steps: int = 100, total: int = 10_000) -> str:
    """What a pass of so many seconds leaves on a console."""
    out, clock = io.StringIO(), Clock()
    with RateLine(lambda: Console(file=out, force_terminal=terminal, width=120), clock) as passed:
        for step in range(steps + 1):
            passed("rows read", total * step // steps if total else 100 * step, total)
            clock.now += seconds / steps
    return out.getvalue()


@pytest.mark.parametrize("terminal", [True, False])
def test_a_short_pass_shows_nothing(terminal: bool) -> None:
    assert shown(terminal, 4.5) == ""


def test_a_long_one_shows_its_rate_and_what_is_left_once_it_looks_like_it() -> None:
    text = shown(True, 50.0)
    assert "rows read  300/10,000 ------------------------  200/s  0:48 left" in text
    assert "rows read  5,000/10,000 ############------------  200/s  0:25 left" in text
    assert "rows read  200/" not in text


def test_where_there_is_no_terminal_it_is_a_line_now_and_then() -> None:
    lines = shown(False, 48.0).splitlines()
    assert [line.split("  ")[1].split("/")[0] for line in lines] == ["1,100", "5,300", "9,500"]


def test_without_a_total_it_is_the_rate() -> None:
    assert shown(False, 48.0, total=0).splitlines()[0] == "rows read  1,100  208/s"


def test_passes_follow_each_other_and_nothing_is_shown_where_there_is_no_console() -> None:
    out, clock = io.StringIO(), Clock()
    with RateLine(lambda: Console(file=out, width=120), clock) as passed:
        for what in ("rows read", "rows written"):
            for done in range(0, 101, 10):
                passed(what, done, 100)
                clock.now += 1
    assert [line.split("  ")[0] for line in out.getvalue().splitlines()] == ["rows read", "rows written"]
    with RateLine(lambda: None, clock) as passed:
        passed("rows read", 0, 100)
        clock.now += 30
        passed("rows read", 10, 100)
