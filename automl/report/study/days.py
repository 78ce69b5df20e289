"""The finals day by day: a table with a column a pick, and what several days do to its interval, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from automl.report.common.formats import counted, decimal, is_number, percent
from automl.report.study.derived import View
from automl.study.results import Finals


@dataclass(frozen=True, slots=True, kw_only=True)
class DayTable:
    """Rows of cells, each a number with its small print; the last row is of all days."""

    title: str
    picks: tuple[str, ...]
    rows: tuple[tuple[str, str, str, tuple[tuple[str, str], ...]], ...]  # day, rows, NE of the baseline, the picks
    caption: str


def day_table(view: View) -> DayTable | None:
    """Gain of each pick on each day of the test window; None where it has one day, or there are no finals."""
    finals = view.finals
    if finals is None or not finals.days or not finals.fit:
        return None
    rows = [
        (
            day.day,
            f"{day.rows:,}",
            decimal(day.ne),
            tuple(
                _cell(one.ne_gain_pct, one.ci_low_pct, one.ci_high_pct)
                for one in (pick.days[number] for pick in finals.fit)
            ),
        )
        for number, day in enumerate(finals.days)
    ]
    whole = tuple(_cell(pick.ne_gain_pct, pick.ci_low_pct, pick.ci_high_pct) for pick in finals.fit)
    everything = ("all days", f"{sum(day.rows for day in finals.days):,}", decimal(finals.baseline.ne), whole)
    return DayTable(
        title="Day by day",
        picks=tuple(f"#{pick.trial} {pick.role}" for pick in finals.fit),
        rows=(*rows, everything),
        caption=days_words(finals) or "",
    )


def _cell(gain: float, low: float, high: float) -> tuple[str, str]:
    if not is_number(gain):
        return percent(gain), "one class"
    return percent(gain), f"{percent(low)} to {percent(high)}" if is_number(low) else "one cluster"


def days_words(finals: Finals) -> str | None:
    """How a test window of several days was scored, and what they do to the examples' part of the intervals."""
    if not finals.days:
        return None
    days = counted(len(finals.days), "test day")
    how = "each scored, then trained on" if finals.progressive else "scored at once"
    return f"{days}, {how}.{_examples_words(finals)}"


def _examples_words(finals: Finals) -> str:
    whole = _middle([pick.examples_std_pct for pick in finals.fit])
    first = _middle([pick.examples_std_first_day_pct for pick in finals.fit])
    orders = _middle([pick.order_std_pct for pick in finals.fit])
    if whole is None or orders is None:
        return ""
    alone = "" if first is None else f" (the first day alone: ±{first:.3f}%)"
    return (
        f" The choice of examples moves a gain by ±{whole:.3f}%{alone}, "
        f"the order of the data by ±{orders:.3f}% a training (standard errors, the middle pick)."
    )


def _middle(found: Sequence[float]) -> float | None:
    known = [value for value in found if is_number(value)]
    return median(known) if known else None
