"""The baseline as brought and as tuned, for the page: what every gain is against, and what tuning alone was worth."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from automl.report.common.formats import counted, decimal, listed, percent
from automl.report.common.words import changes, difference, short_difference
from automl.study.tuning import Tuning


@dataclass(frozen=True, slots=True)
class TunedBaseline:
    """What the page says of a tuning. `difference` is empty where the model as brought stays."""

    words: str
    difference: tuple[tuple[str, str], ...]


def tuned_baseline(found: Tuning | None) -> TunedBaseline | None:
    """Sentence and YAML difference; None where the baseline was not tuned."""
    if found is None:
        return None
    spent = counted(found.trainings, "training")
    if not found.changed:
        stays = "none of the models tried beats the one as brought beyond noise, so it stays"
        return TunedBaseline(f"The baseline's training knobs were tuned first ({spent}): {stays}.", ())
    words = (
        f"Every gain on this page is against the tuned baseline. As brought it has NE {_spread(found.brought_ne)}, "
        f"tuned {_spread(found.tuned_ne)} ({percent(found.gain_pct)}; validation window, "
        f"{counted(len(found.tuned_ne), 'order')} of the data, {spent} in all): "
        f"{listed(changes(found.tuned, found.brought))}. Its architecture is as it was."
    )
    return TunedBaseline(words, tuple(short_difference(difference(found.tuned, found.brought))))


def _spread(ne: tuple[float, ...]) -> str:
    """Mean and standard deviation over the orders."""
    return f"{decimal(statistics.fmean(ne))} ± {decimal(statistics.stdev(ne))}"
