"""One training, many measures: its last weights and their means over the tail of the pass, each as it is and refitted.

The loop is the experiment's own, over the trainer's step, so that one training answers for all horizons at once.
M weights that are scored (the last, then a mean for each share), N rows of the scored window.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from automl.data.store.log import EncodedLog
from automl.ranking.batches import chunks
from automl.ranking.features import read_parts
from automl.ranking.losses import LabelLoss
from automl.ranking.model import RankingModel, build_model
from automl.ranking.place import fetch
from automl.ranking.progress import Diverged, Prequential
from automl.ranking.scoring import logits_of
from automl.ranking.stepper import Stepper
from automl.ranking.training import rate_factor
from automl.stats.metrics import NESums
from automl.stats.seeds import seed_of
from search_spaces.model import ModelSpec, Train

Floats = NDArray[np.float64]
SHARES = (0.05, 0.1, 0.2, 0.4)  # of the pass, whose weights are averaged
WEIGHTS = ("last", *(f"mean{round(100 * share)}" for share in SHARES))
REFIT_ROWS = 20_000  # the last of the training window in time


@dataclass(frozen=True, slots=True)
class Run:
    """A training: which model, and the seeds that it is trained with."""

    group: str
    config: str
    order: int
    init: int
    dropout: int

    @property
    def name(self) -> str:
        return f"{self.group}.{self.config}.{self.order}.{self.init}.{self.dropout}"


class Store:
    """Results that are there are not made again: a line for each training, its logits beside."""

    def __init__(self, folder: Path) -> None:
        self._file, self._folder = folder / "noise.jsonl", folder / "logits"
        self._folder.mkdir(parents=True, exist_ok=True)
        lines = self._file.read_text().splitlines() if self._file.exists() else []
        self.found: dict[str, Mapping[str, Any]] = {line["name"]: line for line in map(json.loads, lines)}

    def logits_MN(self, name: str) -> NDArray[np.float32]:  # noqa: N802
        """Of the scored window, without the refitted bias."""
        logits_MN: NDArray[np.float32] = np.load(self._folder / f"{name}.npy")
        return logits_MN

    def add(self, run: Run, figures: Mapping[str, Any], logits_MN: NDArray[np.float32] | None) -> None:
        """A training that ended, or diverged (without logits)."""
        if logits_MN is not None:
            np.save(self._folder / f"{run.name}.npy", logits_MN)
        line = {"name": run.name, "group": run.group, "config": run.config, "order": run.order, **figures}
        with self._file.open("a") as file:
            file.write(json.dumps(line) + "\n")
        self.found[run.name] = line


def train_once(run: Run, spec: ModelSpec, log: EncodedLog, seed: int) -> tuple[dict[str, Any], NDArray[np.float32]]:
    """Train and score with every weights; figures by weights, and the logits (M, N).

    Raises:
        Diverged: with the reason.
    """
    model = build_model(spec, log.inputs, seed=seed_of("noise weights", seed, run.init))
    tails, curve = _train(
        model, spec, log, seed_of("order", seed, run.order), seed_of("noise dropout", seed, run.dropout)
    )
    window, train = log.windows["validate"], log.windows["train"]
    recent = slice(max(train.start, train.stop - REFIT_ROWS), train.stop)
    figures, logits_MN = {}, []
    for name, weights in zip(WEIGHTS, tails, strict=True):
        with weights():
            logits_N, recent_N = (logits_of(model.eval(), read_parts(log, rows)).double() for rows in (window, recent))
        if not torch.isfinite(logits_N).all():
            raise Diverged("predictions of the scored window are not finite")
        bias = fitted_bias(fetch(recent_N), log.labels_N[recent])
        figures[name] = {"bias": bias, **scored(fetch(logits_N), log.labels_N[window], bias)}
        logits_MN.append(fetch(logits_N).astype(np.float32))
    return {"scores": figures, "curve": curve}, np.stack(logits_MN)


def _train(
    model: RankingModel, spec: ModelSpec, log: EncodedLog, order: int, dropout: int
) -> tuple[list[Callable[[], Any]], list[tuple[int, float, float]]]:
    """The passes that the trainer makes; what puts each weights in place, and the curve."""
    rows, settings = log.windows["train"], spec.train
    model.train()
    model.noise.reseed(dropout)
    model.start_at(float(log.labels_N[rows].mean(dtype=np.float64)))
    stepper, rng = Stepper(model, spec, LabelLoss()), np.random.default_rng(order)
    count = rows.stop - rows.start
    total = count * settings.epochs
    prequential, tail, curve = Prequential(total, 20), Tail(model), []
    for _ in range(settings.epochs):
        for chunk in chunks(log, rows, shuffled=settings.order == "shuffled", rng=rng):
            factor = partial(_factor, settings, prequential, total)
            for batch, seen_B in stepper.steps(chunk, factor):
                prequential.add(seen_B, batch.labels, batch.weights_B)
                tail.add(1 + (prequential.rows - total) / count)
                if prequential.due:
                    point = prequential.point()
                    curve.append((point.rows, point.window_ne, point.lifetime_ne))
    return tail.weights(), curve


def _factor(settings: Train, prequential: Prequential, total: int, count: int) -> float:
    return rate_factor(settings, prequential.rows / total, count / total)


class Tail:
    """Sums of all weights over the tail of a pass, in pieces between one horizon and the next; every step counts."""

    def __init__(self, model: nn.Module) -> None:
        parts = [*model.parameters(), *model.buffers()]
        self._parts = [part.detach() for part in parts if part.is_floating_point()]
        self._sums: list[list[Tensor]] = [[torch.zeros_like(part) for part in self._parts] for _ in SHARES]
        self._counts = [0] * len(SHARES)

    def add(self, done: float) -> None:
        """The weights after a step, with a share `done` of the last pass over."""
        inside = [k for k, share in enumerate(SHARES) if done > 1 - share + 1e-12]
        if inside:
            self._counts[inside[0]] += 1
            torch._foreach_add_(self._sums[inside[0]], self._parts)

    def weights(self) -> list[Callable[[], Any]]:
        """What puts the last weights, and then each mean, in place while it is open."""
        last = [part.clone() for part in self._parts]
        means, count, sums = [], 0, [torch.zeros_like(part) for part in self._parts]
        for piece, steps in zip(self._sums, self._counts, strict=True):
            count += steps
            torch._foreach_add_(sums, piece)
            means.append([part / max(count, 1) for part in sums])
        return [lambda chosen=chosen: self._with(chosen, last) for chosen in (last, *means)]

    @contextmanager
    def _with(self, chosen: Sequence[Tensor], last: Sequence[Tensor]) -> Iterator[None]:
        for part, value in zip(self._parts, chosen, strict=True):
            part.copy_(value)
        yield
        for part, value in zip(self._parts, last, strict=True):
            part.copy_(value)


def scored(logits_N: Floats, labels_N: NDArray[np.float32], bias: float) -> dict[str, float]:
    """NE and calibration as they are and with the bias, and NE with the bias that suits the scored rows best."""
    plain, refit = _sums(logits_N, labels_N), _sums(logits_N + bias, labels_N)
    best = _sums(logits_N + fitted_bias(logits_N, labels_N), labels_N)
    return {
        "ne": plain.ne,
        "calibration": plain.calibration,
        "ne_refit": refit.ne,
        "calibration_refit": refit.calibration,
        "ne_calibrated": best.ne,
    }


def fitted_bias(logits_N: Floats, labels_N: NDArray[np.float32]) -> float:
    """The bias of least log loss, by Newton's steps."""
    bias, wanted = 0.0, float(labels_N.sum(dtype=np.float64))
    for _ in range(20):
        p_N = 1 / (1 + np.exp(-(logits_N + bias)))
        step = (wanted - float(p_N.sum())) / float((p_N * (1 - p_N)).sum())
        bias += min(max(step, -2.0), 2.0)
        if abs(step) < 1e-10:
            break
    return bias


def _sums(logits_N: Floats, labels_N: NDArray[np.float32]) -> NESums:
    return NESums.of(labels_N, 1 / (1 + np.exp(-logits_N)))
