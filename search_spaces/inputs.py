"""What the data gives to a model, and the first floor that reads it: a list of sources. No torch here.

Every source makes some fields of X, all of dimension E, out of one kind of features; they stand one below the other,
and their costs add up. A kind of features is a source here and its torch half in automl/ranking/sources.py.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import accumulate, chain, compress, pairwise
from math import isqrt
from statistics import NormalDist
from typing import Protocol

from search_spaces.blocks.base import Cost, elementwise_cost, linear_cost

QUANTILES = 256
Quantiles = tuple[float, ...]
"""QUANTILES + 1 values of a number from its lowest to its highest, evenly over the rows; none where it has no value."""


class Source(Protocol):
    """One kind of features as fields of X."""

    @property
    def fields(self) -> int: ...

    def cost(self, dim: int, min_count: int) -> Cost:
        """Of one row: what it takes to make the fields, of that dimension and cut-off of ids."""
        ...


@dataclass(frozen=True, slots=True)
class IdFields:
    """A field for each id feature, gathered from one table; those of at most `merge` ids are one field together, the
    sum of their embeddings. Where more than `split` of other features' ids are told apart (0: any number) an id's
    embedding is the product of two rows, of its quotient and of its remainder by a number near the root (arXiv
    1909.02107). `id_counts` as of InputShape."""

    id_counts: tuple[tuple[int, ...], ...]
    merge: int = 0
    split: int = 0

    @property
    def merged(self) -> tuple[bool, ...]:
        """Of each id feature: whether it is of the field that several are together."""
        few = tuple(bool(self.merge) and len(counts) <= self.merge for counts in self.id_counts)
        return few if sum(few) > 1 else (False,) * len(few)

    @property
    def fields(self) -> int:
        together = sum(self.merged)
        return len(self.id_counts) - max(together - 1, 0)

    def told_apart(self, min_count: int) -> tuple[int, ...]:
        """Ids of each field: those seen at least min_count times, and 0 for all others."""
        return tuple(1 + _at_least(counts, min_count) for counts in self.id_counts)

    def divisors(self, min_count: int) -> tuple[int, ...]:
        """What the ids of each field are divided by; 1 where they are not."""
        ids_F = self.told_apart(min_count)
        large_F = [0 < self.split < ids for ids in ids_F]
        small_F = [len(counts) <= self.merge for counts in self.id_counts]
        told = zip(ids_F, large_F, small_F, strict=True)
        return tuple(isqrt(ids - 1) + 1 if large and not small else 1 for ids, large, small in told)

    def table_rows(self, min_count: int) -> tuple[int, ...]:
        """Rows of each field's table: one for each id, or for each quotient and then for each remainder."""
        told = zip(self.told_apart(min_count), self.divisors(min_count), strict=True)
        return tuple(ids if by == 1 else -(-ids // by) + by for ids, by in told)

    def cost(self, dim: int, min_count: int) -> Cost:
        summed = elementwise_cost(dim) if any(self.merged) else Cost()
        multiplied = elementwise_cost(dim * sum(by > 1 for by in self.divisors(min_count)))
        return summed + multiplied + Cost(params=sum(self.table_rows(min_count)) * dim)


@dataclass(frozen=True, slots=True)
class DenseField:
    """One field for the numbers of a vector, such as a text's embedding: their linear map."""

    width: int

    @property
    def fields(self) -> int:
        return 1

    def cost(self, dim: int, min_count: int) -> Cost:
        return linear_cost(self.width, dim)


@dataclass(frozen=True, slots=True)
class HistoryShape:
    """A sequence feature: lists of at most `most` ids of the id field whose place is `field`.

    `lengths[0][n]` counts the rows of the training window whose list holds n events, `lengths[k]` those whose list
    holds n events of the k-th of `actions` kinds. `timed`: the events have times.
    """

    field: int
    most: int
    lengths: tuple[tuple[int, ...], ...]
    timed: bool = False

    @property
    def actions(self) -> int:
        """How many kinds of events there are."""
        return len(self.lengths) - 1

    def mean_length(self, at_most: int, action: int = 0) -> float:
        """Events of a row that are read on average, the last `at_most` of them; of one action, or of all (0)."""
        counts = self.lengths[action]
        rows = sum(counts)
        return sum(min(n, at_most) * count for n, count in enumerate(counts)) / rows if rows else 0.0


@dataclass(frozen=True, slots=True)
class InputShape:
    """What the data gives to a model.

    `id_counts[f]` holds, for field f, the training-window count of every id by falling frequency, so that a
    cut-off `min_count` is a prefix; rows are examples of the training window. `dense` are all numbers of a row;
    `vectors` the widths of the vectors among them, which stand last. `histories` are the sequence features. `given` has
    a place for each label: that of the label in whose positive rows alone it is defined, None where it is defined in
    every row (or given what is no label). `quantiles` are those of each plain number in the training window, as it is
    encoded and where it is known; where none are told, numbers count as normal. `names` are those of the id features,
    the plain numbers, the vectors and the sequences, in that order.
    """

    id_counts: tuple[tuple[int, ...], ...]
    dense: int
    train_rows: int
    vectors: tuple[int, ...] = ()
    histories: tuple[HistoryShape, ...] = ()
    given: tuple[int | None, ...] = (None,)
    quantiles: tuple[Quantiles, ...] = ()
    names: tuple[str, ...] = ()

    @property
    def tasks(self) -> int:
        """How many labels are predicted."""
        return len(self.given)

    @property
    def fields(self) -> int:
        """Id features."""
        return len(self.id_counts)

    @property
    def plain(self) -> int:
        """Numbers that belong to no vector."""
        return self.dense - sum(self.vectors)

    @property
    def numbers(self) -> tuple[Quantiles, ...]:
        """The quantiles of each plain number."""
        return self.quantiles or (_normal(),) * self.plain

    def table_rows(self, min_count: int) -> tuple[int, ...]:
        """Rows of each field's table where every id has one of its own: the ids seen at least min_count times, and row
        0 for all others."""
        return IdFields(self.id_counts).told_apart(min_count)

    def places(self, left_out: Collection[str]) -> Places:
        """What is left of the features without those that bear these names; a sequence goes with the feature whose ids
        it lists.

        Raises:
            ValueError: where no feature bears a name.
        """
        unknown = [name for name in left_out if name not in self.names]
        if unknown:
            raise ValueError(f"features must be those of the data, but found {', '.join(unknown)}")
        kept = [name not in left_out for name in self.names] if left_out else [True] * self._features
        edges = accumulate((self.fields, self.plain, len(self.vectors), len(self.histories)), initial=0)
        ids, plain, vectors, lists = (kept[first:last] for first, last in pairwise(edges))
        starts = accumulate((self.plain, *self.vectors))
        of_vectors = [range(start, start + width) for start, width in zip(starts, self.vectors, strict=False)]
        return Places(
            ids=_there(ids),
            plain=_there(plain),
            vectors=_there(vectors),
            histories=tuple(k for k, one in enumerate(self.histories) if lists[k] and ids[one.field]),
            dense=(*_there(plain), *chain.from_iterable(compress(of_vectors, vectors))),
        )

    def at(self, places: Places) -> InputShape:
        """What is left."""
        if len(places) == self._features:
            return self
        before = accumulate((self.fields, self.plain, len(self.vectors)), initial=0)
        parts = (places.ids, places.plain, places.vectors, places.histories)
        names = [self.names[start + k] for start, part in zip(before, parts, strict=True) for k in part]
        lists = [self.histories[k] for k in places.histories]
        return replace(
            self,
            id_counts=tuple(self.id_counts[k] for k in places.ids),
            dense=len(places.dense),
            vectors=tuple(self.vectors[k] for k in places.vectors),
            histories=tuple(replace(one, field=places.ids.index(one.field)) for one in lists),
            quantiles=tuple(self.quantiles[k] for k in places.plain) if self.quantiles else (),
            names=tuple(names),
        )

    @property
    def _features(self) -> int:
        return self.fields + self.plain + len(self.vectors) + len(self.histories)


@dataclass(frozen=True, slots=True)
class Places:
    """Some of the features: the places of id features, plain numbers, vectors and sequences among their like, and those
    of all numbers, of vectors too, in a row."""

    ids: tuple[int, ...]
    plain: tuple[int, ...]
    vectors: tuple[int, ...]
    histories: tuple[int, ...]
    dense: tuple[int, ...]

    def __len__(self) -> int:
        """How many features."""
        return len(self.ids) + len(self.plain) + len(self.vectors) + len(self.histories)


def _there(kept: Sequence[bool]) -> tuple[int, ...]:
    return tuple(compress(range(len(kept)), kept))


@cache
def _normal() -> Quantiles:
    """Of standard normal values, so many as one has in the middle of each part."""
    return tuple(NormalDist().inv_cdf((k + 0.5) / (QUANTILES + 1)) for k in range(QUANTILES + 1))


def _at_least(counts: tuple[int, ...], minimum: int) -> int:
    low, high = 0, len(counts)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if counts[middle] >= minimum else (low, middle)
    return low
