"""What was counted while a piece of a log was read, and what was wrong with its rows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Self

Path = tuple[str | int, ...]  # of a part of the data description


@dataclass(slots=True)
class Wrong:
    """So many rows that break a rule; one of them."""

    path: Path
    must: str
    count: int
    example: str


@dataclass(slots=True)
class Seen:
    """Rows read; of them those outside of the windows or days, those that are no examples, and those kept; of each side
    table the rows that have no partner in it; by sequence, the rows whose list holds events that are not earlier."""

    rows: int = 0
    outside: int = 0
    not_given: int = 0
    kept: int = 0
    unmatched: list[int] = field(default_factory=list)
    wrong: list[Wrong] = field(default_factory=list)
    late: dict[str, int] = field(default_factory=dict)

    def note(self, count: int, example: str, must: str, path: Path) -> None:
        """Remember that so many rows are wrong."""
        if not count:
            return
        known = next((wrong for wrong in self.wrong if (wrong.path, wrong.must) == (path, must)), None)
        if known is None:
            self.wrong.append(Wrong(path, must, count, example))
        else:
            known.count += count

    def has(self, wrong: Wrong) -> bool:
        """Whether a row breaks that rule."""
        return any((mine.path, mine.must) == (wrong.path, wrong.must) for mine in self.wrong)

    @classmethod
    def of(cls, parts: Iterable[Self], sides: int) -> Self:
        """Of all pieces, in the order of the log."""
        total = cls(unmatched=[0] * sides)
        for part in parts:
            total.rows += part.rows
            total.outside += part.outside
            total.not_given += part.not_given
            total.kept += part.kept
            total.unmatched = _added(total.unmatched, part.unmatched)
            for name, rows in part.late.items():
                total.late[name] = total.late.get(name, 0) + rows
            for wrong in part.wrong:
                total.note(wrong.count, wrong.example, wrong.must, wrong.path)
        return total

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def of_json(cls, text: str) -> Self:
        told = json.loads(text)
        wrong = [Wrong(tuple(one.pop("path")), **one) for one in told.pop("wrong")]
        return cls(**told, wrong=wrong)


def _added(one: Sequence[int], other: Sequence[int]) -> list[int]:
    return [a + b for a, b in zip(one, other, strict=True)]
