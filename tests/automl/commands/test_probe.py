"""How long a trial takes, told from its first rows."""

from __future__ import annotations

from typing import Any

import pytest

from automl.commands import probe
from automl.commands.probe import probe_seconds
from automl.data.simulated.log import simulate
from automl.study.problem import Problem, load_problem
from search_spaces.model import ModelSpec
from tests.automl.commands.test_check import BASELINE, SPACE, STUDY, ticking


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
