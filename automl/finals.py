"""Finals: picks and baseline trained anew with several seeds on train + validate, scored on days no search ever saw."""

from __future__ import annotations

import json
import math
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from automl.data.store import EncodedLog
from automl.history import Failure, Speed
from automl.metrics import NESums, undo_sampling
from automl.problem import FINALS_FIT, Problem, encode
from automl.ranking.model import build_model
from automl.ranking.process import prepare_process
from automl.ranking.throughput import time_ratio
from automl.runtime.cluster import cluster
from automl.runtime.console import ProgressLine, now
from automl.runtime.driver import hold
from automl.runtime.engine import Resources, run
from automl.runtime.failures import RunError
from automl.runtime.jobs import Done, Job, Outcome, Progress, Wait
from automl.runtime.work import make_clock
from automl.seeds import trial_seeds
from automl.significance import Gain, examples_std, gains, log_losses, verdict
from automl.strategies.picks import Pick, picks
from automl.study import Study
from search_spaces.errors import InputError
from search_spaces.model import ModelSpec

Floats = NDArray[np.float64]
FIRST_REPEAT = 1000  # the finals draw seeds of their own: the one that made a trial look good is not drawn again
BASELINE = "baseline"
TIMING_SECONDS = 3.0  # of each pick against the baseline


@dataclass(frozen=True, slots=True, kw_only=True)
class Final:
    """One line of finals.json."""

    pick: Pick
    gain: Gain
    speed: Speed
    search_ne_gain_pct: float
    verdict: str
    ne: float

    def to_json(self, margin_pct: float) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "trial": self.pick.trial,
            "role": self.pick.role,
            "ne": self.ne,
            "ne_gain_pct": self.gain.pct,
            "ci_low_pct": self.gain.low_pct,
            "ci_high_pct": self.gain.high_pct,
            "p_corrected": self.gain.p_corrected,
            "qps_ratio": self.speed.qps_ratio,
            "qps_ratio_low": self.speed.qps_ratio_low,
            "search_ne_gain_pct": self.search_ne_gain_pct,
            "verdict": self.verdict,
        }
        if self.verdict == "no better":
            shown["smallest_margin_pct"] = max(self.gain.high_pct, 0.0)
        return shown


def run_finals(
    problem: Problem,
    study: Study,
    *,
    seeds: int | None = None,
    top: int | None = None,
    workers: int = 2,
    address: str | None = None,
    console: Console | None = None,
    clock: Callable[[], float] = time.time,
) -> dict[str, Any]:
    """Run the finals of a study and write finals.json; returns what it holds.

    A model and seed that was trained in an earlier call is not trained again, so seeds may be added.

    Raises:
        InputError: where the search has nothing to pick.
        RunError: where a model failed with every seed.
    """
    console = console or Console(quiet=True)
    seeds = seeds or problem.config.finals.seeds
    chosen = picks(problem.space, study.history(), seed=problem.config.seed, top=top)
    if not chosen:
        must = "must hold a trial that was trained to the end within the limits"
        raise InputError.of(str(problem.folder), must, "none", "search longer: automl search ... --trials N")
    models = {BASELINE: problem.baseline, **{str(p.trial): _model(study, p.trial) for p in chosen}}
    with hold(problem.folder):
        log = encode(problem.config, problem.document, problem.folder, FINALS_FIT)
        source = FinalsSource(problem, log, models, seeds)
        progress = ProgressLine(console, source.describe, now)
        source.told = progress.update
        if source.waiting:
            with cluster(problem.folder, workers * problem.config.resources.cpu, address), progress:
                config = problem.config.resources
                run(source, Resources(workers=workers, cpu=config.cpu, gpu=config.gpu), clock=clock)
        found = judge(problem, log, source.predictions(), chosen, study, models)
        path = problem.folder / "finals.json"
        part = path.with_name(path.name + ".part")
        part.write_text(json.dumps(found, indent=2))
        part.replace(path)
    return found


class FinalsSource:
    """Every model with every seed, as jobs. What is on disk from before is not run again."""

    def __init__(self, problem: Problem, log: EncodedLog, models: Mapping[str, ModelSpec], seeds: int) -> None:
        self._problem, self._log, self._models, self._seeds = problem, log, models, seeds
        self._folder = problem.folder / "finals" / log.fingerprint[:16]
        self._folder.mkdir(parents=True, exist_ok=True)
        # Seed by seed, all models side by side: an interrupted run leaves whole seeds; all share the machine's moods.
        self._jobs = deque(
            self._job(name, s) for s in range(seeds) for name in models if not self._file(name, s).exists()
        )
        self._failed: dict[str, Failure] = {}
        self.told: Callable[[], None] = lambda: None

    @property
    def waiting(self) -> int:
        return len(self._jobs)

    def next(self, running: int) -> Job | Wait | Done:
        return self._jobs.popleft() if self._jobs else Done()

    def keep_going(self, job: Job, progress: Progress) -> bool:
        return True

    def ended(self, job: Job, outcome: Outcome) -> None:
        if outcome.failure is not None:
            self._failed[job.name] = outcome.failure
        self.told()

    def describe(self) -> tuple[int, int, str]:
        done = sum(self._file(name, s).exists() for name in self._models for s in range(self._seeds))
        return (
            done,
            len(self._models) * self._seeds,
            f"finals: {len(self._models) - 1} picks and the baseline, {self._seeds} seeds",
        )

    def predictions(self) -> dict[str, Floats]:
        """(seeds, rows) probabilities by model.

        Raises:
            RunError: where a model failed with some seed: the comparison would not be paired.
        """
        if self._failed:
            name, failure = next(iter(self._failed.items()))
            raise RunError(
                f"{len(self._failed)} of the finals' trainings failed; {name}: {failure.kind}: {failure.reason}"
            )
        return {name: np.stack([np.load(self._file(name, s)) for s in range(self._seeds)]) for name in self._models}

    def _file(self, name: str, seed: int) -> Path:
        return self._folder / f"{self._models[name].key}-{seed}.npy"

    def _job(self, name: str, seed: int) -> Job:
        model, config = self._models[name], self._problem.config
        seeds = trial_seeds(config.seed, model.key, FIRST_REPEAT + seed, order=FIRST_REPEAT + seed)
        return Job(
            name=f"final-{name}-{seed}",
            model=model.to_tree(),
            log=str(self._log.folder),
            train=FINALS_FIT,
            score="test",
            weights_seed=seeds["weights"],
            order_seed=seeds["order"],
            timeout_s=2 * config.trial.timeout,
            memory_bytes=config.trial.memory,
            predictions=str(self._file(name, seed)),
        )


def judge(
    problem: Problem,
    log: EncodedLog,
    probs: Mapping[str, Floats],
    chosen: Sequence[Pick],
    study: Study,
    models: Mapping[str, ModelSpec],
) -> dict[str, Any]:
    """Predictions of the finals to what finals.json holds."""
    window = _Window(log)
    ne = {name: np.array([window.ne(row) for row in of_model]) for name, of_model in probs.items()}
    loss = {name: window.losses(of_model) for name, of_model in probs.items()}
    names = [str(pick.trial) for pick in chosen]
    spread = np.array([window.examples_std(loss[name] - loss[BASELINE]) for name in names])
    found = gains(ne[BASELINE], np.stack([ne[name] for name in names]), spread, window.examples_freedom)
    speeds = time_together(problem, log, [models[name] for name in names])
    baseline = study.baseline()
    assert baseline is not None
    margin = problem.config.finals.margin_pct
    searched = {trial.number: trial for trial in study.trials}
    finals = []
    for pick, gain, speed in zip(chosen, found, speeds, strict=True):
        measured = searched[pick.trial].measurement
        finals.append(
            Final(
                pick=pick,
                gain=gain,
                speed=speed,
                ne=float(ne[str(pick.trial)].mean()),
                search_ne_gain_pct=baseline.gain_pct(measured.ne) if measured else math.nan,
                verdict=verdict(gain, speed.qps_ratio_low, margin),
            )
        )
    base = ne[BASELINE]
    return {
        "baseline": {"ne": float(base.mean()), "ne_std": float(base.std(ddof=1)), "qps": baseline.qps},
        "margin_pct": margin,
        "seeds": len(base),
        "half_width_pct": max(0.5 * (gain.high_pct - gain.low_pct) for gain in found),
        "picks": [final.to_json(margin) for final in finals],
    }


def time_together(problem: Problem, log: EncodedLog, models: Sequence[ModelSpec]) -> list[Speed]:
    """All models against the baseline in one run: over minutes the ratio itself drifts with what the neighbours do."""
    prepare_process()
    reference = build_model(problem.baseline, log.inputs, seed=0)
    rows, config = log.windows["test"], problem.config.qps
    return [
        time_ratio(
            build_model(model, log.inputs, seed=0),
            reference,
            log.ids_NF[rows],
            log.dense_ND[rows],
            batch_rows=config.batch_rows,
            max_seconds=TIMING_SECONDS,
            clock=make_clock(config.clock),
        )
        for model in models
    ]


class _Window:
    """The test window's labels and weights, and what predictions of it are worth."""

    def __init__(self, log: EncodedLog) -> None:
        rows = log.windows["test"]
        self._kept = log.negatives_kept
        self._labels_N = np.asarray(log.labels_N[rows], dtype=np.float64)
        self._weights_N = np.asarray(log.weights_N[rows], dtype=np.float64)
        clusters = np.asarray(log.clusters_N[rows])
        self._clusters_N = clusters if np.ptp(clusters) > 0 else np.arange(len(clusters), dtype=np.int32)

    @property
    def examples_freedom(self) -> int:
        """Degrees of freedom of the examples' part: few where rows share the luck of few days."""
        return len(np.unique(self._clusters_N)) - 1

    def ne(self, probs_N: Floats) -> float:
        return self._sums(probs_N).ne

    def losses(self, probs_SN: Floats) -> Floats:
        """Log loss by row, mean over the seeds."""
        corrected = probs_SN if self._kept is None else undo_sampling(probs_SN, self._kept)
        return np.asarray(log_losses(self._labels_N, corrected).mean(axis=0), dtype=np.float64)

    def examples_std(self, difference_N: Floats) -> float:
        sums = self._sums(np.full(len(self._labels_N), 0.5))
        weights = self._weights_N
        if self._kept is not None:
            weights = np.where(self._labels_N == 1, weights, weights / self._kept)
        return examples_std(difference_N, weights, self._clusters_N, sums.cross_entropy / sums.ne)

    def _sums(self, probs_N: Floats) -> NESums:
        return NESums.of(self._labels_N, probs_N, self._weights_N, negatives_kept=self._kept)


def _model(study: Study, number: int) -> ModelSpec:
    return next(trial.candidate.model for trial in study.trials if trial.number == number)
