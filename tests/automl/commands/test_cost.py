"""What a search costs, and where a study's limits or the machine have too little."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl.commands import cost as costing
from automl.commands.cost import (
    DRIVER_BYTES,
    START_SECONDS,
    WORKER_BYTES,
    Prediction,
    drawn,
    most_bytes,
    predicted,
    row_seconds,
    spread,
)
from automl.commands.probe import Probed
from automl.data.simulated.log import simulate
from automl.runtime.host import Room
from automl.study.problem import Problem, load_problem
from search_spaces.model import ModelSpec
from tests.automl.commands.test_check import BASELINE, ENOUGH, SPACE, STUDY

PASS = 10.0  # seconds of the baseline's training
BUILD = 0.5


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cost")
    simulate(folder / "log", rows=2400, users=100, items=50, seed=1)
    members = SPACE + "members: {choice: [1, 4]}\ntrain: {batch_size: {choice: [64, 1024]}}\n"
    for name, text in (("study.yaml", STUDY), ("space.yaml", members), ("baseline.yaml", BASELINE)):
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="module")
def problem(folder: Path) -> Problem:
    return load_problem(folder / "study.yaml")


def limited(folder: Path, **trial: str) -> Problem:
    file = folder / "limited.yaml"
    limits = ", ".join(f"{key}: {value}" for key, value in trial.items())
    file.write_text(f"{STUDY}trial: {{{limits}}}\nqps: {{clock: analytic}}\n")
    return load_problem(file)


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """Of a trial's training, by the model's key; the baseline's takes PASS, others three times as long."""
    told: dict[str, float] = {}

    def probe(problem: Problem, model: ModelSpec, busy: object) -> Probed:
        window = problem.log.windows["train"]
        whole = PASS if model == problem.baseline else 3 * PASS
        told[model.key] = whole
        row = whole / (window.stop - window.start)
        return Probed(build=BUILD, batch=0.001, trained_row=row, settled=0.0, scored_row=0.0)

    monkeypatch.setattr(costing, "probe", probe)
    return told


def cost_of(problem: Problem, *, workers: int = 2, room: Room = ENOUGH) -> Prediction:
    ticks: Iterator[int] = iter(range(10**6))
    return predicted(problem, drawn(problem), workers, room, lambda: float(next(ticks)))


def test_the_spread_is_that_of_training_on_paper(problem: Problem) -> None:
    """Four members at small batches cost most, one at large ones least; a tenth is beyond either."""
    answers_ND = drawn(problem)
    models = spread(problem, answers_ND)
    assert models.baseline == problem.baseline
    assert (models.low.members, models.low.train.batch_size) == (1, 1024)
    assert (models.high.members, models.high.train.batch_size) == (4, 64)
    paper = row_seconds(problem.space, answers_ND)
    keys = [problem.space.candidate(answers).model.key for answers in answers_ND]
    for model, share in ((models.low, 0.1), (models.high, 0.9)):
        assert np.mean(paper < paper[keys.index(model.key)]) <= share
        assert np.mean(paper <= paper[keys.index(model.key)]) >= share


def test_candidates_are_drawn_from_the_studys_seed(problem: Problem) -> None:
    np.testing.assert_array_equal(drawn(problem), drawn(problem))


def test_three_models_are_probed_and_a_search_is_as_long_as_its_trainings(
    folder: Path, seconds: dict[str, float]
) -> None:
    problem = limited(folder, timeout="1h")
    found = cost_of(problem).cost
    assert len(seconds) == 3
    trial = BUILD + BUILD + PASS  # the model, the reference, the pass; nothing is timed by figures
    assert found.trial_seconds.baseline == pytest.approx(trial)
    assert found.trial_seconds.low == found.trial_seconds.high == pytest.approx(trial + 2 * PASS)
    repeat = BUILD + PASS
    total = 103 * trial + 30 * repeat + 2 * START_SECONDS
    assert found.search_minutes == pytest.approx(total / 2 / 60)


@pytest.mark.parametrize(("workers", "cores", "at_once"), [(1, 8, 1), (4, 8, 4), (8, 2, 2)])
def test_workers_beyond_the_cores_make_nothing_faster(
    folder: Path, seconds: dict[str, float], workers: int, cores: int, at_once: int
) -> None:
    problem = limited(folder, timeout="1h")
    one = cost_of(problem, workers=1, room=replace(ENOUGH, cores=1)).cost.search_minutes * 60 - START_SECONDS
    found = cost_of(problem, workers=workers, room=replace(ENOUGH, cores=cores)).cost
    assert found.search_minutes * 60 == pytest.approx((one + workers * START_SECONDS) / at_once)


@pytest.mark.usefixtures("seconds")
def test_memory_is_that_of_the_largest_candidate_in_every_worker(problem: Problem) -> None:
    answers_ND = drawn(problem)
    held = most_bytes(problem, answers_ND)
    assert held > most_bytes(problem, answers_ND[:0])
    found = cost_of(problem, workers=3)
    assert found.worker_bytes == WORKER_BYTES + held
    assert found.cost.memory_gib == pytest.approx((3 * (WORKER_BYTES + held) + DRIVER_BYTES) / 2**30)


def test_a_trial_larger_than_memory_is_told_before_anything_is_built(
    problem: Problem, seconds: dict[str, float]
) -> None:
    heard: list[tuple[str, int]] = []
    little = replace(ENOUGH, memory_bytes=1 << 20)
    predicted(problem, drawn(problem), 1, little, lambda: 0.0, lambda words: heard.append((words, len(seconds))))
    [(words, probed)] = heard
    assert words.endswith("but 1 MiB are free: the system may end this command")
    assert probed == 0


@pytest.mark.usefixtures("seconds")
def test_disk_is_two_encoded_logs_and_what_lies_beside_one(problem: Problem) -> None:
    kept = sum(file.stat().st_size for file in problem.log.folder.rglob("*") if file.is_file())
    assert 2 * kept < cost_of(problem).cost.disk_gib * 2**30 < 6 * kept


@pytest.mark.parametrize(
    ("trial", "told"),
    [
        ({"timeout": "1h"}, []),
        ({"timeout": "70s"}, []),
        (
            {"timeout": "61s"},
            ["a trial of the slowest tenth takes 31 CPU seconds, up to 62 s on cores that others use"],
        ),
        ({"timeout": "20s"}, ["the baseline takes 11 CPU seconds, up to 22 s on cores that others use as well: its "]),
        ({"timeout": "1h", "memory": "1MiB"}, ["a trial holds up to "]),
    ],
)
@pytest.mark.usefixtures("seconds")
def test_limits_that_would_end_trials_are_told(folder: Path, trial: dict[str, str], told: list[str]) -> None:
    notes = cost_of(limited(folder, **trial)).notes
    assert len(notes) == len(told)
    for note, words in zip(notes, told, strict=True):
        assert note.text.startswith(words)
        assert note.kind == "limits"
        assert note.at.startswith(f"{folder / 'limited.yaml'}:12:")


@pytest.mark.usefixtures("seconds")
@pytest.mark.parametrize(("little", "kind"), [({"memory_bytes": 1 << 20}, "memory"), ({"disk_bytes": 1 << 10}, "disk")])
def test_a_machine_with_less_than_is_needed_is_told(problem: Problem, little: dict[str, Any], kind: str) -> None:
    notes = cost_of(problem, room=replace(ENOUGH, **little)).notes
    assert [note.kind for note in notes] == [kind]
    assert "are free" in notes[0].text


@pytest.mark.parametrize(("fidelity", "rows", "told"), [("full", 2, 0), ("auto", 2, 1), ("auto", 40_000, 0)])
def test_parts_that_are_too_small_to_rank_by_are_told(problem: Problem, fidelity: str, rows: int, told: int) -> None:
    search = problem.config.search.model_copy(update={"fidelity": fidelity})
    log = replace(problem.log, windows={**problem.log.windows, "train": slice(0, rows)})
    asked = replace(problem, config=problem.config.model_copy(update={"search": search}), log=log)
    assert len(costing._part_notes(asked)) == told
