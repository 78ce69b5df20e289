"""The baseline as brought and as tuned, for the page: what every gain is against, and what tuning alone was worth."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from automl.report.common.formats import counted, decimal, is_number, listed, percent
from automl.report.common.words import changes, difference, short_difference
from automl.study.facts import Facts
from automl.study.results import Finals, Parts, PickParts
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


@dataclass(frozen=True, slots=True)
class _Made:
    """In words, how the baseline came from the model as brought."""

    making: str
    adjective: str
    what: str

    @classmethod
    def of(cls, facts: Facts | None) -> _Made:
        if facts is None or facts.scaled is None:
            return cls("tuning", "tuned", "the training knobs")
        if facts.tuned in (None, facts.scaled.widened):
            return cls("widening", "widened", "the widths")
        return cls("widening and tuning", "widened and tuned", "the widths and training knobs")


def parts_words(found: Finals | None, facts: Facts | None = None) -> tuple[str, ...]:
    """Of what the gains of the finals are made, a sentence each; none where the baseline is the one brought. `facts`
    say whether it was widened."""
    if found is None or found.parts is None:
        return ()
    parts, made = found.parts, _Made.of(facts)
    said = [_brought_words(parts, made), *(_pick_words(parts, pick, made) for pick in parts.picks)]
    return tuple(words for words in (*said, *(_architecture_words(pick, made) for pick in parts.picks)) if words)


def _brought_words(parts: Parts, made: _Made) -> str:
    if not is_number(parts.brought_ne):
        return ""
    brought = f"{decimal(parts.brought_ne)} ± {decimal(parts.brought_ne_std)}"
    gain = _gain(parts.tuned_gain_pct, parts.tuned_ci_low_pct, parts.tuned_ci_high_pct)
    return f"On the test window the model as brought has NE {brought}; {made.making} it alone gains {gain}."


def _pick_words(parts: Parts, pick: PickParts, made: _Made) -> str:
    if not is_number(pick.brought_gain_pct):
        return ""
    whole = _gain(pick.brought_gain_pct, pick.brought_ci_low_pct, pick.brought_ci_high_pct)
    base, rest = percent(parts.tuned_gain_pct), percent(pick.brought_gain_pct - parts.tuned_gain_pct)
    return (
        f"#{pick.trial} is {whole} against the model as brought: {base} are {made.what} of the {made.adjective} "
        f"baseline, {rest} the rest."
    )


def _architecture_words(pick: PickParts, made: _Made) -> str:
    if not is_number(pick.architecture_gain_pct):
        return ""
    built = _gain(pick.architecture_gain_pct, pick.architecture_ci_low_pct, pick.architecture_ci_high_pct)
    return (
        f"Of what #{pick.trial} gains over the {made.adjective} baseline, {percent(pick.training_gain_pct)} are its "
        f"own training knobs and {built} its architecture."
    )


def _gain(pct: float, low_pct: float, high_pct: float) -> str:
    return f"{percent(pct)} [{percent(low_pct)} to {percent(high_pct)}]"


def _spread(ne: tuple[float, ...]) -> str:
    """Mean and standard deviation over the orders."""
    return f"{decimal(statistics.fmean(ne))} ± {decimal(statistics.stdev(ne))}"
