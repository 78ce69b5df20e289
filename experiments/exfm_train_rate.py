"""Training rows/s of a student with a teacher against the same student without: python -m experiments.exfm_train_rate.

Alternating in one run on one thread, CPU time, random rows in the shape of KuaiRand: the students' MLP 64-32, and the
two-cross DCN of experiments/kuairand.py. A ratio is the median over rounds of both times of one round. Making a lesson
ready (TeacherLoss.targets) is part of the teacher's time.

F id fields, N rows, T tasks.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from automl.exfm.student.recipes import RECIPES
from automl.ranking.batches import Chunk, Lesson
from automl.ranking.distill import TeacherLoss
from automl.ranking.features import Features
from automl.ranking.losses import LabelLoss
from automl.ranking.model import build_model
from automl.ranking.place import put
from automl.ranking.process import prepare_process
from automl.ranking.stepper import Stepper
from automl.study.exfm_figures import NONE
from experiments.record import write_result
from search_spaces.model import InputShape, ModelSpec

ARMS: Mapping[str, str] = {
    "plain": "plain",
    "calibrated": "calibrated",
    "auxiliary": "auxiliary-averaged",
    "both": "auxiliary-adapter",
}
BATCHES = (128, 256, 1024)
COUNTS = (17000, 5300, 3000, 2200) + (12,) * 26  # ids by field
TASKS, OWN = 3, 1
MODELS: Mapping[str, Mapping[str, Any]] = {
    "mlp 64-32": {
        "embedding": {"dim": 8, "lr": 0.1},
        "deep": [{"mlp": {"width": 64}}, {"mlp": {"width": 32}}],
    },
    "two-cross dcn": {
        "embedding": {"dim": 16, "lr": 0.05},
        "interaction": [{"cross": {"rank": 32}}, {"cross": {"rank": 32}}],
        "deep": [{"mlp": {"width": 256, "dropout": 0.1}}, {"mlp": {"width": 128, "dropout": 0.1}}],
    },
}


def random_rows(count: int, seed: int) -> Chunk:
    """Ids that crowd at the small numbers, as real ones do."""
    rng = np.random.default_rng(seed)
    ids = np.stack([np.minimum(rng.pareto(0.8, count) * c / 50 + 1, c).astype(np.int32) for c in COUNTS], 1)
    features = Features.of(ids, rng.normal(size=(count, 1)).astype(np.float32))
    labels = put((rng.random(count) < 0.4).astype(np.float32))
    told = put(rng.normal(size=(count, TASKS)).astype(np.float32))
    return Chunk(features, labels, lesson=Lesson(told, put(np.ones(count, np.float32))))


class Runner:
    """A model under one recipe."""

    def __init__(self, spec: ModelSpec, arm: str, rows: int) -> None:
        distill = RECIPES[ARMS.get(arm, NONE)]
        inputs = InputShape(tuple((2,) * c for c in COUNTS), 1, rows)
        model = build_model(spec, inputs, seed=0).train()
        loss = LabelLoss() if distill is None else TeacherLoss(distill, model.head, tasks=TASKS, own=OWN, seed=0)
        self._stepper = Stepper(model, replace(spec, distill=distill), loss)

    def seconds(self, part: Chunk) -> float:
        """CPU time of a pass."""
        start = time.thread_time()
        for _ in self._stepper.steps(part):
            pass
        return time.thread_time() - start


def compare(spec: ModelSpec, batch: int, rows: Chunk, rounds: int, steps: int) -> dict[str, Any]:
    """Rows/s of no teacher, and the ratios of all arms to it."""
    runners = {arm: Runner(spec, arm, len(rows)) for arm in (NONE, *ARMS)}
    count = min(len(rows), batch * steps)
    part = rows.take(put(np.arange(count)))
    times: dict[str, list[float]] = {arm: [] for arm in runners}
    for turn in range(rounds + 1):
        order = list(runners) if turn % 2 else list(runners)[::-1]
        for arm in order:
            spent = runners[arm].seconds(part)
            if turn:  # the first round warms up
                times[arm].append(spent)
    base = np.array(times[NONE])
    ratios = {arm: base / np.array(spent) for arm, spent in times.items() if arm != NONE}
    return {
        "rows_per_second": count / float(np.median(base)),
        "ratio": {arm: round(float(np.median(ratio)), 4) for arm, ratio in ratios.items()},
        "ratio_of_best_times": {arm: round(float(base.min() / min(times[arm])), 4) for arm in ratios},
        "quartiles": {arm: [round(float(q), 4) for q in np.quantile(r, [0.25, 0.75])] for arm, r in ratios.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--steps", type=int, default=16, help="batches of a round")
    options = parser.parse_args()
    prepare_process(1)
    rows = random_rows(max(BATCHES) * options.steps, seed=0)
    figures = {}
    for name, tree in MODELS.items():
        for batch in BATCHES:
            spec = ModelSpec.from_tree({**tree, "train": {"batch_size": batch, "dense_lr": 1e-3}})
            figures[f"{name}, batch {batch}"] = found = compare(spec, batch, rows, options.rounds, options.steps)
            print(name, batch, f"{found['rows_per_second']:,.0f} rows/s", found["ratio"], found["ratio_of_best_times"])
    heads = {key: {arm: found["ratio"][arm] for arm in ARMS} for key, found in figures.items()}
    headline = {
        "worst_ratio": min(min(ratios.values()) for ratios in heads.values()),
        "worst_ratio_auxiliary": min(ratios["auxiliary"] for ratios in heads.values()),
        "median_ratio": float(np.median([ratio for ratios in heads.values() for ratio in ratios.values()])),
    }
    write_result(
        "exfm_train_rate",
        settings={"rounds": options.rounds, "steps": options.steps, "models": MODELS, "arms": ARMS, "ids": COUNTS},
        figures=figures,
        headline=headline,
    )


if __name__ == "__main__":
    main()
