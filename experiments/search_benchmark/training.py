"""One candidate of a table, really trained: NE at ten points of its training, its speed, what it cost."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit

from automl.data.store.log import EncodedLog
from automl.ranking.clocks import make_clock
from automl.ranking.model import build_model
from automl.ranking.scoring import score
from automl.ranking.throughput import time_ratio, timed_batches
from automl.ranking.training import Diverged, train
from automl.stats.metrics import ne
from automl.stats.seeds import trial_seeds
from experiments.search_benchmark.logs import SEED
from search_spaces.model import ModelSpec

Floats = NDArray[np.float64]
POINTS = 20  # of the curve that a search sees
SCORED_EVERY = 2  # of these points the validation window is scored
TIMED_S = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """NE of the validation window is of the weights as they are at a point, last of those that would ship."""

    key: str
    order: int
    ne: tuple[float, ...] = ()  # at a tenth of the training, two tenths, ... and its end
    ne_calibrated: tuple[float, ...] = ()  # the same at the bias that is best for the window
    window_ne: tuple[float, ...] = ()  # progressive, at each of POINTS
    qps_ratio: float | None = None  # of order 0 only: it does not hang on weights
    params: int = 0
    flops: int = 0
    seconds: Mapping[str, float] = field(default_factory=dict)  # of a core: time, train, score
    failure: str | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def train_candidate(tree: Mapping[str, Any], log: EncodedLog, order: int, reference: ModelSpec) -> Trained:
    """A model on one order of the data, as a search trains it. On order 0 it is timed, and scored on its way."""
    spec = ModelSpec.from_tree(tree)
    seeds = trial_seeds(SEED, order)
    clock = _Clock()
    model = build_model(spec, log.inputs, seed=seeds["weights"])
    ratio = None
    if order == 0:
        batches = timed_batches(log, log.windows["validate"], 512)
        other = build_model(reference, log.inputs, seed=0)
        ratio = time_ratio(model, other, batches, max_seconds=TIMED_S, clock=make_clock("cpu")).qps_ratio
    clock.lap("time")
    rows, window = log.windows["train"], log.windows["validate"]
    raw, calibrated, progressive, failure = [], [], [], None

    def judge() -> None:
        clock.lap("train")
        one, other = _judged(score(model, log, window), log.labels_N[window])
        raw.append(one)
        calibrated.append(other)
        model.train()
        clock.lap("score")

    try:
        for point in train(
            model, spec, log, rows, order_seed=seeds["order"], weights_seed=seeds["weights"], points=POINTS
        ):
            progressive.append(point.window_ne)
            if order == 0 and len(progressive) % SCORED_EVERY == 0 and len(progressive) < POINTS:
                judge()
        judge()
    except Diverged as diverged:
        failure = str(diverged)
    cost = spec.cost(log.inputs)
    return Trained(
        key=spec.key,
        order=order,
        ne=tuple(raw),
        ne_calibrated=tuple(calibrated),
        window_ne=tuple(progressive),
        qps_ratio=ratio,
        params=cost.params,
        flops=cost.flops,
        seconds=clock.seconds,
        failure=failure,
    )


def _judged(probabilities_N: Floats, labels_N: NDArray[np.float32]) -> tuple[float, float]:
    """NE, and NE at the best bias.

    Raises:
        Diverged: where a probability is not a number.
    """
    if not np.isfinite(probabilities_N).all():
        raise Diverged("predictions of the scored window are not finite")
    logits_N = logit(np.clip(probabilities_N, 1e-12, 1 - 1e-12))
    labels = labels_N.astype(np.float64)

    def loss(bias: float) -> float:
        shifted = logits_N + bias
        return float(np.mean(np.logaddexp(0.0, shifted) - labels * shifted))

    bias = float(minimize_scalar(loss, bounds=(-2.0, 2.0), method="bounded", options={"xatol": 1e-4}).x)
    return ne(labels, probabilities_N), ne(labels, expit(logits_N + bias))


class _Clock:
    """Seconds of this process's core by part."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.process_time()

    def lap(self, part: str) -> None:
        now = time.process_time()
        self.seconds[part] = self.seconds.get(part, 0.0) + now - self._last
        self._last = now
