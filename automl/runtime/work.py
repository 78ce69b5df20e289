"""What happens inside a trial: build, time, train, score. A generator, so that whoever runs it may stop in between."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from automl.data.store.log import EncodedLog, open_log
from automl.files.sealed import write_sealed
from automl.files.whole import whole_file
from automl.ranking.clocks import make_clock
from automl.ranking.course import Course
from automl.ranking.model import Ranker, build_model
from automl.ranking.place import PROCESSOR, copied_to, device_of, module_to
from automl.ranking.scoring import Scores, check, score, scores_of
from automl.ranking.throughput import time_ratio, timed_batches
from automl.ranking.training import Diverged, Steppers, make_steppers, train
from automl.runtime.checkpoints import Checkpoint, Checkpoints
from automl.runtime.jobs import CURVE_POINTS, Step, Timing, TrainModel
from automl.runtime.rehearsal import rehearse
from automl.runtime.training import Training
from automl.stats.seeds import seed_of
from automl.study.history import CurvePoint, Failure, Measurement, Speed
from search_spaces.model import ModelSpec

Floats = NDArray[np.float64]
_REFERENCE_SEED = 0  # speed does not depend on the weights


class Stopwatch:
    """Seconds by part of a trial."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.cpu: dict[str, float] = {}  # of trainings
        self._last = time.perf_counter()
        self._cpu_start = time.process_time()

    def lap(self, part: str) -> None:
        now = time.perf_counter()
        self.seconds[part] = self.seconds.get(part, 0.0) + now - self._last
        self._last = now

    def resume(self) -> None:
        """Leave out the time since the last lap: the trial was waiting for its driver."""
        self._last = time.perf_counter()

    def went_on(self, cpu_seconds: float) -> None:
        """So much was worked before, by a process that died."""
        self._cpu_start -= cpu_seconds

    def leave_out(self, cpu_seconds: float) -> None:
        """So much was worked at something else."""
        self._cpu_start += cpu_seconds

    @property
    def cpu_seconds(self) -> float:
        return time.process_time() - self._cpu_start


def train_and_score(asked: TrainModel, training: Training = train) -> Iterator[Step]:
    """Build, time, train and score a model; yields once the parts are trained, at its stops, and at last the step with
    `done`.

    A model that diverges or breaks a limit ends with a failure; whatever else goes wrong is raised. Another
    `training` is another loop between the same timing and scoring; only the usual one leaves checkpoints.
    """
    watch = Stopwatch()
    log = open_log(Path(asked.log), asked.task)
    spec = ModelSpec.from_tree(asked.model)
    model = build_model(spec, log.inputs, seed=asked.weights_seed)
    watch.lap("build")
    speed = _time(model, log, asked) if asked.timing else Speed(qps_ratio=1.0, qps_ratio_low=1.0, qps_ratio_high=1.0)
    watch.lap("time")
    start = _untrained(spec, log, speed, watch)
    broken = _broken_limit(asked.timing, speed)
    if broken:
        yield Step(
            share=0.0,
            measurement=start,
            failure=Failure("constraint", broken),
            done=True,
            cpu_seconds=watch.cpu_seconds,
        )
        return
    rows = window_rows(log, asked.train)
    module_to(model, device_of(asked.device))
    steppers = make_steppers(model, spec, log, weights_seed=asked.weights_seed) if asked.days else None
    kept = Checkpoints(asked, log.fingerprint) if asked.checkpoint is not None and training is train else None
    begun = Checkpoint({}) if kept is None else kept.read()
    course, curve = Course(begun.course), list(begun.curve)
    total = (rows.stop - rows.start) * spec.train.epochs
    stops = [share for share in asked.stops if not curve or share > curve[-1].rows / total]  # the others were obeyed
    watch.went_on(begun.cpu_seconds + begun.parts_cpu_seconds)
    try:
        if asked.parts:
            if not begun.parts:
                before = time.process_time()
                parts = tuple(rehearse(asked, spec, log, rows, every, training) for every in asked.parts)
                watch.lap("parts")
                begun = replace(begun, parts=parts, parts_cpu_seconds=time.process_time() - before)
                if kept is not None and kept.due and kept.write(begun):
                    yield Step(share=0.0, kept=True)
            start = replace(start, parts=begun.parts)
            watch.cpu["parts"] = begun.parts_cpu_seconds
            if not curve:  # later it was promoted already
                yield Step(share=0.0, measurement=start, cpu_seconds=watch.cpu_seconds)
                watch.resume()
        train_cpu = Stopwatch()
        train_cpu.went_on(begun.cpu_seconds)
        for point in (training if kept is None else partial(train, course=course))(
            model,
            spec,
            log,
            rows,
            order_seed=asked.order_seed,
            weights_seed=asked.weights_seed,
            points=CURVE_POINTS,
            steppers=steppers,
        ):
            curve.append(CurvePoint(point.rows, point.window_ne, point.lifetime_ne))
            share = point.rows / total  # a batch may be larger than what is between two points
            if stops and stops[0] <= share < 1:
                stops = [stop for stop in stops if stop > share]
                watch.lap("train")
                watch.cpu["train"] = train_cpu.cpu_seconds
                before = time.process_time()
                curve[-1] = replace(curve[-1], check_ne=check(model, log, log.windows[asked.score], asked.check_rows))
                train_cpu.leave_out(time.process_time() - before)
                watch.lap("score")
                yield Step(share=share, curve=tuple(curve), measurement=start, cpu_seconds=watch.cpu_seconds)
                watch.resume()
            if kept is not None and share < 1 and kept.due:
                reached = replace(begun, course=course.state(), curve=tuple(curve), cpu_seconds=train_cpu.cpu_seconds)
                if kept.write(reached):
                    yield Step(share=share, kept=True)
        watch.lap("train")
        watch.cpu["train"] = train_cpu.cpu_seconds
        train_qps = curve[-1].rows / max(train_cpu.cpu_seconds, 1e-9)
        if asked.weights is not None:
            _save_weights(Path(asked.weights), model)
        days = _days(model, spec, log, asked, training, steppers)
        scored = _scored(np.concatenate(list(days)), log, asked)
    except Diverged as diverged:
        yield Step(
            share=curve[-1].rows / total if curve else 0.0,
            curve=tuple(curve),
            measurement=start,
            failure=Failure("diverged", str(diverged)),
            done=True,
            cpu_seconds=watch.cpu_seconds,
        )
        return
    watch.lap("score")
    yield Step(
        share=1.0,
        curve=tuple(curve),
        measurement=replace(
            start,
            ne=scored.ne,
            auc=scored.auc,
            calibration=scored.calibration,
            nes=None if scored.nes is None else dict(zip(log.tasks, scored.nes, strict=True)),
            speed=replace(speed, train_qps=train_qps),
            seconds=dict(watch.seconds),
            cpu_seconds=dict(watch.cpu),
        ),
        done=True,
        cpu_seconds=watch.cpu_seconds,
    )


def window_rows(log: EncodedLog, windows: tuple[str, ...]) -> slice:
    """Rows of neighbouring windows as one."""
    parts = [log.windows[name] for name in windows]
    for before, after in pairwise(parts):
        if before.stop != after.start:
            raise ValueError(f"windows must follow each other, but found {windows}")
    return slice(parts[0].start, parts[-1].stop)


def _time(model: Ranker, log: EncodedLog, asked: TrainModel) -> Speed:
    timing = asked.timing
    assert timing is not None
    reference = build_model(ModelSpec.from_tree(timing.reference), log.inputs, seed=_REFERENCE_SEED)
    return time_ratio(
        model,
        reference,
        timed_batches(log, log.windows[asked.score], timing.batch_rows),
        max_seconds=timing.max_seconds,
        clock=make_clock(timing.clock),
    )


def _untrained(spec: ModelSpec, log: EncodedLog, speed: Speed, watch: Stopwatch) -> Measurement:
    cost = spec.cost(log.inputs)
    return Measurement(
        ne=math.nan,
        auc=None,
        calibration=None,
        speed=speed,
        params=cost.params,
        flops=cost.flops,
        activation_bytes=cost.bytes,
        seconds=watch.seconds,
        cpu_seconds=watch.cpu,
    )


def _broken_limit(timing: Timing | None, speed: Speed) -> str | None:
    """The first limit that the whole interval of the ratio breaks, in words."""
    for limit in timing.limits if timing else ():
        if limit.least_excess(speed.qps_ratio_low, speed.qps_ratio_high) > 0:
            bounds = ("at least", limit.low), ("at most", limit.high)
            must = " and ".join(f"{word} {bound:g} x" for word, bound in bounds if bound is not None)
            return f"QPS must be {must} the baseline's, but it is {speed.qps_ratio:.3g} x"
    return None


def _days(
    model: Ranker,
    spec: ModelSpec,
    log: EncodedLog,
    asked: TrainModel,
    training: Training,
    steppers: Steppers | None,
) -> Iterator[Floats]:
    """Probabilities of the scored window, a day at a time: what a model says of a day that it has learnt up to."""
    window = log.windows[asked.score]
    days = [slice(*span) for span in pairwise((window.start, *asked.days, window.stop))]
    once = replace(spec, train=replace(spec.train, epochs=1))
    for number, day in enumerate(days):
        yield score(model, log, day)
        if number + 1 < len(days):
            seeds = [seed_of("day", seed, number) for seed in (asked.order_seed, asked.weights_seed)]
            for _ in training(
                model, once, log, day, order_seed=seeds[0], weights_seed=seeds[1], points=1, steppers=steppers
            ):
                pass


def _scored(probs: Floats, log: EncodedLog, asked: TrainModel) -> Scores:
    """What predictions of the scored window are worth; they are written where that is asked for."""
    scores = scores_of(probs, log, log.windows[asked.score], negatives_kept=log.negatives_kept)
    if asked.predictions is not None:
        save_predictions(Path(asked.predictions), probs, asked.predictions_name)
    return scores


def _save_weights(file: Path, model: Ranker) -> None:
    with whole_file(file) as part:
        torch.save(copied_to(model, PROCESSOR).state_dict(), part)


def save_predictions(path: Path, probs: Floats, name: str) -> None:
    """(N,) of one label or (N, T) of several, as .npy, sealed with the name that the job tells; a file that is there is
    whole."""
    write_sealed(path, np.asarray(probs, np.float64), name)
