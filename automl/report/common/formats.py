"""Numbers as people read them: signs, units, a true minus, a dash where there is nothing."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import UTC, datetime

ABSENT = "–"
MINUS = "−"


def is_number(value: float | None) -> bool:
    """Finite and there."""
    return value is not None and math.isfinite(value)


def percent(value: float | None, digits: int = 2) -> str:
    """A signed percentage: −0.21%."""
    if value is None or not math.isfinite(value):
        return ABSENT
    text = f"{abs(value):.{digits}f}%"
    if float(text[:-1]) == 0:
        return text
    return (MINUS if value < 0 else "+") + text


def share(value: float | None) -> str:
    """A share of one as a whole percentage: 85%."""
    if value is None or not math.isfinite(value):
        return ABSENT
    text = f"{abs(100 * value):.0f}%"
    return MINUS + text if value < 0 and text != "0%" else text


def ratio(value: float | None) -> str:
    """A multiple: ×1.02, ×0.003, ×12."""
    if value is None or not math.isfinite(value):
        return ABSENT
    digits = 2 if 0.1 <= abs(value) < 10 else 1 if abs(value) >= 10 else 3
    return f"×{value:.{digits}f}"


def decimal(value: float | None, digits: int = 4) -> str:
    """A plain number with fixed digits: 0.8634."""
    if value is None or not math.isfinite(value):
        return ABSENT
    return f"{value:.{digits}f}".replace("-", MINUS)


def count(value: float | None) -> str:
    """A large number with its SI letter: 141k, 18.9M."""
    if value is None or not math.isfinite(value):
        return ABSENT
    size = abs(value)
    for limit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if size >= 0.9995 * limit:
            return f"{value / limit:.3g}{letter}" if size < 999.5 * limit else f"{value / limit:.0f}{letter}"
    return f"{value:.3g}" if size < 999.5 else f"{value:.0f}"


def number(value: int) -> str:
    """A count that may be huge: 21,000,000 as 2.1e7, small ones as they are."""
    if value < 100_000:
        return f"{value:,}"
    digits = str(value)
    exponent, tenths = len(digits) - 1, (int(digits[:3]) + 5) // 10
    if tenths == 100:
        exponent, tenths = exponent + 1, 10
    return f"{tenths // 10}.{tenths % 10}e{exponent}"


def combinations(discrete: int, continuous: int) -> str:
    """The size of a space: 2.1e7 discrete combinations x 5 continuous knobs."""
    words = f"{number(discrete)} discrete {'combination' if discrete == 1 else 'combinations'}"
    return f"{words} x {counted(continuous, 'continuous knob')}" if continuous else words


def listed(items: Iterable[str], most: int = 6) -> str:
    """a, b and c; of many the first few: a, b, c and 9 more."""
    texts = list(items)
    if len(texts) > most:
        texts = [*texts[: most - 1], f"{len(texts) - most + 1} more"]
    return " and ".join([", ".join(texts[:-1]), texts[-1]]) if len(texts) > 1 else "".join(texts)


def duration(seconds: float | None) -> str:
    """0.6 s, 42 s, 4 min 05 s, 1 h 04 min."""
    if seconds is None or not math.isfinite(seconds):
        return ABSENT
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def moment(seconds: float | None) -> str:
    """A UTC time to the minute."""
    if seconds is None or not math.isfinite(seconds):
        return ABSENT
    return datetime.fromtimestamp(seconds, tz=UTC).strftime("%Y-%m-%d %H:%M UTC")


def knob_value(value: object) -> str:
    """A setting: three digits for a drawn number, thousands apart, yes and no."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.3g}".replace("-", MINUS)
    return str(value)


def p_value(value: float | None) -> str:
    """p < 0.001, p = 0.012."""
    if value is None or not math.isfinite(value):
        return f"p {ABSENT}"
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """1 trial, 3 trials."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
