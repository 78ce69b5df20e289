"""A ranking model written down: what a candidate or a baseline file stands for. No torch here.

The graph, with n fields of dimension E from the sources of inputs.py:

    X0 = [embeddings; dense; vectors; history]                      (n, E)
    a layer of one block:   fields replace X, a flat output is set beside X
    a layer of several:     X = LN(fuse(blocks(X)) + X), flat outputs first mapped to (n, E)
    stacked:   logit = w . deep(flat(X) ++ beside)
    parallel:  logit = w . (deep(flat(X0)) ++ flat(X) ++ beside)
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict, TypeVar, cast

from search_spaces.blocks import INTERACTION_BLOCKS, Mlp
from search_spaces.blocks.base import (
    BlockSpec,
    Cost,
    Dense,
    Fields,
    elementwise_cost,
    linear_cost,
)
from search_spaces.dense_forms import DENSE_FORMS, DenseForm, LinearForm, sources
from search_spaces.distill import Distill as Distill
from search_spaces.history import HISTORIES, HistorySpec, NoHistory
from search_spaces.inputs import IdFields, Source
from search_spaces.inputs import InputShape as InputShape
from search_spaces.knobs import Checked, Value, knob, knobs_of
from search_spaces.tasks import Tasks as Tasks

T = TypeVar("T")
_Knobs = Mapping[str, Value] | None  # None stands for no knob, as in `linear:`

WIRINGS = ("stacked", "parallel")
FUSES = ("sum", "concat")
SCHEDULES = ("constant", "linear", "cosine")
ORDERS = ("shuffled", "time")
PRECISIONS = ("fp32", "bf16")
ROW_OPTIMIZERS = ("rowwise_adagrad", "adagrad", "adam", "sgd")
DENSE_OPTIMIZERS = ("adam", "adagrad", "sgd")
MOST_MEMBERS = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Embedding(Checked):
    """The fused embedding table and its optimizer."""

    dim: int = knob(16, ge=1, le=1024, doc="dimension E of every field")
    lr: float = knob(0.02, above=0.0, le=10.0, doc="learning rate of the rows")
    init_std: float = knob(0.01, above=0.0, le=1.0, doc="standard deviation of the initial weights")
    weight_decay: float = knob(0.0, ge=0.0, le=1.0, doc="L2 on the rows that a batch touches")
    min_count: int = knob(2, ge=1, doc="ids seen less often in training share row 0")
    optimizer: str = knob(
        "rowwise_adagrad", choices=ROW_OPTIMIZERS, doc="what the rows that a batch touches learn by", late=True
    )
    merge: int = knob(
        0, ge=0, doc="features of at most so many ids are one field, the sum of their embeddings; 0: none", late=True
    )
    split: int = knob(
        0, ge=0, doc="ids of more than so many are looked up by quotient and by remainder; 0: none are", late=True
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Train(Checked):
    """How the model is trained: one pass over the training window unless `epochs` says more."""

    batch_size: int = knob(1024, ge=1, le=1 << 20, doc="examples a step")
    dense_lr: float = knob(1e-3, above=0.0, le=1.0, doc="learning rate of the dense weights")
    weight_decay: float = knob(0.0, ge=0.0, le=1.0, doc="decoupled weight decay of the dense weights")
    schedule: str = knob("constant", choices=SCHEDULES, doc="both learning rates over the run, to 0 at its end")
    warmup: float = knob(0.0, ge=0.0, le=0.5, doc="share of the steps with a rising learning rate")
    order: str = knob("shuffled", choices=ORDERS, doc="order of the training examples")
    epochs: int = knob(1, ge=1, le=100, doc="passes over the training window")
    average: float = knob(
        0.1, ge=0.0, le=1.0, doc="share at the end of the last pass whose mean weights are kept; 0: the last weights"
    )
    recalibrate: bool = knob(True, doc="refit the head's bias on the latest training rows, once trained")
    precision: str = knob(
        "fp32", choices=PRECISIONS, doc="numbers that the top is trained in; what serves is fp32", late=True
    )
    optimizer: str = knob("adam", choices=DENSE_OPTIMIZERS, doc="what the dense weights learn by", late=True)
    accumulate: int = knob(1, ge=1, le=1024, doc="batches whose gradients make one step", late=True)


@dataclass(frozen=True, slots=True)
class Layer:
    """One interaction layer: one block, or several side by side with a fuse."""

    blocks: tuple[BlockSpec, ...]
    fuse: str | None = None

    def __post_init__(self) -> None:
        if not self.blocks:
            raise ValueError("a layer must hold at least one block")
        if self.fuse is None and len(self.blocks) != 1:
            raise ValueError("a layer of several blocks must have a fuse")
        if self.fuse is not None and self.fuse not in FUSES:
            raise ValueError(f"fuse must be one of {', '.join(FUSES)}, but found {self.fuse!r}")
        names = [block.name for block in self.blocks]
        if len(set(names)) != len(names):
            raise ValueError(f"a layer must hold a block once, but found {', '.join(names)}")
        object.__setattr__(self, "blocks", tuple(sorted(self.blocks, key=lambda b: b.name)))


class _ModelTree(TypedDict, total=False):
    """The form of a baseline file."""

    features: Mapping[str, bool] | None
    embedding: _Knobs
    dense: Mapping[str, _Knobs]
    history: Mapping[str, _Knobs]
    interaction: Sequence[Mapping[str, _Knobs | str]] | None
    wiring: str
    deep: Sequence[Mapping[str, _Knobs]] | None
    members: int
    train: _Knobs
    distill: _Knobs
    tasks: _Knobs


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelSpec:
    """A whole model with every knob answered. Equal specs build equal models.

    Several `members` are as many such graphs, each trained on an order of its own; their mean logit serves.
    `without` are the names of features of the data that it does not read, sorted.
    `dense` is the form of the plain numbers, None that all are one linear field; `linear` becomes None.
    `history` says how each sequence feature is read, None that none is; `none` becomes None. `tasks` says how several
    labels are predicted; all its defaults become None: one layer of heads on all that is shared. `distill` says how it
    learns from a teacher, None that it learns from labels alone; heads `none` becomes None. That changes the training,
    never the served graph nor its cost.
    """

    embedding: Embedding = field(default_factory=Embedding)
    interaction: tuple[Layer, ...] = ()
    wiring: str = "stacked"
    deep: tuple[Mlp, ...] = ()
    members: int = 1
    train: Train = field(default_factory=Train)
    distill: Distill | None = None
    history: HistorySpec | None = None
    tasks: Tasks | None = None
    dense: DenseForm | None = None
    without: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "without", tuple(sorted(set(self.without))))
        if isinstance(self.dense, LinearForm):
            object.__setattr__(self, "dense", None)
        if isinstance(self.history, NoHistory):
            object.__setattr__(self, "history", None)
        if not 1 <= self.members <= MOST_MEMBERS:
            raise ValueError(f"members must be between 1 and {MOST_MEMBERS}, but found {self.members}")
        if self.wiring not in WIRINGS:
            raise ValueError(f"wiring must be one of {', '.join(WIRINGS)}, but found {self.wiring!r}")
        if self.distill is not None and self.distill.heads == "none":
            object.__setattr__(self, "distill", None)
        if self.tasks == Tasks():
            object.__setattr__(self, "tasks", None)

    @property
    def key(self) -> str:
        """16 hex digits, the same for every way to write this model."""
        text = json.dumps(self.to_tree(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def to_tree(self) -> dict[str, Any]:
        """The form of a baseline file, all defaults filled in; plain data. `dense`, `distill`, `features`,
        `history` and `tasks` only where they are set, `members` where there are several, knobs that came late where
        they are set."""
        several = {} if self.members == 1 else {"members": self.members}
        taught = {} if self.distill is None else {"distill": _knob_values(self.distill)}
        unread = {"features": dict.fromkeys(self.without, False)} if self.without else {}
        formed = {} if self.dense is None else {"dense": {self.dense.name: _knob_values(self.dense)}}
        read = {} if self.history is None else {"history": {self.history.name: _knob_values(self.history)}}
        parted = {} if self.tasks is None else {"tasks": _knob_values(self.tasks)}
        return {
            **unread,
            "embedding": _knob_values(self.embedding),
            **formed,
            **read,
            "interaction": [_layer_tree(layer) for layer in self.interaction],
            "wiring": self.wiring,
            "deep": [{"mlp": _knob_values(mlp)} for mlp in self.deep],
            **several,
            **parted,
            "train": _knob_values(self.train),
            **taught,
        }

    @classmethod
    def from_tree(cls, tree: Mapping[str, object]) -> ModelSpec:
        """From the form of a baseline file; what is left out takes its default.

        Raises:
            ValueError: naming the part and what must hold. (Files are checked with positions before this.)
        """
        unknown = set(tree) - set(_ModelTree.__annotations__)
        if unknown:
            raise ValueError(f"unknown keys {', '.join(sorted(unknown))}")
        told = cast(_ModelTree, tree)
        return cls(
            embedding=_made(Embedding, told.get("embedding")),
            interaction=tuple(_layer_of(layer) for layer in told.get("interaction") or ()),
            wiring=told.get("wiring", "stacked"),
            deep=tuple(_made(Mlp, _only_item(layer, "mlp")) for layer in told.get("deep") or ()),
            members=told.get("members", 1),
            train=_made(Train, told.get("train")),
            distill=_made(Distill, told["distill"]) if "distill" in told else None,
            history=_one_of(HISTORIES, "history", told["history"]) if "history" in told else None,
            tasks=_made(Tasks, told["tasks"]) if "tasks" in told else None,
            dense=_one_of(DENSE_FORMS, "dense", told["dense"]) if "dense" in told else None,
            without=tuple(name for name, is_read in (told.get("features") or {}).items() if not is_read),
        )

    def read_of(self, inputs: InputShape) -> InputShape:
        """What it reads of the data: all features but those that it is without.

        Raises:
            ValueError: where the data have no feature of such a name.
        """
        return inputs.at(inputs.places(self.without)) if self.without else inputs

    def sources(self, inputs: InputShape) -> tuple[Source, ...]:
        """The first floor but for histories, in the order of its fields in X."""
        return self._sources(self.read_of(inputs))

    def _sources(self, read: InputShape) -> tuple[Source, ...]:
        return sources(self.dense or LinearForm(), self.ids_of(read), read)

    def ids_of(self, read: InputShape) -> IdFields:
        """How the ids that it reads become fields."""
        return IdFields(read.id_counts, self.embedding.merge, self.embedding.split)

    def fields_shape(self, inputs: InputShape) -> Fields:
        """Shape of X: the fields of all sources, then those of each history that is read."""
        inputs = self.read_of(inputs)
        read = 0 if self.history is None else self.history.fields * len(inputs.histories)
        return Fields(sum(source.fields for source in self._sources(inputs)) + read, self.embedding.dim)

    def cost(self, inputs: InputShape) -> Cost:
        """Weights (embeddings included), FLOPs and activation bytes of one row, forward pass."""
        shape, inputs = self.fields_shape(inputs), self.read_of(inputs)
        total = elementwise_cost(shape.width)
        for source in self._sources(inputs):
            total += source.cost(shape.dim, self.embedding.min_count)
        if self.history is not None:
            total += histories_cost(self.history, inputs, shape.dim)
        beside = 0
        for layer in self.interaction:
            total += layer_cost(layer, shape)
            out = layer.blocks[0].out_shape(shape) if layer.fuse is None else shape
            beside += out.width if isinstance(out, Dense) else 0
        crossed = shape.width + beside
        deep_in = crossed if self.wiring == "stacked" else shape.width
        for mlp in self.deep:
            total += mlp.cost(Dense(deep_in))
            deep_in = mlp.width
        head_in = deep_in if self.wiring == "stacked" else deep_in + crossed
        tasks = self.tasks or Tasks()
        return (total + tasks.cost(head_in, inputs.tasks) + tasks.gates_cost(shape.width, inputs.tasks)) * self.members


def histories_cost(history: HistorySpec, inputs: InputShape, dim: int) -> Cost:
    """Of all sequence features, each read with weights of its own."""
    total = Cost()
    for shape in inputs.histories:
        total += history.cost(shape, dim, inputs.fields)
    return total


def layer_cost(layer: Layer, fields: Fields) -> Cost:
    """Cost of a layer: its blocks, and for a fused one the maps to (n, E), the fuse, shortcut and norm."""
    total = Cost()
    for block in layer.blocks:
        total += block.cost(fields)
        out = block.out_shape(fields)
        if layer.fuse is not None and isinstance(out, Dense):
            total += linear_cost(out.width, fields.width)
    if layer.fuse == "concat":
        total += linear_cost(len(layer.blocks) * fields.count, fields.count, bias=False, rows=fields.dim)
    if layer.fuse is not None:
        total += elementwise_cost(2 * fields.width, params=2 * fields.dim)
    return total


def _knob_values(spec: object) -> dict[str, Value]:
    told = {name: (getattr(spec, name), knob) for name, knob in knobs_of(type(spec)).items()}
    return {name: value for name, (value, knob) in told.items() if not knob.late or value != knob.default}


def _layer_tree(layer: Layer) -> dict[str, object]:
    tree: dict[str, object] = {block.name: _knob_values(block) for block in layer.blocks}
    return tree if layer.fuse is None else {**tree, "fuse": layer.fuse}


def _layer_of(tree: Mapping[str, _Knobs | str]) -> Layer:
    blocks = []
    for name, knobs in tree.items():
        if name == "fuse":
            continue
        if name not in INTERACTION_BLOCKS:
            raise ValueError(f"unknown block {name!r}")
        blocks.append(_made(INTERACTION_BLOCKS[name], cast(_Knobs, knobs)))
    return Layer(tuple(blocks), cast(str | None, tree.get("fuse")))


def _one_of(table: Mapping[str, type[T]], section: str, tree: Mapping[str, _Knobs]) -> T:
    if len(tree) != 1 or next(iter(tree)) not in table:
        raise ValueError(f"{section} must be one of {', '.join(table)}, but found {', '.join(tree) or 'none'}")
    ((name, knobs),) = tree.items()
    return _made(table[name], knobs)


def _only_item(tree: Mapping[str, _Knobs], name: str) -> _Knobs:
    if set(tree) != {name}:
        raise ValueError(f"must be a mapping with the one key {name}, but found {', '.join(tree)}")
    return tree[name]


def _made(spec: type[T], knobs: _Knobs) -> T:
    knobs = knobs or {}
    unknown = set(knobs) - set(knobs_of(spec))
    if unknown:
        raise ValueError(f"{spec.__name__.lower()} has no {', '.join(sorted(unknown))}")
    return spec(**knobs)
