"""What the system has done so far, kept with the commits that did it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields

import numpy as np
from numpy.typing import NDArray

_HOUR_NS = 3_600_000_000_000
AGE_EDGES_HOURS = (1, 2, 4, 8, 12, 24, 36, 48, 72, 96, 168)  # between the bins of the histogram; the last is open


@dataclass(frozen=True, slots=True)
class Counts:
    """Sums over ticks.

    examples: unique, of at least one student. scored: those with a prediction. calls: rows given to the teacher.
    duplicates: rows of an example that was there before. labels: (example, task) pairs joined. late: labels that
    came after the horizon. never: labels that do not come. ages: scored examples by the hours between what their
    snapshot had seen and their impression, in the bins of AGE_EDGES_HOURS. seconds: wall time of scoring.
    """

    examples: int = 0
    scored: int = 0
    calls: int = 0
    duplicates: int = 0
    labels: int = 0
    late: int = 0
    never: int = 0
    ages: tuple[int, ...] = (0,) * (len(AGE_EDGES_HOURS) + 1)
    seconds: float = 0.0
    core_seconds: float = 0.0

    def __add__(self, other: Counts) -> Counts:
        sums = {f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self) if f.name != "ages"}
        return Counts(**sums, ages=tuple(a + b for a, b in zip(self.ages, other.ages, strict=True)))

    @property
    def coverage(self) -> float:
        """Share of the examples that have a prediction."""
        return self.scored / self.examples if self.examples else float("nan")

    @property
    def calls_per_example(self) -> float:
        """1 where no batch had to be scored again."""
        return self.calls / self.scored if self.scored else float("nan")

    @property
    def rows_per_second(self) -> float:
        """Examples scored a second of wall time."""
        return self.scored / self.seconds if self.seconds else float("nan")

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Counts:
        data = json.loads(text)
        return cls(**{**data, "ages": tuple(data["ages"])})


def ages_of(times_N: NDArray[np.int64], trained_to_ns: int) -> tuple[int, ...]:
    """Rows in each bin of age."""
    hours_N = (times_N - trained_to_ns) / _HOUR_NS
    bins_N = np.searchsorted(AGE_EDGES_HOURS, hours_N, side="right")
    return tuple(np.bincount(bins_N, minlength=len(AGE_EDGES_HOURS) + 1).tolist())
