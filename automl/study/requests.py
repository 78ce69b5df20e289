"""What was known when a batch of proposals was asked for: enough to ask the same strategy the same question again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from automl.study.history import Limit, Prefer
from automl.study.plain import Codec, Plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The question that a strategy was asked. Sets of numbers are ranges: 1-40,43."""

    strategy: str
    seed: int
    count: int  # proposals asked for
    baseline: int  # its repeats that were in, the first ones
    trials: str  # that had begun
    running: str  # of these, those that had not ended
    repeats: str  # of trials, by their place in the record
    promoted: str = ""  # of these, those that had been trained on a part of the rows before they were on all
    limits: tuple[Limit, ...] = ()
    prefer: Prefer = Prefer.BALANCED
    # Versions of packages, the machine, digests of plug-ins; None in the record where all is as for the batch before.
    made_with: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The trials that came of one request. It is written before the first of them is, with what they are to be, and
    once more without when the last one is there: so a batch is written as a whole or not at all."""

    numbers: tuple[int, ...]
    request: Request | None = None  # None in a record of an earlier version
    proposals: tuple[Mapping[str, object], ...] = field(default=())  # as ProposalJson, until all are trials

    def to_json(self) -> Plain:
        """What the record holds."""
        return {**_CODEC.plain(self), "numbers": spans(self.numbers)}

    @classmethod
    def of_json(cls, found: Mapping[str, object]) -> Batch:
        """Inverse of to_json."""
        return _CODEC.value({**found, "numbers": tuple(numbers(str(found["numbers"])))}, "the study's record")

    def named(self, made_with: Mapping[str, str] | None) -> Batch:
        """With what it was made with, where that is as for the batch before."""
        if self.request is None or self.request.made_with is not None:
            return self
        return replace(self, request=replace(self.request, made_with=made_with))


_CODEC = Codec(Batch)


def spans(found: Iterable[int]) -> str:
    """Numbers as ranges: 1-40,43."""
    parts: list[list[int]] = []
    for number in sorted(found):
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ",".join(f"{first}-{last}" if last > first else str(first) for first, last in parts)


def numbers(text: str) -> Iterator[int]:
    """Inverse of spans."""
    for part in text.split(",") if text else ():
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)
