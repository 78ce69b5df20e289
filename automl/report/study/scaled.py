"""A study at a multiple of its baseline's FLOPs, for the page: what capacity is worth, and what the search adds."""

from __future__ import annotations

from dataclasses import dataclass

from automl.report.common.formats import ABSENT, count, decimal, is_number, percent, ratio
from automl.report.common.words import difference, short_difference
from automl.study.scale_up import LEAST_CORE_HOURS, Reached, ScaleUp
from search_spaces.model import ModelSpec

_WORDS = (
    "Every gain on this page is against the widened baseline: the one brought with its widths multiplied by one "
    "factor, as an engineer with more room to serve would do by hand{tuned}. Candidates have {least} to {most} FLOPs "
    "a row. These are the figures of the search, the best of many; the finals say which of them hold."
)


@dataclass(frozen=True, slots=True)
class ScalePart:
    """What the page says of a scale. tiles: label, number, small print. `difference` is of the widened model to the one
    brought, before any tuning."""

    title: str
    tiles: tuple[tuple[str, str, str], ...]
    words: str
    difference: tuple[tuple[str, str], ...]


def scale_part(found: ScaleUp | None, brought: ModelSpec | None, tuned: bool) -> ScalePart | None:
    """Tiles and words; None of a study that was not scaled. `brought` is the model as brought, once it was trained."""
    if found is None:
        return None
    scaled = found.scaled
    least, most = scaled.ends
    hours = f"of NE at equal cost; {found.core_hours:.3g} core-hours inside trials"
    rate = percent(found.gain_per_core_hour_pct) if found.core_hours >= LEAST_CORE_HOURS else ABSENT
    tiles = (
        ("FLOPs target", count(scaled.target), f"{scaled} of {count(scaled.brought_flops)} a row as brought"),
        ("widened baseline", count(scaled.flops), f"FLOPs a row, {scaled.reached:.3g}x"),
        ("widening alone", percent(found.capacity_gain_pct), _capacity_words(found)),
        ("NE at equal cost", *_at_cost(found.equal_cost)),
        ("cost at equal NE", *_at_ne(found.equal_ne)),
        ("gain per core-hour", rate, hours),
    )
    words = _WORDS.format(tuned=", tuned since" if tuned else "", least=count(least), most=count(most))
    marked = () if brought is None else tuple(short_difference(difference(scaled.widened, brought)))
    return ScalePart(f"At {scaled} the FLOPs", tiles, words, marked)


def _capacity_words(found: ScaleUp) -> str:
    if not is_number(found.brought_ne):
        return "the model as brought is not trained yet"
    error = f"± {found.capacity_error_pct:.2f}%, " if is_number(found.capacity_error_pct) else ""
    return f"{error}NE {decimal(found.widened_ne)} against {decimal(found.brought_ne)} as brought"


def _at_cost(one: Reached | None) -> tuple[str, str]:
    if one is None:
        return ABSENT, "no trial is as fast as the widened baseline"
    return percent(one.gain_pct), f"± {one.error_pct:.2f}%, #{one.trial} at {ratio(one.qps_ratio)} the QPS"


def _at_ne(one: Reached | None) -> tuple[str, str]:
    if one is None:
        return ABSENT, "no trial is as fast and no worse than the widened baseline"
    return ratio(1 / one.qps_ratio), f"#{one.trial}: {ratio(one.qps_ratio)} the QPS at NE {percent(one.gain_pct)}"
