"""What `automl check` tells by training: how long a trial takes, and what the pilot tells."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from automl.commands import probe
from automl.commands.probe import pilot_line, probe_seconds
from automl.data.simulated.log import simulate
from automl.stats.significance import detectable_pct
from automl.study.problem import Problem, load_problem
from search_spaces.model import ModelSpec
from tests.automl.commands.test_check import BASELINE, QUIET, SPACE, STUDY, ticking
from tests.worlds.studies import baseline


@pytest.fixture(scope="module")
def problem(tmp_path_factory: pytest.TempPathFactory) -> Problem:
    folder = tmp_path_factory.mktemp("probed")
    simulate(folder / "log", rows=2400, users=100, items=50, seed=1)
    for name, text in (("study.yaml", STUDY), ("space.yaml", SPACE), ("baseline.yaml", BASELINE)):
        (folder / name).write_text(text)
    return load_problem(folder / "study.yaml")


@pytest.mark.parametrize("epochs", [1, 3])
def test_the_time_of_a_trial_is_told_from_its_first_rows(
    problem: Problem, epochs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A third of the window takes a third of the time; every pass is trained, and counted once."""
    monkeypatch.setattr(probe, "_PROBE_ROWS", 500)
    tree = problem.baseline.to_tree()
    model = ModelSpec.from_tree({**tree, "train": {**tree["train"], "epochs": epochs}})
    seen: list[int] = []
    train = probe.train

    def counted(*args: Any, **options: Any) -> Any:
        for progress in train(*args, **options):
            seen.append(progress.rows)
            yield progress

    monkeypatch.setattr(probe, "train", counted)
    ticks = ticking(2.0)
    assert probe_seconds(problem, model, lambda: next(ticks)) == pytest.approx(2.0 * 1500 / 500)
    assert seen[-1] == 500 * epochs


def test_a_pilot_tells_what_can_be_seen(problem: Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, object] = {}

    def search(problem: object, **options: object) -> SimpleNamespace:
        asked.update(options)
        return SimpleNamespace(baseline=lambda: baseline(ne=0.8634, std=0.00095))

    monkeypatch.setattr(probe, "search", search)
    line = pilot_line(problem, 3, QUIET)
    smallest = detectable_pct(100 * 0.00095 / 0.8634, 5)
    assert line == (
        "noise: baseline NE 0.8634, seed spread 0.11%; with 5 seeds the smallest NE gain that can be told from chance "
        f"is about {smallest:.2f}%"
    )
    assert (asked["trials"], asked["workers"]) == (0, 3)
