"""Answers that make no difference on a log: of several that stand for one model one is taken, so that it has one key.

Which fields `embedding.merge` sums hangs on the log's vocabularies, and how numbers and histories are read is of no
matter where a candidate reads none. Questions that a constraint looks at are left as they are answered.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Sequence

import numpy as np

from search_spaces.decisions import Choice, Decision, Domain, Integer
from search_spaces.dense_forms import LinearForm
from search_spaces.history import NoHistory
from search_spaces.inputs import InputShape
from search_spaces.plan import LayerPlan, Plan
from search_spaces.readings import Read, Readings

Settle = Callable[[float, Read], float]


class Settled:
    """What is settled of a space on a log. `of` gives, for an answer in a column, the one that stands for it."""

    def __init__(self, plan: Plan, inputs: InputShape) -> None:
        self._readings = Readings(plan.features, plan.decisions, inputs)
        judged = {column for expression in plan.where for column in expression.columns()}
        self._settles = {column: settle for column, settle in self._found(plan) if column not in judged}

    @property
    def columns(self) -> Collection[int]:
        """Questions of which some answers are alike."""
        return self._settles.keys()

    def of(self, column: int, answer: float, row: Sequence[float]) -> float:
        """`row` has the answers to the questions before; NaN for those that were not asked, or not yet."""
        settle = self._settles.get(column)
        return answer if settle is None else settle(answer, self._readings.of(np.array([row])))

    def _found(self, plan: Plan) -> Iterator[tuple[int, Settle]]:
        slots = {slot.name: slot for slot in plan.embedding.slots}
        split, merge = slots["split"], slots["merge"].column
        if merge is not None:
            fewest = 2 if split.column is None and not split.instead else 1  # one alone is not split either
            yield merge, self._merge(plan.decisions[merge], fewest)
        if plan.features:
            yield from _alike(plan.dense, LinearForm.name, lambda read: not read.plain_N[0])
            yield from _alike(plan.history, NoHistory.name, lambda read: not read.sequences_N[0])

    def _merge(self, decision: Decision, fewest: int) -> Settle:
        """To the smallest number of ids that sums the same fields; so few of them make no difference."""

        def settle(answer: float, read: Read) -> float:
            sizes = self._readings.sizes_F[read.ids_NF[0]]
            most = int(decision.decode(answer))
            together = sizes[sizes <= most] if most else sizes[:0]
            least = int(together.max()) if len(together) >= fewest else 0
            return decision.encode(_lowest(decision.domain, least, most))

        return settle


def _lowest(domain: Domain, least: int, most: int) -> int:
    """Of a domain of integers, from `least` on; `most` is one of them."""
    if isinstance(domain, Choice):
        return min(int(value) for value in domain.options if least <= int(value) <= most)
    assert isinstance(domain, Integer)
    lowest = max(least, domain.low)
    stepped = domain.low + math.ceil((lowest - domain.low) / domain.step) * domain.step
    return min(stepped, most)


def _alike(layer: LayerPlan | None, plain: str, is_read: Callable[[Read], bool]) -> Iterator[tuple[int, Settle]]:
    """To the plain way, where the space has it, if there is nothing to read in any way."""
    names = [] if layer is None else [block.name for block in layer.blocks]
    if layer is not None and layer.columns[0] is not None and plain in names:
        code = float(names.index(plain))
        yield layer.columns[0], lambda answer, read: code if is_read(read) else answer
