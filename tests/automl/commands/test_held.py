from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from automl.commands.held import RecordHeld


def test_it_is_told_after_two_seconds_and_then_every_minute() -> None:
    file = io.StringIO()
    held = RecordHeld(Console(file=file, width=200))
    for _ in range(2):
        for seconds in (0.2, 1.0, 2.5, 10.0, 61.0, 63.0):
            held(Path("a [b]/study.db"), seconds)
    lines = file.getvalue().splitlines()
    told = "waiting: another process has held a [b]/study.db for "
    assert [line.split(" s (")[0].removeprefix(told) for line in lines] == ["2", "63", "2", "63"]


def test_who_has_stopped_waits_no_more() -> None:
    held = RecordHeld(Console(quiet=True))
    held(Path("study.db"), 1.0)
    held.give_up()
    with pytest.raises(KeyboardInterrupt):
        held(Path("study.db"), 0.0)
