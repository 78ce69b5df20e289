"""The algebra of learning from a teacher, against the losses as they are written down.

B batch, T tasks of the teacher, H heads beside the serving one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from automl.ranking.adapter import Adapter, basis_of
from automl.ranking.batches import Chunk, Lesson
from automl.ranking.distill import TeacherLoss
from automl.ranking.export import graph_signature
from automl.ranking.features import Features, read
from automl.ranking.graph_inputs import graph_tensors
from automl.ranking.losses import LabelLoss, Loss
from automl.ranking.model import RankingModel, build_model
from automl.ranking.stepper import Stepper
from search_spaces.distill import HEADS
from search_spaces.model import Distill, ModelSpec
from tests.worlds.models import fields_of, planted, spec

LOG = planted(rows=640, ids=12)
B, TASKS, OWN = 64, 3, 1
DEEP = [{"mlp": {"width": 16, "dropout": 0.2}}, {"mlp": {"width": 8}}]
PLAIN = spec(deep=DEEP)
TAUGHT = HEADS[1:]
BESIDE = ("auxiliary", "adapter", "both")


@dataclass(frozen=True)
class Seen:
    """A batch of the planted log, with what a teacher says, and the seed of its dropout."""

    chunk: Chunk
    noise: int

    def told(self, lesson: Lesson | None) -> Seen:
        return replace(self, chunk=replace(self.chunk, lesson=lesson))

    @property
    def lesson(self) -> Lesson:
        assert self.chunk.lesson is not None
        return self.chunk.lesson


def batch(number: int = 0, *, weighted: bool = False, silent: float = 0.0) -> Seen:
    """A batch of the planted log; `silent` is the share of rows without a prediction."""
    generator = torch.Generator().manual_seed(number)
    part = slice(number * B, (number + 1) * B)
    logits = torch.randn(B, TASKS, generator=generator) * 1.5
    logits[torch.rand(B, TASKS, generator=generator) < silent] = torch.nan
    ages = torch.rand(B, generator=generator) * 48
    weights = torch.rand(B, generator=generator) * 2 if weighted else None
    chunk = Chunk(read(LOG, part), torch.from_numpy(LOG.labels_N[part]), weights, Lesson(logits, ages))
    return Seen(chunk, part.start)


@dataclass(frozen=True)
class Student:
    """A model in training."""

    model: RankingModel
    loss: Loss
    stepper: Stepper

    @property
    def teacher(self) -> TeacherLoss:
        assert isinstance(self.loss, TeacherLoss)
        return self.loss

    def step(self, seen: Seen, factor: float = 1.0) -> None:
        self.model.noise.reseed(seen.noise)
        ((_, logits),) = self.stepper.steps(seen.chunk, lambda _: factor)
        assert logits.shape == (B,)


def student(candidate: ModelSpec = PLAIN, seed: int = 0, **knobs: Any) -> Student:
    candidate = replace(candidate, distill=Distill(**knobs)) if knobs else candidate
    model = build_model(candidate, LOG.inputs, seed=seed).train()
    loss: Loss = LabelLoss()
    if candidate.distill is not None:
        loss = TeacherLoss(candidate.distill, model.head, tasks=TASKS, own=OWN, seed=5)
    return Student(model, loss, Stepper(model, candidate, loss))


def gradients(learner: Student, seen: Seen) -> tuple[list[Tensor], Tensor]:
    """Of all dense weights, the heads' last, and of the gathered embeddings; nothing but the adapter is moved."""
    caught: list[Tensor] = []
    optimizer = learner.stepper._rows
    original = optimizer.step
    optimizer.step = lambda rows, grad, lr, tail: caught.append(grad.clone())  # type: ignore[method-assign]
    learner.step(seen, factor=0.0)
    optimizer.step = original  # type: ignore[method-assign]
    parts = (*learner.model.parameters(), *learner.loss.parameters())
    return [part.grad.clone() for part in parts], caught[0]


class Scale(torch.autograd.Function):
    """The identity; on the way back beta."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, beta: float) -> Tensor:
        ctx.beta = beta
        return x.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        return ctx.beta * grad, None


def written_out(seen: Seen, knobs: Distill) -> tuple[list[Tensor], Tensor]:
    """The same gradients by autograd, from the losses as the papers have them, in float64."""
    fresh, chunk = student(**{name: getattr(knobs, name) for name in Distill.__dataclass_fields__}), seen.chunk
    heads = None if not fresh.loss.parameters() else fresh.teacher.heads
    heads = None if heads is None else heads.double()
    model = fresh.model.double()
    model.noise.reseed(seen.noise)
    rows, dense = model.read(chunk.features)
    asked = model.asked([rows, dense.double()])
    embedded = model.table.gather(asked.rows_P).requires_grad_()
    x = model.top(model.fields(asked, embedded))
    z = model.head(x).squeeze(1)
    sample = torch.ones(B).double() if chunk.weights_C is None else chunk.weights_C.double()
    bce = nn.BCEWithLogitsLoss(reduction="none")
    total_B = bce(z, chunk.labels.double())
    told = seen.lesson.logits_CT.double()
    own = torch.nan_to_num(told[:, OWN])
    fade = 0.5 ** (seen.lesson.age_hours_C.double() / knobs.half_life_hours) if knobs.half_life_hours else 1.0
    losses: list[tuple[Tensor, Tensor]] = []  # loss by row, its weight by row
    scaled = Scale.apply(x, knobs.beta)
    outs = [] if heads is None else list(heads(scaled).unbind(1))
    if knobs.heads in ("plain", "auxiliary", "both"):
        for task in range(TASKS) if knobs.tasks == "all" else [OWN]:
            target = (knobs.alpha * torch.nan_to_num(told[:, task]).sigmoid()).clamp(max=1)
            out = z if knobs.heads == "plain" else outs.pop(0)
            losses.append((bce(out, target), knobs.weight * fade * torch.isfinite(told[:, task])))
    if knobs.heads in ("calibrated", "adapter", "both"):
        adapter = Adapter(knobs.adapter_width, knobs.adapter_lr, 5)
        known = torch.isfinite(told[:, OWN])
        a = adapter.step(basis_of(own.float()), chunk.labels, (known * sample).float()).double()
        losses.append((bce(z if heads is None else outs.pop(0), a.sigmoid()), knobs.weight * fade * known))
    assert not outs
    weight_B = sum((weight for _, weight in losses), torch.zeros(B).double())
    for loss, weight in losses:
        total_B = total_B + weight * loss
    if knobs.averaged:
        total_B = total_B / (1 + knobs.beta * weight_B)
    torch.autograd.backward((sample * total_B).sum() / B)
    assert embedded.grad is not None
    extra = [] if heads is None else list(heads.parameters())
    return [part.grad for part in (*model.parameters(), *extra)], embedded.grad


RECIPES = st.builds(
    Distill,
    heads=st.sampled_from(HEADS),
    weight=st.sampled_from([0.0, 0.5, 1.0, 3.0]),
    alpha=st.sampled_from([0.5, 1.0, 1.7, 4.0]),
    beta=st.sampled_from([0.0, 0.3, 1.0]),
    averaged=st.booleans(),
    adapter_width=st.sampled_from([0, 4]),
    half_life_hours=st.sampled_from([0.0, 12.0]),
    tasks=st.sampled_from(["own", "all"]),
)


@settings(max_examples=40, deadline=None)
@given(RECIPES, st.booleans(), st.sampled_from([0.0, 0.4, 1.0]), st.integers(0, 9))
def test_gradients_are_those_of_the_losses_as_written(
    knobs: Distill, weighted: bool, silent: float, number: int
) -> None:
    seen = batch(number, weighted=weighted, silent=silent)
    learner = student(**{name: getattr(knobs, name) for name in Distill.__dataclass_fields__})
    found, below = gradients(learner, seen)
    wanted, wanted_below = written_out(seen, knobs)
    for mine, oracle in zip(found, wanted, strict=True):
        torch.testing.assert_close(mine.double(), oracle, rtol=1e-4, atol=2e-7)
    torch.testing.assert_close(below.double(), wanted_below, rtol=1e-4, atol=2e-7)


def states(learner: Student) -> list[Tensor]:
    """Weights, table and optimizers of what is served; the heads' are behind, and are left out."""
    size = sum(part.numel() for part in learner.model.parameters())
    state = learner.stepper.state()
    flat = [state[name][:size] for name in ("weights", "means", "squares")]
    return [*flat, state["steps"], state["sums"], *learner.model.state_dict().values()]


@pytest.mark.parametrize("wiring", ["stacked", "parallel"])
@pytest.mark.parametrize("averaged", [False, True])
@pytest.mark.parametrize("heads", HEADS)
def test_weight_0_is_no_teacher_bit_for_bit(heads: str, averaged: bool, wiring: str) -> None:
    candidate = spec(deep=DEEP, wiring=wiring, train={"batch_size": B, "dense_lr": 0.01, "weight_decay": 1e-3})
    taught, alone = student(candidate, heads=heads, weight=0.0, averaged=averaged), student(candidate)
    for number in range(10):
        seen = batch(number, weighted=number % 2 == 0, silent=0.3)
        taught.step(seen)
        alone.step(seen)
    for mine, theirs in zip(states(taught), states(alone), strict=True):
        assert torch.equal(mine, theirs)


@pytest.mark.parametrize("averaged", [False, True])
@pytest.mark.parametrize("heads", TAUGHT)
def test_a_silent_teacher_is_no_teacher_bit_for_bit(heads: str, averaged: bool) -> None:
    """NaN, or not told at all: the label teaches as it would alone."""
    silent, muted = (student(heads=heads, weight=3.0, averaged=averaged) for _ in range(2))
    alone = student()
    for number in range(10):
        silent.step(batch(number, silent=1.0))
        muted.step(batch(number).told(None))
        alone.step(batch(number))
    for one, two, three in zip(states(silent), states(muted), states(alone), strict=True):
        assert torch.equal(one, three)
        assert torch.equal(two, three)


@pytest.mark.parametrize("heads", BESIDE)
def test_the_serving_head_has_nothing_of_the_teacher(heads: str) -> None:
    """Its gradient is that without one, bit for bit, whatever the teacher says and however loudly."""
    taught = gradients(student(heads=heads, weight=20.0, tasks="all"), batch(0))[0]
    alone = gradients(student(), batch(0))[0]
    names = [name for name, _ in student().model.named_parameters()]
    for name, mine, theirs in zip(names, taught, alone, strict=False):
        assert torch.equal(mine, theirs) == name.startswith("head."), name


@pytest.mark.parametrize("heads", BESIDE)
def test_beta_scales_what_reaches_the_backbone_alone(heads: str) -> None:
    with_beta = {beta: gradients(student(heads=heads, beta=beta), batch(0)) for beta in (0.0, 0.25, 1.0)}
    alone, alone_below = gradients(student(), batch(0))
    dense = len(alone)
    for part in range(dense):
        halves = [found[part] - alone[part] for found, _ in with_beta.values()]
        assert not halves[0].any()
        torch.testing.assert_close(halves[1], 0.25 * halves[2], rtol=1e-3, atol=1e-7)
    below = [found - alone_below for _, found in with_beta.values()]
    assert not below[0].any()
    torch.testing.assert_close(below[1], 0.25 * below[2], rtol=1e-3, atol=1e-7)
    for found, _ in with_beta.values():  # the heads learn at full strength
        for mine, full in zip(found[dense:], with_beta[1.0][0][dense:], strict=True):
            assert torch.equal(mine, full)


@pytest.mark.parametrize("heads", ["adapter", "both", "calibrated"])
def test_the_adapter_learns_from_labels_alone(heads: str) -> None:
    """Students that are worlds apart have one adapter."""
    adapters = []
    for seed, weight in ((0, 0.1), (7, 20.0)):
        learner = student(seed=seed, heads=heads, weight=weight)
        for number in range(5):
            learner.step(batch(number, silent=0.2))
        assert learner.teacher.adapter is not None
        adapters.append(learner.teacher.adapter.weights)
    assert np.array_equal(*adapters)
    assert not np.array_equal(adapters[0], Adapter(8, 0.01, 5).weights)


@pytest.mark.parametrize("heads", TAUGHT)
def test_nothing_that_a_teacher_says_makes_a_nan(heads: str) -> None:
    learner = student(heads=heads, weight=3.0, averaged=True, half_life_hours=5.0, tasks="all", alpha=3.0)
    wild = torch.tensor([torch.nan, torch.inf, -torch.inf, 1e30, -1e30, 88.0, -300.0, 0.0]).repeat(B // 8)
    for number in range(10):
        seen = batch(number)
        logits = torch.stack([wild.roll(shift) for shift in range(TASKS)], 1)
        ages = torch.where(torch.isfinite(wild), seen.lesson.age_hours_C, torch.nan)
        learner.step(seen.told(Lesson(logits, ages)))
    assert all(torch.isfinite(value.float()).all() for value in learner.model.state_dict().values())
    adapter = learner.teacher.adapter
    assert adapter is None or np.isfinite(adapter.weights).all()


def test_half_life_halves_the_weight() -> None:
    old = batch(0)
    aged = old.told(Lesson(old.lesson.logits_CT, torch.full((B,), 24.0)))
    for heads in TAUGHT:
        halved = gradients(student(heads=heads, weight=2.0, half_life_hours=24.0), aged)
        wanted = gradients(student(heads=heads, weight=1.0), aged)
        for mine, theirs in zip([*halved[0], halved[1]], [*wanted[0], wanted[1]], strict=True):
            assert torch.equal(mine, theirs)


def test_targets_are_capped_at_1() -> None:
    seen = batch(0)
    targets = student(heads="auxiliary", alpha=4.0).loss.targets(seen.chunk, [0, B])
    assert targets is not None
    p = seen.lesson.logits_CT[:, OWN].sigmoid()
    torch.testing.assert_close(targets.targets_BH[:, 0], (4 * p).clamp(max=1))
    assert (targets.targets_BH == 1).any()


def together(parts: list[Chunk]) -> Chunk:
    lessons = [part.lesson for part in parts if part.lesson is not None]
    return Chunk(
        Features(*map(torch.cat, zip(*(graph_tensors(part.features, ()) for part in parts), strict=True))),
        torch.cat([part.labels for part in parts]),
        torch.cat([part.weights_C for part in parts if part.weights_C is not None]),
        Lesson(torch.cat([one.logits_CT for one in lessons]), torch.cat([one.age_hours_C for one in lessons])),
    )


@pytest.mark.parametrize("heads", TAUGHT)
def test_a_long_lesson_is_that_of_its_batches(heads: str) -> None:
    parts = [batch(k, silent=0.2, weighted=True).chunk for k in range(3)]
    knobs: dict[str, Any] = {"heads": heads, "averaged": True, "half_life_hours": 9.0, "tasks": "all"}
    whole = student(**knobs).loss.targets(together(parts), [0, B, 2 * B, 3 * B])
    one_by_one = student(**knobs).loss
    assert whole is not None
    for k, part in enumerate(parts):
        own = one_by_one.targets(part, [0, B])
        assert own is not None
        for name in ("targets_BH", "weights_BH", "share_B"):
            assert torch.equal(getattr(whole[k * B : (k + 1) * B], name), getattr(own, name))


@pytest.mark.parametrize("heads", TAUGHT)
def test_a_state_goes_on_to_the_same_bits(heads: str) -> None:
    """The heads' and the adapter's too."""
    knobs: dict[str, Any] = {"heads": heads, "averaged": True}
    whole, half, again = student(**knobs), student(**knobs), student(seed=3, **knobs)
    for number in range(6):
        whole.step(batch(number, silent=0.2))
        if number < 3:
            half.step(batch(number, silent=0.2))
    again.stepper.restore(half.stepper.state())
    for number in range(3, 6):
        again.step(batch(number, silent=0.2))
    wanted, found = whole.stepper.state(), again.stepper.state()
    assert wanted.keys() == found.keys()
    assert all(torch.equal(value, found[name]) for name, value in wanted.items())


@pytest.mark.parametrize("heads", HEADS)
def test_what_is_served_is_a_model_without_a_teacher(heads: str) -> None:
    learner = student(heads=heads, tasks="all")
    for number in range(3):
        learner.step(batch(number))
    model, fresh = learner.model, build_model(PLAIN, LOG.inputs, seed=3)
    assert graph_signature(model) == graph_signature(fresh)
    assert model.spec.cost(LOG.inputs) == PLAIN.cost(LOG.inputs)
    shapes = {name: value.shape for name, value in fresh.state_dict().items()}
    assert {name: value.shape for name, value in model.state_dict().items()} == shapes


def test_a_good_teacher_helps_and_the_heads_follow_it() -> None:
    """From the truth a student learns more than from labels alone."""
    effect = np.log(9) * (2 * LOG.labels_N - 1)
    truth = torch.from_numpy(effect.astype(np.float32)).unsqueeze(1).repeat(1, TASKS)
    learner = student(spec(deep=[{"mlp": {"width": 16}}]), heads="auxiliary", weight=3.0)
    for _ in range(10):
        for number in range(10):
            seen = batch(number)
            learner.step(seen.told(Lesson(truth[seen.noise : seen.noise + B], torch.zeros(B))))
    model, heads = learner.model.eval(), learner.teacher.heads
    assert heads is not None
    with torch.inference_mode():
        told = heads(model.top(fields_of(model, model.read(batch(0).chunk.features)))).squeeze(1)
    assert np.corrcoef(told.numpy(), effect[:B])[0, 1] > 0.5
