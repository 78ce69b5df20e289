"""A search space: an ordered list of questions, one walk down the list and its batch form."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from io import StringIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from ruamel.yaml import YAML

from search_spaces.banded import Band, band_of, is_rare, moved_from, moved_into
from search_spaces.checks import check_open, check_reachable, check_satisfiable
from search_spaces.compiler import compile_tree
from search_spaces.costing import Costing
from search_spaces.counting import Size, size_of
from search_spaces.decisions import Decision, Floats
from search_spaces.errors import InputError, Mistake, Position
from search_spaces.expressions import compile_where
from search_spaces.extends import read_space
from search_spaces.guards import Bools
from search_spaces.knobs import Value
from search_spaces.model import InputShape, ModelSpec
from search_spaces.plan import Plan
from search_spaces.plugins import load_plugins
from search_spaces.sampling import draw
from search_spaces.schema import FileKind, read_tree
from search_spaces.settled import Settled
from search_spaces.source import Document, read
from search_spaces.terms import COSTS, Costs, Rows
from search_spaces.tree import SpaceTree, Words

TRIES = 5_000
Logits = Sequence[NDArray[np.float64]]


@dataclass(frozen=True)
class Candidate:
    """Answers, and the model that they stand for. Two candidates of one key are one model."""

    values: Mapping[str, Value]
    model: ModelSpec

    @cached_property
    def key(self) -> str:
        """The canonical key of the model."""
        return self.model.key

    def __hash__(self) -> int:
        return hash(self.model)


@dataclass(frozen=True)
class SearchSpace:
    """What may be searched. `inputs` is what the data gives; without it, cost is unknown and constrains nothing."""

    tree: SpaceTree
    plan: Plan = field(repr=False, compare=False)  # the tree, compiled
    inputs: InputShape | None = None

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """The questions, each after all those that its condition looks at."""
        return self.plan.decisions

    def with_inputs(self, inputs: InputShape) -> SearchSpace:
        """The space for this data. What `where` says of cost is in force from here on."""
        return dataclasses.replace(self, inputs=inputs)

    def with_where(self, expressions: Sequence[str | Words]) -> SearchSpace:
        """The space with more constraints; one that comes from a file brings its place.

        Raises:
            InputError: where one is outside the language.
        """
        more = tuple(e if isinstance(e, Words) else Words(e, Position(f"`{e}`")) for e in expressions)
        where = (*self.plan.where, *compile_where(more, self.plan.names))
        tree = dataclasses.replace(self.tree, where=(*self.tree.where, *more))
        return dataclasses.replace(self, tree=tree, plan=dataclasses.replace(self.plan, where=where))

    @cached_property
    def costing(self) -> Costing:
        """What whole matrices of candidates cost; it remembers the layers that it has seen.

        Raises:
            ValueError: where the space does not know its inputs.
        """
        if self.inputs is None:
            raise ValueError("a space must know its inputs before its candidates cost anything (with_inputs)")
        return Costing(self.plan, self.inputs)

    @cached_property
    def _settled(self) -> Settled | None:
        """What makes no difference on its data; None where it does not know them."""
        return None if self.inputs is None else Settled(self.plan, self.inputs)

    @cached_property
    def band(self) -> Band | None:
        """FLOPs that its candidates must lie between, where `where` has both ends as one constraint."""
        return None if self.inputs is None else band_of(self.plan.where)

    @cached_property
    def _steered(self) -> Band | None:
        """The band, where too few even draws lie inside to wait for one."""
        return self.band if self.band is not None and is_rare(self.plan, self.allowed) else None

    def flops(self, answers_ND: Floats) -> Floats:
        """(N,): of one row.

        Raises:
            ValueError: where the space does not know its inputs.
        """
        return self.costing.total(answers_ND).flops

    # ------------------------------------------------------------------ making candidates

    def walk(self, choose: Callable[[Decision], Value]) -> Candidate:
        """Down the list: asks what is active. Where every block of an any_of layer is answered no, its first default
        block is on all the same. Of answers that are one model on the space's data one is taken. Says nothing of
        `where`.

        Raises:
            ValueError: where an answer is outside its domain.
        """
        return self._candidate(self._walked(choose, self._settled))

    def _walked(self, choose: Callable[[Decision], Value], settled: Settled | None) -> list[float]:
        row = [math.nan] * len(self.decisions)
        for column, decision in enumerate(self.decisions):
            if decision.condition.asked(row):
                answer = decision.encode(choose(decision))
                row[column] = answer if settled is None else settled.of(column, answer, row)
            group = self.plan.groups.get(column)
            if group is not None and all(row[flag] == 0 for flag in group.columns):
                row[group.rescue] = 1.0
        return row

    def sample(self, logits: Logits | None, n: int, rng: np.random.Generator) -> Floats:
        """The walk of n candidates at once: (n, decisions), NaN where not asked.

        `logits` has one array for each decision, of `bins(decision)` numbers: a bin is drawn by softmax, then a value
        inside it. Without logits values are drawn evenly over each domain.
        """
        return draw(self.plan, logits, n, rng)

    def candidate(self, answers_D: Floats) -> Candidate:
        """The candidate of one row of the matrix form."""
        if self._settled is None or not self._settled.columns:
            return self._candidate(answers_D.tolist())
        codes = {decision.path: code for decision, code in zip(self.decisions, answers_D.tolist(), strict=True)}

        def told(decision: Decision) -> Value:
            code = codes[decision.path]
            return decision.default if code != code else decision.decode(code)

        return self.walk(told)

    def _candidate(self, row: Sequence[float]) -> Candidate:
        decoded = [
            None if number != number else decision.decode(number)
            for decision, number in zip(self.decisions, row, strict=True)
        ]
        paths = (decision.path for decision in self.decisions)
        values = {path: value for path, value in zip(paths, decoded, strict=True) if value is not None}
        return Candidate(values, self.plan.build(decoded))

    def replay(self, values: Mapping[str, Value]) -> Candidate:
        """Stored answers on this space: defaults where an answer is missing or no longer possible."""
        return self.walk(_stored(values))

    def _as_stored(self, values: Mapping[str, Value]) -> Candidate:
        """`replay`, but nothing is settled: what an older edition, or a person, has written down."""
        return self._candidate(self._walked(_stored(values), None))

    def default(self) -> Candidate:
        """Every question answered by its default."""
        return self.walk(lambda decision: decision.default)

    def random(self, rng: np.random.Generator) -> Candidate:
        """A candidate that `where` allows, drawn evenly; of a narrow band on FLOPs evenly over their magnitudes.

        Raises:
            InputError: where none of TRIES draws is allowed.
        """
        return self.candidate(self.random_answers(rng))

    def random_answers(self, rng: np.random.Generator) -> Floats:
        """`random` as a row of the matrix form.

        Raises:
            InputError: as `random`.
        """
        if self._steered is not None:
            found = moved_into(self.plan, self._steered, self.flops, self.allowed, rng)
            if found is not None:
                return found
        tried = 0
        while tried < TRIES:
            answers_ND = self.sample(None, 64, rng)
            good = np.flatnonzero(self.allowed(answers_ND))
            if len(good):
                return np.asarray(answers_ND[good[0]])
            tried += len(answers_ND)
        raise InputError.of(self.tree.file, f"`where` must allow something, but none of {tried:,} draws is allowed")

    # ------------------------------------------------------------------ reading candidates

    def answers(self, candidate: Candidate) -> Floats:
        """The row of the matrix form of a candidate of this space (or of an older edition of it).

        Raises:
            ValueError: where its model lies outside the space.
        """
        found = self._row(candidate)
        if found is None:
            raise ValueError(f"candidate {candidate.key} must lie inside the space")
        return found

    def _row(self, candidate: Candidate) -> Floats | None:
        told = (candidate.values, self.plan.values_of(candidate.model))
        for inside in (replayed(values) for replayed in (self.replay, self._as_stored) for values in told):
            if inside.model == candidate.model:
                values = inside.values
                return np.array([d.encode(values[d.path]) if d.path in values else np.nan for d in self.decisions])
        return None

    def locate(self, model: ModelSpec) -> Candidate | None:
        """The candidate of this space that is this model; None where it lies outside."""
        found = self._as_stored(self.plan.values_of(model))
        return found if found.model == model else None

    def nearest(self, model: ModelSpec) -> Candidate:
        """The closest candidate to a model: each knob at its nearest value, what has no place left out."""
        values = self.plan.values_of(model)
        return self.walk(lambda d: d.domain.nearest(values[d.path]) if d.path in values else d.default)

    def within_band(self, candidate: Candidate, rng: np.random.Generator) -> Candidate:
        """A candidate, or where it lies outside the band on FLOPs one like it inside, as far as one is found."""
        if self.band is None or self.allows(candidate):
            return candidate
        found = moved_from(self.plan, self.band, self.answers(candidate), self.flops, self.allowed, rng)
        return candidate if found is None else self.candidate(found)

    # ------------------------------------------------------------------ constraints

    def allows(self, candidate: Candidate) -> bool:
        """Whether `where` allows a candidate of this space."""
        return not self.violations(candidate)

    def violations(self, candidate: Candidate) -> tuple[str, ...]:
        """The constraints that a candidate breaks, as written."""
        if self.inputs is not None and not candidate.model.read_of(self.inputs).fields:
            return ("a model must read an id feature",)
        if not self.plan.where:
            return ()
        rows = Rows(self.answers(candidate)[None, :])
        if self.inputs is not None:
            cost = candidate.model.cost(self.inputs)
            known = dict(zip(COSTS, (cost.params, cost.flops, cost.bytes), strict=True))
            rows = Rows(rows.answers, lambda name: np.array([known[name]], dtype=np.float64))
        return tuple(expression.text for expression in self.plan.where if expression.breaks(rows)[0])

    def allowed(self, answers_ND: Floats, costs: Costs | None = None) -> Bools:
        """`allows` for each row of the matrix form; cost is worked out only where no other constraint is broken, and
        not where `costs` knows that of all rows."""
        asks = self.inputs is not None and bool(self.plan.features)
        good = self.costing.read_ids(answers_ND) if asks else np.ones(len(answers_ND), dtype=np.bool_)
        for costly in (False, True):
            asked = [expression for expression in self.plan.where if expression.needs_cost is costly]
            if asked:
                left = np.flatnonzero(good)
                rows = self._costed(answers_ND[left], None if costs is None else partial(_at, costs, left))
                good[left] = ~np.any([expression.breaks(rows) for expression in asked], axis=0)
        return good

    def _costed(self, answers_ND: Floats, costs: Costs | None) -> Rows:
        if self.inputs is None or costs is not None:
            return Rows(answers_ND, costs)
        return self.costing.rows(answers_ND)

    # ------------------------------------------------------------------ the space as a whole

    def size(self) -> Size:
        """How many discrete combinations, how many continuous knobs."""
        return size_of(self.plan)

    def to_yaml(self) -> str:
        """A space file that reads as this space, `extends` resolved, defaults written out."""
        out = StringIO()
        yaml = YAML(typ="safe", pure=True)
        yaml.default_flow_style = None
        yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # typed by its default, None
        yaml.width = 120
        yaml.dump(self.tree.plain(), out)
        return out.getvalue()


def _at(costs: Costs, places: NDArray[np.intp], name: str) -> Floats:
    return costs(name)[places]


def _stored(values: Mapping[str, Value]) -> Callable[[Decision], Value]:
    """Answers by path; defaults where one is missing or not possible."""

    def stored(decision: Decision) -> Value:
        value = values.get(decision.path, decision.default)
        return value if decision.domain.has(value) else decision.default

    return stored


def load_space(source: Path | str, inputs: InputShape | None = None) -> SearchSpace:
    """The space of a file, or of a name in the library (`ctr-small`), checked as far as it can be before training.

    Raises:
        InputError: with every mistake of the file.
    """
    return space_of(read_space(source), inputs)


def space_of(document: Document, inputs: InputShape | None = None) -> SearchSpace:
    """The space of a document, checked.

    Raises:
        InputError: as `load_space`.
    """
    tree = _tree_of(document, FileKind.SPACE)
    space = SearchSpace(tree, compile_tree(tree), inputs)
    open_, reachable = check_open(space.plan, document.file), check_reachable(space.plan)
    mistakes = [*open_, *reachable, *check_satisfiable(space.plan, space.allowed)]
    if mistakes:
        raise InputError(mistakes)
    return space


def _tree_of(document: Document, kind: FileKind) -> SpaceTree:
    """The tree, where neither its grammar nor its expressions have a mistake."""
    load_plugins(document)
    tree, mistakes = read_tree(document, kind)
    if mistakes:
        raise InputError([*mistakes, *_more_mistakes(tree)])
    return tree


def _more_mistakes(tree: SpaceTree) -> list[Mistake]:
    """What is wrong with the expressions of a file that has other mistakes.

    Names in a stack that could not be read as a whole are not judged.
    """
    try:
        compile_tree(tree)
    except InputError as error:
        lost = [name for name in ("interaction", "deep") if not getattr(tree, name).layers]
        return [m for m in error.mistakes if not any(name in m.found or name in m.must for name in lost)]
    return []


def load_model(source: Path | str) -> ModelSpec:
    """The model of a file in which every knob is answered: a human's baseline.

    Raises:
        InputError: with every mistake of the file.
    """
    return model_of(read(source))


def model_of(document: Document) -> ModelSpec:
    """The model of a document.

    Raises:
        InputError: as `load_model`.
    """
    return compile_tree(_tree_of(document, FileKind.MODEL)).build(())
