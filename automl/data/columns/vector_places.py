"""Where the numbers of vectors stand among the dense features: last, one vector after the other."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_PLACE = re.compile(r"@(.+)\[(\d+)\]")


def places_of(column: str, width: int) -> list[str]:
    """Names of a vector's numbers among the dense features: `@title[0]`, `@title[1]`. No table has such columns."""
    return [f"@{column}[{k}]" for k in range(width)]


def vectors_among(dense: Sequence[str]) -> dict[str, slice]:
    """The vectors among dense features, with the places of their numbers. They stand last, one after the other."""
    found: dict[str, slice] = {}
    for k, name in enumerate(dense):
        place = _PLACE.fullmatch(name)
        if place is not None:
            start = found[place[1]].start if place[1] in found else k
            found[place[1]] = slice(start, k + 1)
    return found


def widths_of(vectors: Mapping[str, slice]) -> tuple[int, ...]:
    """Of each vector, its numbers."""
    return tuple(place.stop - place.start for place in vectors.values())


def plain_among(dense: Sequence[str]) -> tuple[str, ...]:
    """The dense features that belong to no vector."""
    return tuple(name for name in dense if not _PLACE.fullmatch(name))
