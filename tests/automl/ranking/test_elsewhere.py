"""On another device: nothing crosses over while a chunk is learnt or scored, and the host waits for no value there.

torch's meta device stands for one: it has shapes and no numbers, so that whoever asks it for a value, or for a shape
that depends on values, fails; and a mode refuses operators whose tensors are in two places, and copies back. Where
torch sees an accelerator, the numbers are held against those of the processor too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from automl.ranking import rows as of_rows
from automl.ranking.batches import Chunk, Lesson
from automl.ranking.distill import TeacherLoss
from automl.ranking.features import read
from automl.ranking.losses import LabelLoss
from automl.ranking.model import RankingModel, build_member
from automl.ranking.place import PROCESSOR, Device, Noise, PaddedRows, device_of, gpus, module_to, put
from automl.ranking.stepper import Stepper
from automl.ranking.training import make_steppers
from automl.testing.blocks import settings_of
from search_spaces.blocks import INTERACTION_BLOCKS
from search_spaces.dense_forms import DENSE_FORMS
from search_spaces.history import HISTORIES
from search_spaces.model import DENSE_OPTIMIZERS, ROW_OPTIMIZERS, Layer, ModelSpec
from tests.worlds.histories import remembered
from tests.worlds.models import planted, planted_tasks, spec

ELSEWHERE = torch.device("meta")
ROWS, BATCH = 256, 64
COPIES = {torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default}


class NothingCrosses(TorchDispatchMode):
    """Refuses operators on tensors of two devices (a number may come along) and copies to the processor; copies to the
    device are counted."""

    def __init__(self) -> None:
        super().__init__()
        self.brought = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        given = [one for one in tree_leaves((args, kwargs)) if isinstance(one, Tensor) and one.dim() > 0]
        made = [one for one in tree_leaves(out) if isinstance(one, Tensor)]
        there = {one.device.type for one in given}
        if func in COPIES and there | {one.device.type for one in made} == {"cpu", "meta"}:
            assert made[0].is_meta, f"{func} copies back to the processor"
            self.brought += 1
        else:
            assert len(there) < 2, f"{func} takes tensors of {sorted(there)}"
        return out


def models() -> Iterator[tuple[str, ModelSpec]]:
    train = {"batch_size": BATCH}
    yield "dropout", spec(deep=[{"mlp": {"width": 16, "dropout": 0.2, "norm": "batch"}}], train=train)
    for norm in ("layer", "batch"):
        half = train | {"precision": "bf16"}
        yield f"half, {norm}", spec(deep=[{"mlp": {"width": 16, "norm": norm}}], train=half)
    for name in ROW_OPTIMIZERS:
        dense = DENSE_OPTIMIZERS[min(ROW_OPTIMIZERS.index(name), len(DENSE_OPTIMIZERS) - 1)]
        yield (
            f"{name}, {dense}",
            spec(embedding={"optimizer": name}, train=train | {"optimizer": dense, "accumulate": 2}),
        )
    for name in ROW_OPTIMIZERS:
        yield f"rows by {name}", spec(train=train, embedding={"dim": 4, "optimizer": name, "weight_decay": 0.1})
    for name in DENSE_OPTIMIZERS:
        yield f"weights by {name}", spec(train=train | {"optimizer": name, "weight_decay": 0.1})
    yield "several batches a step", spec(train=train | {"accumulate": 2})
    yield "merged fields", spec(train=train, embedding={"dim": 4, "merge": 100})
    yield "split ids", spec(train=train, embedding={"dim": 4, "split": 5})
    for form in DENSE_FORMS:
        yield f"numbers {form}", spec(train=train, dense={form: {}})
    for name, block in INTERACTION_BLOCKS.items():
        for number, one in enumerate(settings_of(block)):
            yield f"{name} {number}", replace(spec(train=train), interaction=(Layer((one,)),))


CASES = dict(models())
TASKS: list[dict[str, Any]] = [
    {},
    {"sharing": "mmoe", "weight": 0.5},
    {"sharing": "ple", "losses": "uncertainty"},
    {"esmm": True},
    {"tower_layers": 2, "gate_hidden": 4},
]
LIMIT, LIMIT_BF16 = 1e-3, 0.05  # of a logit after four steps


def elsewhere(candidate: ModelSpec, log: Any, tasks: int = 1) -> RankingModel:
    return build_member(candidate, log.inputs, seed=0, tasks=tasks).to(ELSEWHERE).train()


def learn(model: RankingModel, stepper: Stepper, chunk: Chunk) -> int:
    """A chunk with the mean of the weights; how many tensors were brought to the device."""
    stepper.average()
    with NothingCrosses() as mode:
        logits = [seen for _, seen in stepper.steps(chunk)]
        brought = mode.brought
    assert len(logits) == ROWS // BATCH
    assert all(seen.is_meta for seen in logits)
    with NothingCrosses(), torch.inference_mode():
        assert model.eval()(chunk.features[:32]).is_meta
    return brought


def chunk_of(log: Any, labels: Tensor | None = None, **parts: Any) -> Chunk:
    rows = slice(0, ROWS)
    return Chunk(read(log, rows), put(log.labels_N[rows]) if labels is None else labels, **parts)


@pytest.mark.parametrize("name", list(CASES))
def test_a_chunk_is_brought_once_and_nothing_goes_back(name: str) -> None:
    log = planted(rows=ROWS)
    candidate = CASES[name]
    model = elsewhere(candidate, log)
    chunk = chunk_of(log, weights_C=torch.full((ROWS,), 0.5))
    assert learn(model, Stepper(model, candidate, LabelLoss()), chunk) == 4  # ids, numbers, labels, weights


def test_features_are_left_out_there() -> None:
    log = planted(rows=ROWS)
    log = replace(log, inputs=replace(log.inputs, names=("user", "item", "tab", "age", "price")))
    candidate = spec(train={"batch_size": BATCH}, features={"item": False, "price": False})
    model = elsewhere(candidate, log)
    assert learn(model, Stepper(model, candidate, LabelLoss()), chunk_of(log)) == 3


@pytest.mark.parametrize("way", [way for way in HISTORIES if way != "none"])
def test_lists_are_brought_with_their_rows(way: str) -> None:
    log = remembered(rows=ROWS)
    candidate = spec(history={way: {}}, train={"batch_size": BATCH}, embedding={"dim": 4, "split": 5})
    model = elsewhere(candidate, log)
    learn(model, Stepper(model, candidate, LabelLoss()), chunk_of(log))


@pytest.mark.parametrize("tasks", TASKS)
def test_several_labels_are_learnt_there(tasks: dict[str, Any]) -> None:
    log = planted_tasks(rows=ROWS)
    candidate = spec(train={"batch_size": BATCH}, tasks=tasks)
    model = elsewhere(candidate, log, tasks=2)
    (stepper,) = make_steppers(model, candidate, log, weights_seed=0)
    assert log.labels_NT is not None
    learn(model, stepper, chunk_of(log, put(log.labels_NT[:ROWS])))


@pytest.mark.parametrize("heads", ["auxiliary", "adapter", "plain", "both"])
def test_a_lesson_is_brought_too(heads: str) -> None:
    log = planted(rows=ROWS)
    candidate = spec(train={"batch_size": BATCH}, distill={"heads": heads})
    model = elsewhere(candidate, log)
    assert candidate.distill is not None
    loss = TeacherLoss(candidate.distill, model.head, tasks=1, own=0, seed=0)
    lesson = Lesson(torch.zeros(ROWS, 1), torch.zeros(ROWS))
    learn(model, Stepper(model, candidate, loss), chunk_of(log, lesson=lesson))


@pytest.mark.parametrize("averaged", [False, True])
def test_the_rows_of_a_table_move_as_they_do_on_the_processor(averaged: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two ways to find equal rows, one to sum them."""
    log = planted(rows=ROWS)
    candidate, found = spec(train={"batch_size": BATCH}), []
    for _ in range(2):
        model = build_member(candidate, log.inputs, seed=0).train()
        stepper = Stepper(model, candidate, LabelLoss())
        if averaged:
            stepper.average()
        list(stepper.steps(chunk_of(log)))
        stepper.settle()
        found.append(model.table.weight_RE)
        monkeypatch.setattr(of_rows, "distinct_rows", lambda _: PaddedRows())
    torch.testing.assert_close(found[0], found[1])


class Taught:
    """What is learnt on a device, by name: the logits of the first rows afterwards."""

    def __init__(self, there: Device) -> None:
        self.there = there

    def of(self, candidate: ModelSpec, log: Any, chunk: Chunk, heads: str = "", tasks: int = 1) -> Tensor:
        model = module_to(build_member(candidate, log.inputs, seed=0, tasks=tasks), self.there).train()
        if heads:
            assert candidate.distill is not None
            stepper = Stepper(model, candidate, TeacherLoss(candidate.distill, model.head, tasks=1, own=0, seed=0))
        else:
            (stepper,) = make_steppers(model, candidate, log, weights_seed=0)
        stepper.average()
        list(stepper.steps(chunk))
        stepper.settle()
        with torch.inference_mode():
            return model.eval()(chunk.features[:32]).cpu()

    def all(self) -> Iterator[tuple[str, Tensor]]:
        log = planted(rows=ROWS)
        for name, candidate in CASES.items():
            yield name, self.of(candidate, log, chunk_of(log, weights_C=torch.full((ROWS,), 0.5)))
        for heads in ("auxiliary", "adapter", "plain", "both"):
            lesson = Lesson(torch.zeros(ROWS, 1), torch.zeros(ROWS))
            candidate = spec(train={"batch_size": BATCH}, distill={"heads": heads})
            yield heads, self.of(candidate, log, chunk_of(log, lesson=lesson), heads)
        listed = remembered(rows=ROWS)
        for way in HISTORIES:
            candidate = spec(history={way: {}}, train={"batch_size": BATCH}, embedding={"dim": 4, "split": 5})
            yield way, self.of(candidate, listed, chunk_of(listed))
        several = planted_tasks(rows=ROWS)
        assert several.labels_NT is not None
        for tasks in TASKS:
            candidate = spec(train={"batch_size": BATCH}, tasks=tasks)
            yield str(tasks), self.of(candidate, several, chunk_of(several, put(several.labels_NT[:ROWS])), tasks=2)


@pytest.mark.skipif(gpus() == 0, reason="torch sees no accelerator on this machine")
def test_an_accelerator_learns_what_the_processor_learns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every model, optimizer and loss; with the same noise, which each kind of device draws by itself otherwise."""
    drawn = Noise.int16
    monkeypatch.setattr(
        Noise, "int16", lambda self, like: drawn(self, torch.empty_like(like, device="cpu")).to(like.device)
    )
    there = dict(Taught(device_of("gpu")).all())
    far = {}
    for name, logits in Taught(PROCESSOR).all():
        worst = float((there[name] - logits).abs().max())
        if not worst <= (LIMIT_BF16 if "half" in name else LIMIT):
            far[name] = worst
    assert not far


def test_the_mode_sees_what_it_forbids() -> None:
    here, there = torch.ones(3), torch.ones(3).to(ELSEWHERE)
    with NothingCrosses():
        with pytest.raises((AssertionError, RuntimeError)):
            there + here
        with pytest.raises((AssertionError, NotImplementedError)):
            there.cpu()
        with pytest.raises(RuntimeError):
            there.sum().item()
        with pytest.raises((NotImplementedError, RuntimeError)):
            there.nonzero()
