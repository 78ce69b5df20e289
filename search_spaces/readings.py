"""Which features a whole matrix of candidates reads, and how many fields their ids are.

N candidates, G features (or groups of them) that are asked about, F id features, V vectors, S sequences.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from search_spaces.decisions import Decision
from search_spaces.guards import Bools
from search_spaces.inputs import IdFields, InputShape
from search_spaces.plan import FeaturePlan
from search_spaces.ranges import Floats


class Read(NamedTuple):
    """Of N candidates: whether they read each id feature and each vector, how many plain numbers and sequences they
    read, and the answers to what is asked about features, which tell `Readings.inputs` all of it."""

    ids_NF: Bools
    plain_N: Floats
    vectors_NV: Bools
    sequences_N: Floats
    answers_NG: Floats


class Readings:
    """What candidates of a space read of a log."""

    def __init__(self, features: Sequence[FeaturePlan], decisions: Sequence[Decision], inputs: InputShape) -> None:
        fixed = [name for one in features if one.slot.column is None and not one.slot.instead for name in one.names]
        self.inputs = inputs.at(inputs.places(fixed)) if fixed else inputs
        self.sizes_F = np.array([len(counts) for counts in self.inputs.id_counts])
        self._tables: dict[tuple[float, float, float], Floats] = {}
        self._open = [(one, one.slot.column) for one in features if one.slot.column is not None]
        self._yes = [float(decisions[column].encode(True)) for _, column in self._open]
        names = self.inputs.names  # without a sequence whose ids' feature is never read
        of_names = {name: group for group, (one, _) in enumerate(self._open) for name in one.names}
        unknown = sorted(of_names.keys() - set(inputs.names))
        if unknown:
            raise ValueError(f"features must be those of the data, but found {', '.join(unknown)}")
        first = self.inputs.fields, self.inputs.fields + self.inputs.plain
        last = first[1] + len(self.inputs.vectors)
        group = [of_names.get(name, -1) for name in names] if names else [-1] * (last + len(self.inputs.histories))
        self._ids_F, self._plain = group[: first[0]], group[first[0] : first[1]]
        self._vectors_V = group[first[1] : last]
        # A sequence goes with the feature whose ids it lists.
        self._sequences_S = [
            (own, self._ids_F[one.field]) for own, one in zip(group[last:], self.inputs.histories, strict=True)
        ]

    def of(self, answers_ND: Floats) -> Read:
        """What candidates read."""
        count = len(answers_ND)
        read_NG = np.ones((count, len(self._open) + 1))  # the last: what nobody is asked about
        for group, (one, column) in enumerate(self._open):
            answers = answers_ND[:, column]
            read_NG[:, group] = np.where(np.isnan(answers), bool(one.slot.instead), answers == self._yes[group])
        sequences_NS = [np.minimum(read_NG[:, own], read_NG[:, ids]) for own, ids in self._sequences_S]
        return Read(
            ids_NF=read_NG[:, self._ids_F] > 0,
            plain_N=read_NG[:, self._plain].sum(axis=1),
            vectors_NV=read_NG[:, self._vectors_V] > 0,
            sequences_N=np.sum(sequences_NS, axis=0) if sequences_NS else np.zeros(count),
            answers_NG=read_NG[:, :-1],
        )

    def shape(self, answers_G: Sequence[float]) -> InputShape:
        """What one candidate reads, of its row of `answers_NG`."""
        asked = zip(self._open, answers_G, strict=True)
        names = (name for (one, _), read in asked if not read for name in one.names)
        left_out = [name for name in names if name in self.inputs.names]
        return self.inputs.at(self.inputs.places(left_out)) if left_out else self.inputs

    def id_fields(self, read: Read, merge_N: Floats) -> tuple[Floats, Bools]:
        """(N,): the fields that ids become; whether one of them is a sum of several."""
        few_NF = (self.sizes_F <= merge_N[:, None]) & (merge_N[:, None] > 0)
        together_N = (read.ids_NF & few_NF).sum(axis=1)
        return read.ids_NF.sum(axis=1) - np.maximum(together_N - 1.0, 0.0), together_N > 1

    def table_rows(self, read: Read, min_count_N: Floats, merge_N: Floats, split_N: Floats) -> tuple[Floats, Floats]:
        """(N,): rows of the fused table; fields whose ids are looked up twice."""
        asked = list(zip(min_count_N.tolist(), merge_N.tolist(), split_N.tolist(), strict=True))
        different = list(dict.fromkeys(asked))
        place = {one: k for k, one in enumerate(different)}
        tables_KTF = np.array([self._table(*one) for one in different]).reshape(len(different), 2, self.inputs.fields)
        tables_NTF = tables_KTF[np.array([place[one] for one in asked], dtype=np.intp)]
        sums_NT = (tables_NTF * read.ids_NF[:, None]).sum(axis=2)
        return sums_NT[:, 0], sums_NT[:, 1]

    def _table(self, min_count: float, merge: float, split: float) -> Floats:
        """(2, F): rows of each field, and whether its ids are looked up twice; remembered."""
        key = min_count, merge, split
        if key not in self._tables:
            ids, cut = IdFields(self.inputs.id_counts, int(merge), int(split)), int(min_count)
            twice = [by > 1 for by in ids.divisors(cut)]
            self._tables[key] = np.array([ids.table_rows(cut), twice], dtype=np.float64)
        return self._tables[key]
