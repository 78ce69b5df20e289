"""What the pilot of a search tells."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest
from rich.console import Console

from automl.commands import pilot
from automl.commands.pilot import pilot_line
from automl.stats.significance import detectable_pct
from automl.study.problem import Problem
from tests.worlds.studies import baseline, study_config


def test_a_pilot_tells_what_can_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, object] = {}

    def search(problem: object, **options: object) -> SimpleNamespace:
        asked.update(options)
        return SimpleNamespace(baseline=lambda: baseline(ne=0.8634, std=0.00095))

    monkeypatch.setattr(pilot, "search", search)
    problem = cast(Problem, SimpleNamespace(config=study_config(finals={"seeds": 5})))
    line = pilot_line(problem, 3, Console(quiet=True))
    smallest = detectable_pct(100 * 2**0.5 * 0.00095 / 0.8634, 5)
    assert line == (
        "noise: baseline NE 0.8634, seed spread 0.11%; with 5 seeds the smallest NE gain that can be told from chance "
        f"is about {smallest:.2f}%"
    )
    assert (asked["trials"], asked["workers"]) == (0, 3)
