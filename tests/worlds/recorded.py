"""A small study whose search has ended, as its folder holds it: files, encoded log, record. Nothing was trained."""

from __future__ import annotations

import shutil
from pathlib import Path

from automl.commands.search import prepare
from automl.data.simulated.log import simulate
from automl.stats.seeds import trial_seeds
from automl.study.history import Origin, Proposal, State, Trial
from automl.study.problem import load_problem
from automl.study.record import Study
from automl.study.storage import open_study
from search_spaces.space import Candidate
from tests.worlds.studies import complete

BASELINE = "embedding: {dim: 4, lr: 0.05}\ndeep: [{mlp: {width: 8}}]\n"
STUDY = """\
name: small
data:
  path: log/log.parquet
  time: {column: time_ms, unit: ms}
  label: click
  cluster: user_id
  features: {categorical: {user_id: {}, item_id: {}, tab: {}}}
  split: {train: [2024-03-04, 2024-03-08], validate: [2024-03-09, 2024-03-09], test: [2024-03-10, 2024-03-11]}
space: ctr-small
baseline: baseline.yaml
qps: {clock: analytic, batch_rows: 64}
finals: {margin_pct: 0.3, seeds: 2}
seed: 5
"""


def write_searched(folder: Path, study: str = STUDY) -> Path:
    """The study in a folder, with two trials; its file."""
    simulate(folder / "log", rows=4_000, users=100, items=40, seed=3)
    (folder / "baseline.yaml").write_text(BASELINE)
    file = folder / "study.yaml"
    file.write_text(study)
    search_over(file)
    return file


def search_over(file: Path, folder: Path | None = None) -> Study:
    """What a search of two trials leaves in the record, made up."""
    problem = load_problem(file, folder)
    study = open_study(problem.folder, problem.config.name, problem.space, problem.config.limits)
    prepare(study, problem, trials=2, time_budget=None, workers=1, command="", now=1.7e9)
    for order in range(problem.config.baseline_seeds - len(study.baselines.repeats)):
        of_baseline = Trial(
            number=0, candidate=Candidate({}, problem.baseline), origin=Origin.BASELINE, state=State.RUNNING
        )
        seeds = trial_seeds(problem.config.seed, order)
        repeat = complete(of_baseline, ne=0.9 + 0.001 * order, seeds=seeds)
        study.baselines.add_repeat(Proposal(repeat.candidate, Origin.BASELINE), repeat)
    near = [problem.space.nearest(problem.baseline), problem.space.default()]
    if not study.trials:
        for trial in study.begin([Proposal(candidate, Origin.MUTATION) for candidate in near], 1):
            study.end(complete(trial, ne=0.89, ratio=1.5))
    return study


def copied(folder: Path, to: Path) -> Path:
    """A copy of the study's folder; its study file."""
    shutil.copytree(folder, to)
    return to / "study.yaml"
