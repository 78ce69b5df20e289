"""Bad input, told once and clearly: where, what must hold, what was found, a hint."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a file; lines and columns count from 1. Line 0 means the whole file."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """One thing wrong with an input. Reads `file:line:column: MUST, but found FOUND (HINT)`."""

    position: Position
    must: str
    found: str = ""
    hint: str = ""

    def __str__(self) -> str:
        found = f", but found {self.found}" if self.found else ""
        hint = f"\n    hint: {self.hint}" if self.hint else ""
        return f"{self.position}: {self.must}{found}{hint}"


class InputError(Exception):
    """All the mistakes of an input together, in the order of the file."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(sorted(set(mistakes)))
        super().__init__("\n".join(str(mistake) for mistake in self.mistakes))

    @classmethod
    def of(cls, file: str, must: str, found: str = "", hint: str = "") -> InputError:
        """One mistake that belongs to a file (or an option) as a whole."""
        return cls([Mistake(Position(file), must, found, hint)])


def first_line(error: Exception) -> str:
    """What a library says of an error, without the rest of its page."""
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
