"""Numbers and classes as notes name them."""

from __future__ import annotations

from automl.data.leaks.evidence import Part
from automl.data.leaks.sample import Sample

_UNITS = (("d", 86_400 * 10**9), ("h", 3600 * 10**9), ("min", 60 * 10**9), ("s", 10**9), ("ms", 10**6), ("us", 1000))


def share(value: float) -> str:
    """In percent; 99.97% is not all, and .03% not nothing."""
    if value in (0, 1):
        return f"{value:.0%}"
    if not 0.0001 <= value <= 0.9999:
        return "under 0.01%" if value < 0.5 else "over 99.99%"
    return f"{value:.1%}" if 0.01 <= value <= 0.99 else f"{value:.2%}"


def number(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) and abs(value) < 1e15 else f"{value:.4g}"


def span(nanoseconds: int) -> str:
    """A span of time, in the largest unit of which it is at least one, to the last digit: 30 s, 1.5 s, 0 s."""
    for unit, length in _UNITS:
        if nanoseconds >= length:
            return f"{nanoseconds / length:.12g} {unit}"
    return f"{nanoseconds} ns" if nanoseconds else "0 s"


def class_words(part: Part, sample: Sample) -> str:
    """What share of some rows is of a class, and of that class what share they hold."""
    rate, base = (part.rate, sample.base) if part.positive else (1 - part.rate, 1 - sample.base)
    which = "positive" if part.positive else "negative"
    return (
        f"{share(rate)} of these are {which} (of all rows {share(base)}; they hold {share(part.recall)} of that class)"
    )
