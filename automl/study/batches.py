"""The batches of proposals in the record of a study. Each is written before the first of its trials is, with what they
are to be, and once more without when the last one is there: so a batch is written as a whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from automl.study.facts import BATCH
from automl.study.records import ProposalJson
from automl.study.requests import Batch, Request


class Batches:
    """By round. `write` writes an attribute of the record; `attributes` are those that it holds."""

    def __init__(self, attributes: Mapping[str, str], write: Callable[[str, str], None]) -> None:
        self._write = write
        self._held = {
            int(name.removeprefix(BATCH)): Batch.of_json(json.loads(text))
            for name, text in attributes.items()
            if name.startswith(BATCH)
        }

    def __getitem__(self, round_: int) -> Batch:
        return self._held[round_]

    @property
    def named(self) -> Mapping[int, Batch]:
        """In their order, each with what it was made with."""
        found: dict[int, Batch] = {}
        made_with: Mapping[str, str] | None = None
        for round_ in sorted(self._held):
            found[round_] = batch = self._held[round_].named(made_with)
            made_with = made_with if batch.request is None else batch.request.made_with
        return found

    @property
    def begun(self) -> tuple[int, ...]:
        """Rounds of which not all trials are there, as far as the record tells."""
        return tuple(round_ for round_, batch in self._held.items() if batch.proposals)

    def begin(
        self, round_: int, numbers: Sequence[int], proposals: Sequence[ProposalJson], request: Request | None
    ) -> None:
        """Write a batch with what its trials are to be; what it was made with only where that is new."""
        if request is not None and request.made_with == self._made_with():
            request = replace(request, made_with=None)
        self._put(round_, Batch(numbers=tuple(numbers), request=request, proposals=tuple(map(dict, proposals))))

    def end(self, round_: int) -> None:
        """All its trials are there."""
        self._put(round_, replace(self._held[round_], proposals=()))

    def _put(self, round_: int, batch: Batch) -> None:
        self._write(f"{BATCH}{round_}", json.dumps(batch.to_json()))
        self._held[round_] = batch

    def _made_with(self) -> Mapping[str, str] | None:
        """What the last batch was made with."""
        asked = [batch.request for batch in self.named.values() if batch.request is not None]
        return asked[-1].made_with if asked else None
