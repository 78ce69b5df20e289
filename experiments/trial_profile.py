"""Where the seconds of one trial go, and how near its training comes to bare arithmetic.

    python -m experiments.trial_profile [--quick]

The baseline on KuaiRand, one core. The limit is the same matrix products (forward, both backward ones) and the same
gather and scatter of embedding rows, timed bare on tensors of the same shapes: no activation, dropout or optimizer.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from automl.data.store.log import EncodedLog
from automl.ranking.batches import Batch, chunks
from automl.ranking.features import Features, read
from automl.ranking.losses import LabelLoss
from automl.ranking.model import RankingModel, build_model
from automl.ranking.place import CpuClock
from automl.ranking.process import prepare_process
from automl.ranking.progress import Prequential
from automl.ranking.scoring import score, scores_of
from automl.ranking.stepper import Stepper
from automl.ranking.throughput import time_ratio, timed_batches
from automl.study.problem import Problem, load_problem
from experiments.kuairand import write_study
from experiments.record import write_result
from search_spaces.model import ModelSpec

Shapes = list[tuple[int, int, int]]  # rows, in, out of each linear map


class Clockwork:
    """CPU seconds by part."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        start = time.process_time()
        yield
        self.seconds[name] += time.process_time() - start


def main() -> None:
    """Profile a trial and its limit; print and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows")
    quick = parser.parse_args().quick
    prepare_process()
    problem = load_problem(write_study("profile"))
    log, window = problem.log, problem.log.windows["train"]
    rows = slice(window.start, window.start + (window.stop - window.start) // (10 if quick else 1))
    parts = trial(problem, log, rows)
    total = sum(parts.values())
    for name, seconds in sorted(parts.items(), key=lambda item: -item[1]):
        print(f"{name:<20} {seconds:6.2f} s  {100 * seconds / total:5.1f}%")
    training = sum(s for name, s in parts.items() if name not in ("build", "qps", "score"))
    limit_model = build_model(problem.baseline, log.inputs, seed=1)
    assert isinstance(limit_model, RankingModel)
    bare_step = bare_seconds(limit_model, read(log, slice(0, problem.baseline.train.batch_size)))
    count = rows.stop - rows.start
    batch = problem.baseline.train.batch_size
    rate, limit = count / training, batch / bare_step
    print(
        f"training {rate:,.0f} rows/s; bare matrix products, gather and scatter {limit:,.0f} rows/s: {rate / limit:.0%}"
    )
    write_result(
        "trial_profile",
        settings={"rows": count, "batch": batch, "model": problem.baseline.to_tree()},
        figures={"seconds": parts},
        headline={
            "train_rows_per_s": round(rate),
            "bare_rows_per_s": round(limit),
            "share_of_bare": round(rate / limit, 3),
        },
    )


def trial(problem: Problem, log: EncodedLog, rows: slice) -> dict[str, float]:
    """Run the parts of a trial under a stopwatch; the loop is that of automl.ranking.training."""
    clock, spec = Clockwork(), problem.baseline
    with clock.part("build"):
        model = build_model(spec, log.inputs, seed=1)
    window = log.windows["validate"]
    with clock.part("qps"):
        reference = build_model(spec, log.inputs, seed=0)
        time_ratio(
            model,
            reference,
            timed_batches(log, window, 512),
            max_seconds=1.0,
            clock=CpuClock(),
        )
    stepper, prequential = TimedStepper(model.train(), spec, clock), Prequential(rows.stop - rows.start, 20)
    source = chunks(log, rows, shuffled=True, rng=np.random.default_rng(0))
    while True:
        with clock.part("data"):
            chunk = next(source, None)
        if chunk is None:
            break
        for batch, logits in stepper.steps(chunk):
            with clock.part("ne"):
                prequential.add(logits, batch.labels, None)
                if prequential.due:
                    prequential.point()
    with clock.part("score"):
        scores_of(score(model, log, window), log, window)
    return dict(clock.seconds)


class TimedStepper(Stepper):
    """Stepper.step in its parts."""

    def __init__(self, model: RankingModel, spec: ModelSpec, clock: Clockwork) -> None:
        super().__init__(model, spec, LabelLoss())
        self._clock = clock

    def step(self, batch: Batch, factor: float) -> Tensor:
        clock, spec = self._clock, self._spec
        with clock.part("first floor"):
            asked = self._model.asked(batch.taken)
            gathered = self._model.table.gather(asked.rows_P).requires_grad_()
            fields = self._model.fields(asked, gathered)
        with clock.part("dense forward"):
            x = self._model.top(fields)
        with clock.part("loss"), torch.no_grad():
            seen, grad = self._loss.backward(self._head, x, batch)
        with clock.part("dense backward"):
            torch.autograd.backward(x, grad)
        with clock.part("adam"):
            self._dense.step(spec.train.dense_lr * factor)
            self._dense.zero_grad()
        with clock.part("embedding update"):
            assert gathered.grad is not None
            self._rows.step(asked.rows_P, gathered.grad, spec.embedding.lr * factor)
        return seen


def bare_seconds(
    model: RankingModel, features: Features, dtype: torch.dtype = torch.float32, repeats: int = 60
) -> float:
    """CPU seconds of a batch's bare arithmetic; products in `dtype`, rows of the table always in fp32."""
    products = [_products(*shape, dtype) for shape in linear_shapes(model, features)]
    rows = model.table.rows(features.ids_BF).reshape(-1)
    grad = torch.randn(len(rows), model.spec.embedding.dim)

    def step() -> None:
        for product in products:
            product()
        model.table.weight_RE.index_select(0, rows)
        model.table.weight_RE.index_add_(0, rows, grad, alpha=-1e-6)

    for _ in range(5):
        step()
    start = time.process_time()
    for _ in range(repeats):
        step()
    return (time.process_time() - start) / repeats


def linear_shapes(model: RankingModel, features: Features) -> Shapes:
    """Every linear map that a batch goes through."""
    shapes: Shapes = []
    hooks = [
        layer.register_forward_hook(
            lambda layer, args, _: shapes.append((len(args[0]), layer.in_features, layer.out_features))
        )
        for layer in model.modules()
        if isinstance(layer, nn.Linear)
    ]
    model(features)
    for hook in hooks:
        hook.remove()
    return shapes


def _products(rows: int, width_in: int, width_out: int, dtype: torch.dtype) -> Callable[[], object]:
    x, w, g = (torch.randn(*shape).to(dtype) for shape in ((rows, width_in), (width_out, width_in), (rows, width_out)))
    return lambda: (x @ w.T, g @ w, g.T @ x)


if __name__ == "__main__":
    main()
