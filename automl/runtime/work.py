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
from automl.runtime.stopwatch import Stopwatch
from automl.runtime.training import Training
from automl.stats.seeds import seed_of
from automl.study.history import CurvePoint, Failure, Measurement, Speed
from search_spaces.model import ModelSpec

Floats = NDArray[np.float64]
_REFERENCE_SEED = 0  # speed does not depend on the weights


def train_and_score(asked: TrainModel, training: Training = train) -> Iterator[Step]:
    """Build, time, train and score a model; yields once the parts are trained, at its stops, and at last the step with
    `done`.

    A model that diverges or breaks a limit ends with a failure; whatever else goes wrong is raised. Another
    `training` is another loop between the same timing and scoring; only the usual one leaves checkpoints.
    """
    work = _Work(asked, training)
    broken = _broken_limit(asked.timing, work.found.speed)
    if broken:
        yield work.failed(Failure("constraint", broken))
        return
    work.prepare()
    try:
        yield from work.on_parts()
        yield from work.on_all_rows()
        yield work.scored()
    except Diverged as diverged:
        yield work.failed(Failure("diverged", str(diverged)))


class _Work:
    """One model on its way: built and timed as it is made, then trained on parts of the rows and on all, then scored.
    `found` is what is known of it by now."""

    def __init__(self, asked: TrainModel, training: Training) -> None:
        self._asked, self._training = asked, training
        self._watch = Stopwatch()
        self._log = open_log(Path(asked.log), asked.task)
        self._spec = ModelSpec.from_tree(asked.model)
        self._model = build_model(self._spec, self._log.inputs, seed=asked.weights_seed)
        self._watch.lap("build")
        speed = Speed(qps_ratio=1.0, qps_ratio_low=1.0, qps_ratio_high=1.0)
        if asked.timing is not None:
            speed = _time(self._model, self._log, asked.timing, asked.score)
        self._watch.lap("time")
        self.found = _untrained(self._spec, self._log, speed, self._watch)
        self._curve: list[CurvePoint] = []
        self._rows = slice(0, 0)

    def prepare(self) -> None:
        """For its training: on its device, and as far as a process that died had brought it."""
        asked = self._asked
        self._rows = window_rows(self._log, asked.train)
        module_to(self._model, device_of(asked.device))
        self._steppers = (
            make_steppers(self._model, self._spec, self._log, weights_seed=asked.weights_seed) if asked.days else None
        )
        kept = asked.checkpoint is not None and self._training is train
        self._kept = Checkpoints(asked, self._log.fingerprint) if kept else None
        self._begun = Checkpoint({}) if self._kept is None else self._kept.read()
        self._curve = list(self._begun.curve)
        self._watch.went_on(self._begun.cpu_seconds + self._begun.parts_cpu_seconds)

    def on_parts(self) -> Iterator[Step]:
        """Trained anew on each part that is asked for."""
        asked, begun = self._asked, self._begun
        if not asked.parts:
            return
        if not begun.parts:
            before = time.process_time()
            parts = tuple(
                rehearse(asked, self._spec, self._log, self._rows, every, self._training) for every in asked.parts
            )
            self._watch.lap("parts")
            self._begun = begun = replace(begun, parts=parts, parts_cpu_seconds=time.process_time() - before)
            if self._kept is not None and self._kept.due and self._kept.write(begun):
                yield Step(share=0.0, kept=True)
        self.found = replace(self.found, parts=begun.parts)
        self._watch.cpu["parts"] = begun.parts_cpu_seconds
        if not self._curve:  # later it was promoted already
            yield from self._judged(0.0)

    def on_all_rows(self) -> Iterator[Step]:
        """Trained on the whole window, from where the dead process had come to."""
        asked, curve, course = self._asked, self._curve, Course(self._begun.course)
        stops = [share for share in asked.stops if share > self._share]  # the others were obeyed
        train_cpu = Stopwatch()
        train_cpu.went_on(self._begun.cpu_seconds)
        for point in (self._training if self._kept is None else partial(train, course=course))(
            self._model,
            self._spec,
            self._log,
            self._rows,
            order_seed=asked.order_seed,
            weights_seed=asked.weights_seed,
            points=CURVE_POINTS,
            steppers=self._steppers,
        ):
            curve.append(CurvePoint(point.rows, point.window_ne, point.lifetime_ne))
            share = self._share
            if stops and stops[0] <= share < 1:
                stops = [stop for stop in stops if stop > share]
                self._watch.lap("train")
                self._watch.cpu["train"] = train_cpu.cpu_seconds
                before = time.process_time()
                curve[-1] = replace(curve[-1], check_ne=self._checked())
                train_cpu.leave_out(time.process_time() - before)
                self._watch.lap("score")
                yield from self._judged(share)
            if self._kept is not None and share < 1 and self._kept.due:
                reached = replace(
                    self._begun, course=course.state(), curve=tuple(curve), cpu_seconds=train_cpu.cpu_seconds
                )
                if self._kept.write(reached):
                    yield Step(share=share, kept=True)
        self._watch.lap("train")
        self._watch.cpu["train"] = train_cpu.cpu_seconds
        train_qps = curve[-1].rows / max(train_cpu.cpu_seconds, 1e-9)
        self.found = replace(self.found, speed=replace(self.found.speed, train_qps=train_qps))

    def scored(self) -> Step:
        """The last step of a model that trained to its end."""
        asked, log = self._asked, self._log
        if asked.weights is not None:
            _save_weights(Path(asked.weights), self._model)
        days = _days(self._model, self._spec, log, asked, self._training, self._steppers)
        scored = _scored(np.concatenate(list(days)), log, asked)
        self._watch.lap("score")
        found = replace(
            self.found,
            ne=scored.ne,
            auc=scored.auc,
            calibration=scored.calibration,
            nes=None if scored.nes is None else dict(zip(log.tasks, scored.nes, strict=True)),
            seconds=dict(self._watch.seconds),
            cpu_seconds=dict(self._watch.cpu),
        )
        return Step(
            share=1.0, curve=tuple(self._curve), measurement=found, done=True, cpu_seconds=self._watch.cpu_seconds
        )

    def failed(self, failure: Failure) -> Step:
        """The last step of one that did not."""
        return Step(
            share=self._share,
            curve=tuple(self._curve),
            measurement=self.found,
            failure=failure,
            done=True,
            cpu_seconds=self._watch.cpu_seconds,
        )

    def _judged(self, share: float) -> Iterator[Step]:
        """A step at which whoever runs it may stop it; the time that takes is not its own."""
        watch = self._watch
        yield Step(share=share, curve=tuple(self._curve), measurement=self.found, cpu_seconds=watch.cpu_seconds)
        watch.resume()

    @property
    def _share(self) -> float:
        """Of the rows to train on; a batch may be larger than what is between two points."""
        total = (self._rows.stop - self._rows.start) * self._spec.train.epochs
        return self._curve[-1].rows / total if self._curve else 0.0

    def _checked(self) -> float | None:
        return check(self._model, self._log, self._log.windows[self._asked.score], self._asked.check_rows)


def window_rows(log: EncodedLog, windows: tuple[str, ...]) -> slice:
    """Rows of neighbouring windows as one."""
    parts = [log.windows[name] for name in windows]
    for before, after in pairwise(parts):
        if before.stop != after.start:
            raise ValueError(f"windows must follow each other, but found {windows}")
    return slice(parts[0].start, parts[-1].stop)


def _time(model: Ranker, log: EncodedLog, timing: Timing, window: str) -> Speed:
    reference = build_model(ModelSpec.from_tree(timing.reference), log.inputs, seed=_REFERENCE_SEED)
    return time_ratio(
        model,
        reference,
        timed_batches(log, log.windows[window], timing.batch_rows),
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
